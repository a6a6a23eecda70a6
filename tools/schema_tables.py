"""JSON Schemas as Markdown tables, for the reference pages."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

Schema: TypeAlias = Mapping[str, Any]

_LIMITS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} of them",
    "maxItems": "at most {} of them",
}


def table(schema: Schema, *, anchors: bool = True) -> Iterator[str]:
    """One row for each property: name, type, default, description; none without properties."""
    required = set(schema.get("required", ()))
    rows = [
        (
            f"`{name}`",
            type_of(value, anchors=anchors),
            "required" if name in required else default_of(value),
            text_of(value),
        )
        for name, value in schema.get("properties", {}).items()
    ]
    yield from rows_with_head(("field", "type", "default", ""), rows)


def rows_with_head(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The rows of a table below their head, without the columns that are empty in all of them."""
    kept = [place for place in range(len(head)) if any(cells[place] for cells in rows)]
    if rows:
        yield row(*(head[place] for place in kept))
        yield f"|{'---|' * len(kept)}"
        yield from (row(*(cells[place] for place in kept)) for cells in rows)


def row(*cells: str) -> str:
    """A row of a table; bars in the cells are escaped."""
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def type_of(schema: Schema, *, anchors: bool = True) -> str:
    """The type in words; a reference becomes a link to the section of that name."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{name.lower()})" if anchors else name
    if "anyOf" in schema:
        return " or ".join(type_of(each, anchors=anchors) for each in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("type") == "array":
        items = schema.get("items")
        return f"list of {type_of(items, anchors=anchors)}" if items else "list"
    kind = schema.get("type", "anything")
    words = " or ".join(kind) if isinstance(kind, list) else str(kind)
    return " ".join([words, *([schema["format"]] if "format" in schema else [])])


def text_of(schema: Schema) -> str:
    """The description and the limits, as one sentence."""
    limits = [text.format(_number(schema[key])) for key, text in _LIMITS.items() if key in schema]
    return "; ".join([*([_one_line(schema["description"])] if "description" in schema else []),
                      *limits])  # fmt: skip


def default_of(schema: Schema) -> str:
    """The default as JSON; nothing where it is a whole object, which has a section of its own."""
    default = schema.get("default")
    if isinstance(default, dict) or "default" not in schema:
        return ""
    return f"`{json.dumps(default, ensure_ascii=False)}`"


def paragraphs(text: str) -> str:
    """A docstring without its indentation, its paragraphs on a line each."""
    return "\n\n".join(_one_line(part) for part in text.split("\n\n"))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else str(value)
