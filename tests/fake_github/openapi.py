"""GitHub's own description of the REST routes that an App asks, and what it refuses.

openapi.json is made of the npm package @octokit/openapi 23.0.2 (MIT), whose whole is 28 MB: the
query and the body of each route, without texts.
"""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

DESCRIPTION = Path(__file__).with_name("openapi.json")


class UndescribedError(Exception):
    """GitHub has no such parameter or value: it would answer 422, or pay no heed."""


def check(method: str, path: str, query: dict[str, str], body: bytes) -> None:
    """Raise UndescribedError if a request to a described route is not as described."""
    for pattern, described in _routes():
        if pattern.fullmatch(f"{method} {path}"):
            _check_query(query, described["query"])
            if described["body"] is not None:
                _validate(json.loads(body), described["body"])
            return


def _check_query(query: dict[str, str], described: dict[str, Any]) -> None:
    for name, text in query.items():
        if name not in described:
            raise UndescribedError(f"no parameter {name}")
        value = int(text) if described[name]["type"] == "integer" else text
        _validate(value, described[name])


def _validate(value: object, schema: dict[str, Any]) -> None:
    try:
        jsonschema.validate(value, schema, jsonschema.Draft202012Validator)
    except jsonschema.ValidationError as error:
        raise UndescribedError(f"{error.json_path}: {error.message}") from None


@cache
def _routes() -> list[tuple[re.Pattern[str], dict[str, Any]]]:
    routes = json.loads(DESCRIPTION.read_text(encoding="utf-8"))
    return [
        (re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(route))), described)
        for route, described in routes.items()
    ]
