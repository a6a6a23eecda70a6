"""GitHub's published schema, as npm installs it."""

from functools import cache
from pathlib import Path

from graphql import GraphQLSchema, build_schema

FILE = Path(__file__).parent / "node_modules/@octokit/graphql-schema/schema.graphql"


class NotInstalledError(RuntimeError):
    """The schema is not there; says how to get it."""


@cache
def github_schema() -> GraphQLSchema:
    """The schema; takes most of a second the first time."""
    if not FILE.is_file():
        raise NotInstalledError("GitHub's schema is not installed: run `make setup` (needs npm)")
    return build_schema(FILE.read_text(), assume_valid_sdl=True, no_location=True)
