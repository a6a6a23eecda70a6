"""GraphQL answers as GitHub writes them, whole and damaged."""

import json
from functools import lru_cache
from typing import Any

from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    OperationDefinitionNode,
    parse,
    validate,
)

from fake_github.schema import github_schema

TIMEOUT = (
    "Something went wrong while executing your query. This may be the result of a timeout, or "
    "it could be a GitHub bug. Please include `C0DE:1:2:3` when reporting this issue."
)


@lru_cache
def parsed(query: str) -> tuple[DocumentNode, str]:
    """The document, valid against GitHub's schema, and its operation's name."""
    document = parse(query)
    errors = validate(github_schema(), document)
    if errors:
        raise ValueError(f"GitHub would refuse this query: {errors}")
    operation = document.definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    return document, operation.name.value if operation.name else "anonymous"


def formatted(result: ExecutionResult, forbidden: frozenset[str]) -> dict[str, object]:
    """The answer as GitHub writes it: an error's type stands beside its message."""
    errors = [_error(each) for each in result.errors or ()]
    data = result.data
    if forbidden and data is not None:
        errors += list(_hide(data, forbidden, []))
    return {"data": data, **({"errors": errors} if errors else {})}


def _error(error: GraphQLError) -> dict[str, Any]:
    kind = (error.extensions or {}).get("type")
    return {"message": error.message, "path": error.path, **({"type": kind} if kind else {})}


def _hide(value: Any, names: frozenset[str], path: list[str | int]) -> list[dict[str, Any]]:
    """Take out what a token may not see, with an error for each place."""
    message = "Resource not accessible by personal access token"
    errors: list[dict[str, Any]] = []
    for key, each in list(value.items()) if isinstance(value, dict) else enumerate(value):
        if key in names and each is not None:
            value[key] = None
            errors.append({"type": "FORBIDDEN", "path": [*path, key], "message": message})
        elif isinstance(each, dict | list):
            errors += _hide(each, names, [*path, key])
    return errors


def partial(answer: bytes, fault: str) -> bytes:
    """Without the first pull's files, or without the first pull."""
    whole = json.loads(answer)
    path: list[str | int] = ["node", "pullRequests", "nodes", 0]
    place = ((whole["data"]["node"] or {}).get("pullRequests") or {}).get("nodes") or []
    if not place:
        return answer
    if fault == "partial":
        path.append("files")
        place[0]["files"] = None
    else:
        place[0] = None
    whole["errors"] = [{"message": TIMEOUT, "path": path}]
    return json.dumps(whole).encode()


def refused(kind: str, message: str) -> dict[str, object]:
    return {"data": None, "errors": [{"type": kind, "message": message}]}
