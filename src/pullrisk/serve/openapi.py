"""The OpenAPI 3.1 document: the framework's paths, with msgspec's schemas of the same Structs.

Litestar reads a Struct's fields without their limits where a type is a union, and leaves out that
no other field may come; msgspec describes what it accepts.
"""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, replace
from functools import cache
from html import escape
from importlib.metadata import version
from typing import Any, Final, TypeAlias, cast

import msgspec
from litestar import Litestar, Request, Router
from litestar.datastructures import ResponseHeader
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, OpenAPIRenderPlugin
from litestar.openapi.spec import Components, OpenAPIResponse, RequestBody, SecurityScheme
from litestar.openapi.spec import Operation as OpenAPIOperation
from litestar.openapi.spec import Parameter as OpenAPIParameter

from pullrisk.features import NAMES
from pullrisk.pulls.rest_shapes import RestPull
from pullrisk.serve import shapes
from pullrisk.serve.problems import PROBLEM, TITLES, Problem
from pullrisk.serve.request_body import LARGEST_NUMBER
from pullrisk.serve.webhooks import Received

Schema: TypeAlias = dict[str, Any]

_REF: Final = "#/components/schemas/{name}"
_SHAPES: Final = (
    Problem, RestPull, shapes.Reference, shapes.Scores, shapes.RawScores, shapes.PullPage,
    shapes.Repositories, shapes.Model, shapes.Reloaded, shapes.Health, shapes.Alive,
    Received,
)  # fmt: skip
_POLICY: Final = ResponseHeader(
    name="content-security-policy", value="default-src 'none'; style-src 'unsafe-inline'"
)
_STYLE: Final = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
code,pre{font:14px/1.4 ui-monospace,monospace;background:#8882;border-radius:4px;padding:.1em .3em}
pre{padding:1em;overflow:auto}h2{border-top:1px solid #8884;padding-top:1rem}
:root{color-scheme:light dark}
"""
_NUMBER: Final = {
    "type": ["number", "null"], "minimum": -LARGEST_NUMBER, "maximum": LARGEST_NUMBER,
}  # fmt: skip
PULL: Final[Schema] = {
    "anyOf": [{"$ref": _REF.format(name=name)} for name in ("RestPull", "Reference")]
}
"""A pull request in a body."""
ROW: Final[Schema] = {
    "type": "array", "items": _NUMBER, "minItems": len(NAMES), "maxItems": len(NAMES),
}  # fmt: skip
"""A row of features in a body; null where one is unknown."""


def one_or_many(item: Schema, *, most: int) -> Schema:
    """An item, or a list of up to `most`."""
    many = {"type": "array", "items": item, "minItems": 1, "maxItems": most}
    return {"anyOf": [*item.get("anyOf", [item]), many]}


def operation(
    *,
    query: type[msgspec.Struct],
    body: Schema | None,
    problems: Set[int],
    answers: Mapping[int, str],
) -> type[OpenAPIOperation]:
    """How an operation describes itself: what the framework knows, and what our handlers read.

    `answers` are the statuses that have the handler's own answer, each with a sentence.
    """

    @dataclass
    class Operation(OpenAPIOperation):
        def __post_init__(self) -> None:
            described = [*parameters(query)]
            self.parameters = [*(self.parameters or []), *described] or None
            if body is not None:
                self.request_body = RequestBody(
                    content=_content("application/json", body), required=True
                )
            usual = (self.responses or {})["200"]
            self.responses = {str(status): _problem(status) for status in sorted(problems)}
            for status, text in answers.items():
                self.responses[str(status)] = replace(usual, description=text)

    return Operation


def parameters(query: type[msgspec.Struct]) -> Iterator[OpenAPIParameter]:
    """The parameters that a query's Struct has; one that is absent is not null."""
    _, components = msgspec.json.schema_components([query], ref_template=_REF)
    for name, schema in components[query.__name__]["properties"].items():
        plain = {key: value for key, value in schema.items() if key != "anyOf"}
        for option in schema.get("anyOf", []):
            if option.get("type") != "null":
                plain |= option
        yield OpenAPIParameter(name=name, param_in="query", schema=cast(Any, plain), required=False)


def config() -> OpenAPIConfig:
    """Who describes itself, and the pages below /docs."""
    return OpenAPIConfig(
        title="pullrisk",
        version=version("pullrisk"),
        description="Which pull requests deserve a second look before they merge.",
        components=Components(
            security_schemes={
                "bearer": SecurityScheme(type="http", scheme="bearer"),
                "key": SecurityScheme(type="apiKey", name="X-API-Key", security_scheme_in="header"),
            }
        ),
        render_plugins=[DocsPage(path="/"), Document()],
        openapi_router=Router(
            "/docs", route_handlers=[], include_in_schema=False, response_headers=[_POLICY]
        ),
    )


@cache
def document(app: Litestar) -> dict[str, Any]:
    """The whole document of an application."""
    described = app.openapi_schema.to_schema()
    _, schemas = msgspec.json.schema_components(_SHAPES, ref_template=_REF)
    _require_repository(schemas)
    described["components"]["schemas"] = schemas
    return described


class Document(JsonRenderPlugin):
    """The document as JSON."""

    def render(self, request: "Request[Any, Any, Any]", openapi_schema: dict[str, Any]) -> bytes:
        """Encode it."""
        return msgspec.json.encode(document(request.app))


class DocsPage(OpenAPIRenderPlugin):
    """The document as one HTML page that loads nothing from elsewhere."""

    def render(self, request: "Request[Any, Any, Any]", openapi_schema: dict[str, Any]) -> bytes:
        """Write the page."""
        return page(document(request.app))


def page(openapi_document: dict[str, Any]) -> bytes:
    """The document for people."""
    info = openapi_document["info"]
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(info['title'])}</title>"
        f"<style>{_STYLE}</style><h1>pullrisk {escape(info['version'])}</h1>"
        f"<p>{escape(info['description'])} "
        "The same for programs: <a href=/openapi.json>openapi.json</a>."
    ]
    for path, operations in openapi_document["paths"].items():
        for method, spec in operations.items():
            parts.append(_section(path, method, spec))
    parts.append("<h2>Shapes</h2>")
    for name, schema in sorted(openapi_document["components"]["schemas"].items()):
        text = escape(msgspec.json.format(msgspec.json.encode(schema), indent=2).decode())
        parts.append(f"<details id={name}><summary>{name}</summary><pre>{text}</pre></details>")
    return "".join(parts).encode()


def _section(path: str, method: str, spec: dict[str, Any]) -> str:
    rows = "".join(
        f"<li><code>{escape(each['name'])}</code> in {each['in']}: "
        f"<code>{escape(msgspec.json.encode(each['schema']).decode())}</code>"
        for each in spec.get("parameters", [])
    )
    answers = "".join(
        f"<li>{status}: {escape(answer['description'])}"
        for status, answer in spec["responses"].items()
    )
    return (
        f"<h2>{method.upper()} <code>{escape(path)}</code></h2><p>{escape(spec['summary'])}"
        f"<ul>{rows}</ul><p>Answers<ul>{answers}</ul>"
    )


def _require_repository(schemas: dict[str, Any]) -> None:
    """Say of RestPull what its parser needs beyond its Struct: the name of the repository."""
    pull, branch, repository = (
        schemas[name] for name in ("RestPull", "RestBranch", "RestRepository")
    )
    full_name = schemas["Reference"]["properties"]["repository"]
    named = {
        "type": "object",
        "required": ["full_name"],
        "properties": {**repository["properties"], "full_name": full_name},
    }
    base = {
        "type": "object",
        "required": ["repo"],
        "properties": {**branch["properties"], "repo": named},
    }
    pull["required"] = [*pull["required"], "base"]
    pull["properties"]["base"] = base


def _content(media: str, schema: Schema) -> Any:  # noqa: ANN401  (the framework takes dictionaries)
    return {media: {"schema": schema}}


def _problem(status: int) -> OpenAPIResponse:
    schema = {"$ref": _REF.format(name="Problem")}
    return OpenAPIResponse(description=TITLES[status], content=_content(PROBLEM, schema))
