"""The OpenAPI 3.1 document, made from the table of routes and the Structs it names."""

import re
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any, Final

import msgspec

from pullrisk.features import NAMES
from pullrisk.serve.http import TITLES, Problem
from pullrisk.serve.routes import REPOSITORY_PART, Route

_REF: Final = "#/components/schemas/{name}"
_PARAMETER: Final = re.compile(r"\{(\w+)\}")
_ANY_TIME: Final = (405, 500, 504)
_STYLE: Final = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
code,pre{font:14px/1.4 ui-monospace,monospace;background:#8882;border-radius:4px;padding:.1em .3em}
pre{padding:1em;overflow:auto}h2{border-top:1px solid #8884;padding-top:1rem}
:root{color-scheme:light dark}
"""


def document(version: str, routes: Sequence[Route], *, batch: int) -> dict[str, Any]:
    """The whole document. `version` is the package's, `batch` the most pulls in one request."""
    types: list[Any] = [Problem, *(route.answer for route in routes)]
    types += (kind for route in routes for kind in (*route.body, route.query))
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    known = dict(zip(map(_key, types), schemas, strict=True))
    _say_what_a_pull_needs(components)
    paths: dict[str, Any] = {}
    for route in routes:
        operation = _operation(route, known, components, batch=batch)
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "pullrisk",
            "version": version,
            "description": "Which pull requests deserve a second look before they merge.",
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


def page(found: dict[str, Any]) -> bytes:
    """The document as one HTML page that loads nothing from elsewhere."""
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{found['info']['title']}</title>"
        f"<style>{_STYLE}</style><h1>pullrisk {escape(found['info']['version'])}</h1>"
        f"<p>{escape(found['info']['description'])} "
        "The same for programs: <a href=openapi.json>openapi.json</a>."
    ]
    for path, operations in found["paths"].items():
        for method, operation in operations.items():
            parts.append(_section(path, method, operation))
    parts.append("<h2>Shapes</h2>")
    for name, schema in sorted(found["components"]["schemas"].items()):
        text = escape(msgspec.json.format(msgspec.json.encode(schema), indent=2).decode())
        parts.append(f"<details id={name}><summary>{name}</summary><pre>{text}</pre></details>")
    return "".join(parts).encode()


def _section(path: str, method: str, operation: dict[str, Any]) -> str:
    rows = "".join(
        f"<li><code>{escape(one['name'])}</code> in {one['in']}: "
        f"<code>{escape(msgspec.json.encode(one['schema']).decode())}</code>"
        for one in operation.get("parameters", [])
    )
    answers = "".join(
        f"<li>{status}: {escape(answer['description'])}"
        for status, answer in operation["responses"].items()
    )
    return (
        f"<h2>{method.upper()} <code>{escape(path)}</code></h2><p>{escape(operation['summary'])}"
        f"<ul>{rows}</ul><p>Answers<ul>{answers}</ul>"
    )


def _key(kind: Any) -> str:  # noqa: ANN401  (any type at all)
    return str(kind)


def _operation(
    route: Route, known: dict[str, Any], components: dict[str, Any], *, batch: int
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.handler,
        "summary": route.summary,
        "responses": _responses(route, known),
    }
    parameters = [*_path_parameters(route), *_query_parameters(route, known, components)]
    if parameters:
        operation["parameters"] = parameters
    if route.body:
        operation["requestBody"] = {
            "required": True,
            "content": _content(_body(route, known, batch)),
        }
    keys: list[dict[str, list[str]]] = [{"bearer": []}, {"key": []}]
    operation["security"] = [] if route.open else keys if route.admin else [{}, *keys]
    return operation


def _body(route: Route, known: dict[str, Any], batch: int) -> dict[str, Any]:
    if route.handler == "raw":
        number = {"type": "number", "minimum": -3.4e38, "maximum": 3.4e38}
        row = {"type": "array", "items": number, "minItems": len(NAMES), "maxItems": len(NAMES)}
        return {"anyOf": [row, {"type": "array", "items": row, "minItems": 1, "maxItems": batch}]}
    one = {"anyOf": [known[_key(kind)] for kind in route.body]}
    return {
        "anyOf": [*one["anyOf"], {"type": "array", "items": one, "minItems": 1, "maxItems": batch}]
    }


def _responses(route: Route, known: dict[str, Any]) -> dict[str, Any]:
    answer = {"description": "The answer", "content": _content(known[_key(route.answer)], route)}
    found: dict[str, Any] = {"200": answer}
    if route.handler == "ready":
        found["503"] = {**answer, "description": "Not ready"}
    secured = () if route.open else (401, 429)
    for status in sorted({*route.problems, *secured, *_ANY_TIME}):
        found[str(status)] = {
            "description": TITLES[status],
            "content": {"application/problem+json": {"schema": known[_key(Problem)]}},
        }
    return found


def _content(schema: dict[str, Any], route: Route | None = None) -> dict[str, Any]:
    return {(route.media if route else "application/json"): {"schema": schema}}


def _path_parameters(route: Route) -> Iterator[dict[str, Any]]:
    for name in _PARAMETER.findall(route.path):
        schema: dict[str, Any] = {"type": "string", "pattern": REPOSITORY_PART}
        if name == "number":
            schema = {"type": "integer", "minimum": 1, "exclusiveMaximum": 2**53}
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _query_parameters(
    route: Route, known: dict[str, Any], components: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    shape = components.pop(route.query.__name__, None) or _inline(route)
    for name, schema in shape["properties"].items():
        plain = {key: value for key, value in schema.items() if key != "anyOf"}
        for option in schema.get("anyOf", []):
            if option.get("type") != "null":
                plain |= option  # a parameter that is absent, not null
        if plain.get("default", 0) is None:
            del plain["default"]
        yield {"name": name, "in": "query", "required": False, "schema": plain}


def _inline(route: Route) -> dict[str, Any]:
    _, components = msgspec.json.schema_components([route.query], ref_template=_REF)
    found: dict[str, Any] = components[route.query.__name__]
    return found


def _say_what_a_pull_needs(components: dict[str, Any]) -> None:
    """The parser tolerates much, but it needs to know the repository."""
    components["RestPull"]["required"] = [*components["RestPull"]["required"], "base"]
    components["RestPull"]["properties"]["base"] = {
        "type": "object",
        "required": ["repo"],
        "properties": {
            **components["RestBranch"]["properties"],
            "repo": {
                "type": "object",
                "required": ["full_name"],
                "properties": {
                    **components["RestRepository"]["properties"],
                    "full_name": components["Reference"]["properties"]["repository"],
                },
            },
        },
    }
