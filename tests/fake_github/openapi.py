"""GitHub's own description of the REST routes that are asked: what it refuses, what it answers.

openapi.json is made by `describe` of the npm package @octokit/openapi (MIT).
"""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from jsonschema import Draft202012Validator

DESCRIPTION = Path(__file__).with_name("openapi.json")


class UndescribedError(Exception):
    """GitHub has no such parameter or value: it would answer 422, or pay no heed."""


class Route(NamedTuple):
    """A route; validators are made once."""

    pattern: re.Pattern[str]
    query: dict[str, tuple[str | None, Draft202012Validator]]
    body: Draft202012Validator | None
    answers: dict[str, Draft202012Validator]


def check_request(method: str, path: str, query: dict[str, str], body: bytes) -> bool:
    """Whether the route is described. Raises UndescribedError for another request to it."""
    route = _route(method, path)
    if route is None:
        return False
    for name, text in query.items():
        if name not in route.query:
            raise UndescribedError(f"no parameter {name}")
        kind, validator = route.query[name]
        _validate(int(text) if kind == "integer" else text, validator)
    if route.body is not None and body:
        _validate(json.loads(body), route.body)
    return True


def check_answer(method: str, path: str, status: int, value: object) -> None:
    """Raise UndescribedError if GitHub would not answer a described route so."""
    route = _route(method, path)
    if route is None or status >= 300 or not route.answers:
        return
    if str(status) not in route.answers:
        raise UndescribedError(f"{method} {path} is not answered by {status}")
    _validate(value, route.answers[str(status)])


def _validate(value: object, validator: Draft202012Validator) -> None:
    for error in validator.iter_errors(value):
        raise UndescribedError(f"{error.json_path}: {error.message}")


def _route(method: str, path: str) -> Route | None:
    asked = f"{method} {path}"
    return next((route for route in _routes() if route.pattern.fullmatch(asked)), None)


@cache
def _routes() -> list[Route]:
    described = json.loads(DESCRIPTION.read_text(encoding="utf-8"))
    shared = described["$defs"]

    def validator(schema: dict[str, Any]) -> Draft202012Validator:
        return Draft202012Validator({**schema, "$defs": shared})

    return [
        Route(
            _pattern(name),
            {key: (each.get("type"), validator(each)) for key, each in route["query"].items()},
            None if route["body"] is None else validator(route["body"]),
            {status: validator(each) for status, each in route["answers"].items()},
        )
        for name, route in described["routes"].items()
    ]


def _pattern(route: str) -> re.Pattern[str]:
    """What matches requests of the route; only the path of a file holds slashes."""
    text = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(route))
    return re.compile(text.replace("/contents/[^/]+", "/contents/.+"))
