"""Prints docs/reference/settings.md from the settings' own classes."""

import json
from collections.abc import Iterator
from enum import Enum
from pathlib import PurePath
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from pullrisk.config_files import FREE
from pullrisk.settings import PREFIX, Settings
from schema_tables import rows_with_head, text_of, type_of

HEAD = """\
# Settings

The command line wins over the environment, that over the file, that over the defaults. An unknown
name is an error that says what it may be. `PULLRISK_CONFIG` or `--config` names the file; else
`pullrisk.toml` of the working directory or the home folder is read, and then
`~/.config/pullrisk/pullrisk.toml` or `/etc/pullrisk/pullrisk.toml`.

A variable is `PULLRISK_` and the setting's name in capitals; in a group its name and `__` stand
between. So `PULLRISK_MONITOR__DAYS=30` is `days = 30` below `[monitor]` in the file.

A file that merely lies in a working directory could be a stranger's. It may set only what says
how to judge: {free}.

Values in the environment are JSON where they are lists. A *secret* is masked in every message; with
Vault it comes [from there](../secrets.md).

Generated from the code by `make docs`; a test compares the two.
"""


def main() -> None:
    """Print the page."""
    print(page(), end="")


def page() -> str:
    """The whole page."""
    head = HEAD.format(free=", ".join(f"`{name}`" for name in sorted(FREE)))
    return "\n".join([head, *_sections()])


def _sections() -> Iterator[str]:
    fields = Settings.model_fields
    groups = {name: group for name, field in fields.items() if (group := _group(field))}
    yield _section("General", {n: f for n, f in fields.items() if n not in groups}, Settings)
    for name, group in sorted(groups.items()):
        title = f"`[{name}]`: {fields[name].description}"
        yield _section(title, group.model_fields, group, f"{name.upper()}__")


def _group(field: FieldInfo) -> type[BaseModel] | None:
    """The class of a group of settings; None for a single setting."""
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _section(
    title: str, fields: dict[str, FieldInfo], model: type[BaseModel], prefix: str = ""
) -> str:
    schemas = model.model_json_schema()["properties"]
    rows = [
        (f"`{name}`", _type(schemas[name]), _default(field), _text(schemas[name]))
        for name, field in sorted(fields.items())
    ]
    example = f"`{PREFIX}{prefix}{min(fields).upper()}`"
    return "\n".join(
        [
            f"## {title}\n\nIn the environment: {example} and so on.\n",
            *rows_with_head(("setting", "type", "default", ""), rows),
            "",
        ]
    )


def _type(schema: dict[str, Any]) -> str:
    if "password" in json.dumps(schema):  # pydantic's format of a SecretStr
        return "secret"
    kinds = [each for each in schema.get("anyOf", [schema]) if each.get("type") != "null"]
    words = " or ".join(dict.fromkeys(type_of(each, anchors=False) for each in kinds))
    return words.replace("string path", "path")


def _text(schema: dict[str, Any]) -> str:
    limits = [text_of(each) for each in schema.get("anyOf", [])]
    return "; ".join(text for text in (text_of(schema), *limits) if text)


def _default(field: FieldInfo) -> str:
    value = field.default
    if value is None or value == () or isinstance(value, SecretStr):
        return ""
    if isinstance(value, PurePath):
        return f"`{value}`"
    return f"`{json.dumps(value.value if isinstance(value, Enum) else value)}`"


if __name__ == "__main__":
    main()
