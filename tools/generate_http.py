"""Prints docs/reference/http.md from the service's own OpenAPI document."""

from collections.abc import Iterator
from typing import Any

from litestar import Litestar

from pullrisk.options import ServeOptions
from pullrisk.serve import openapi
from pullrisk.serve.routes import routers
from schema_tables import Schema, default_of, paragraphs, rows_with_head, table, text_of, type_of

HEAD = """\
# HTTP API

Every route of `pullrisk serve`, with what it takes and answers. How to run the service:
[serving](../serve.md). A running one has the same at `/docs` and, for programs, at
`/openapi.json` (OpenAPI 3.1).

Generated from that document by `make docs`; a test compares the two.
"""


def main() -> None:
    """Print the page."""
    print(page(), end="")


def page() -> str:
    """The whole page."""
    whole = document()
    return "\n".join([HEAD, *_routes(whole["paths"]), *_shapes(whole["components"]["schemas"])])


def document() -> dict[str, Any]:
    """The document of a service that has every optional route."""
    routes = routers(ServeOptions(), admin=True, app=True)
    return openapi.document(Litestar(routes, openapi_config=openapi.config()))


def _routes(paths: dict[str, dict[str, Any]]) -> Iterator[str]:
    for path, operations in paths.items():
        for method, described in operations.items():
            yield f"## {method.upper()} {path}\n\n{described['summary']}\n"
            yield from _parameters(described.get("parameters", []))
            if body := described.get("requestBody"):
                yield f"Body: {_content(body['content'])}\n"
            yield from _answers(described["responses"])


def _parameters(parameters: list[dict[str, Any]]) -> Iterator[str]:
    rows = [
        (
            f"`{each['name']}`",
            each["in"],
            type_of(each["schema"]),
            "required" if each["required"] else default_of(each["schema"]),
            text_of(each["schema"]),
        )
        for each in parameters
    ]
    if rows:
        yield "\n".join([*rows_with_head(("parameter", "in", "type", "default", ""), rows), ""])


def _answers(responses: dict[str, dict[str, Any]]) -> Iterator[str]:
    own = {status: each for status, each in responses.items() if not _is_problem(each)}
    for status, answer in sorted(own.items()):
        yield f"- **{status}** {answer['description']}: {_content(answer['content'])}"
    problems = [
        f"{status} {answer['description'].lower()}"
        for status, answer in sorted(responses.items())
        if _is_problem(answer)
    ]
    yield f"- otherwise a [Problem](#problem): {', '.join(problems)}\n"


def _is_problem(answer: dict[str, Any]) -> bool:
    return "application/problem+json" in answer.get("content", {})


def _content(content: dict[str, dict[str, Schema]]) -> str:
    ((media, value),) = content.items()
    return f"{type_of(value['schema'])} as `{media}`"


def _shapes(schemas: dict[str, Schema]) -> Iterator[str]:
    yield "## Shapes\n"
    for name, schema in sorted(schemas.items()):
        yield f"### {name}\n\n{paragraphs(schema.get('description', ''))}\n"
        yield "\n".join(table(schema)) + "\n"


if __name__ == "__main__":
    main()
