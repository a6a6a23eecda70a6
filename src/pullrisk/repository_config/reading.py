"""Reads `.github/pullrisk.yml`: strictly, with the key and the line in every error."""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from difflib import get_close_matches
from typing import Any, Final, TypeAlias

import msgspec

from pullrisk.errors import InputError
from pullrisk.repository_config.options import DEFAULTS, PATH, RepositoryConfig

MOST_BYTES: Final = 65_536
MOST_VALUES: Final = 10_000
_Place: TypeAlias = tuple[str | int, ...]
_STEP: Final = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_WHERE: Final = re.compile(r"(?P<what>.*?)(?: - at `\$(?P<where>[^`]*)`)?", re.DOTALL)
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(?P<key>.*)`", re.DOTALL)
_BOOL: Final = re.compile(r"true|false|True|False|TRUE|FALSE")


class ConfigError(InputError):
    """The file cannot be used; `line` is where, from 1, if it is one line's fault."""

    def __init__(self, message: str, *, line: int | None = None) -> None:
        where = PATH if line is None else f"{PATH}, line {line}"
        super().__init__(f"{where}: {message}")
        self.line = line

    @property
    def notice(self) -> str:
        """What people read where the file is passed over."""
        return f"{self} - so the defaults are used"


def parse(data: bytes) -> RepositoryConfig:
    """The configuration in the file's bytes; of an empty file the defaults.

    Raises ConfigError.
    """
    if len(data) > MOST_BYTES:
        raise ConfigError(f"it is larger than {MOST_BYTES // 1024} KiB")
    value, lines = _load(data)
    if value is None:
        return DEFAULTS
    try:
        return msgspec.convert(value, RepositoryConfig)
    except msgspec.ValidationError as error:
        raise _explain(str(error), lines) from None


def _load(data: bytes) -> tuple[Any, dict[_Place, int]]:
    """The document as Python values, and the line of each place in it."""
    import yaml

    lines: dict[_Place, int] = {}
    try:
        node = yaml.compose(data.decode("utf-8"), Loader=yaml.SafeLoader)
        return (None if node is None else _value(node, (), lines)), lines
    except UnicodeDecodeError:
        raise ConfigError("it is not UTF-8 text") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = None if mark is None else mark.line + 1
        raise ConfigError(f"it is not YAML: {error.problem}", line=line) from None
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"it is not YAML: {error}") from None
    except RecursionError:
        raise ConfigError("it is nested too deeply") from None


def _value(node: Any, place: _Place, lines: dict[_Place, int]) -> Any:  # noqa: ANN401  (any YAML)
    """The node as YAML 1.2 reads it, where `off` and `2026-01-01` are text."""
    lines[place] = node.start_mark.line + 1
    if len(lines) > MOST_VALUES:  # aliases of aliases grow without bound
        raise ConfigError("it holds too many values", line=lines[place])
    if node.id == "scalar":
        return _scalar(node)
    if node.id == "sequence":
        return [_value(each, (*place, count), lines) for count, each in enumerate(node.value)]
    return dict(_items(node, place, lines))


def _items(node: Any, place: _Place, lines: dict[_Place, int]) -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    for key, value in node.value:
        line = key.start_mark.line + 1
        if key.id != "scalar":
            raise ConfigError("a key has to be one word", line=line)
        if (*place, key.value) in lines:
            raise ConfigError(f"the key {key.value!r:.60} is there twice", line=line)
        read = _value(value, (*place, key.value), lines)
        lines[(*place, key.value)] = line
        yield key.value, read


def _scalar(node: Any) -> object:  # noqa: ANN401
    tag = node.tag.rpartition(":")[2]
    if tag == "null":
        return None
    if tag == "bool" and _BOOL.fullmatch(node.value):
        return str(node.value).lower() == "true"
    if tag in ("int", "float"):
        try:
            return float(node.value) if tag == "float" else int(node.value)
        except ValueError:  # 0x1f, 12:30, 1_000: no number that the file asks for
            return str(node.value)
    if node.tag.startswith("tag:yaml.org,2002:"):
        return str(node.value)
    raise ConfigError(f"the tag {node.tag!r:.60} is unknown", line=node.start_mark.line + 1)


def _explain(message: str, lines: Mapping[_Place, int]) -> ConfigError:
    parts = _WHERE.fullmatch(message)
    what, where = (parts["what"], parts["where"] or "") if parts else (message, "")
    place: _Place = tuple(int(index) if index else key for key, index in _STEP.findall(where))
    unknown = _UNKNOWN.fullmatch(what)
    if unknown is None:
        return ConfigError(f"{_name(place)}: {what}{_choice(place)}", line=_line(place, lines))
    place = (*place, unknown["key"])
    return ConfigError(f"unknown key {_name(place)}{_hint(place)}", line=_line(place, lines))


def _line(place: _Place, lines: Mapping[_Place, int]) -> int | None:
    """The line of a place, or of the nearest one around it."""
    around = (place[:end] for end in range(len(place), -1, -1))
    return next((lines[each] for each in around if each in lines), None)


def _name(place: _Place) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step:.60}" for step in place)
    return "".join(steps).removeprefix(".") or "the file"


def _hint(place: _Place) -> str:
    """Which key was meant, or which ones there are."""
    known = _keys(place[:-1])
    close = get_close_matches(str(place[-1]), known, n=1)
    return f": did you mean {close[0]}?" if close else f" (known are {', '.join(known)})"


def _choice(place: _Place) -> str:
    """The values that may stand at a place, if there are only some."""
    with suppress(AttributeError, StopIteration):  # a wrong type around it
        node = _type_at(place)
        if isinstance(node, msgspec.inspect.LiteralType):
            return f" (it may be {', '.join(map(str, node.values))})"
    return ""


def _keys(place: _Place) -> list[str]:
    """The keys of the mapping at a place of the file."""
    return [field.encode_name for field in _type_at(place).fields]


def _type_at(place: _Place) -> Any:  # noqa: ANN401  (any of msgspec's types)
    """What is read at a place of the file."""
    node: Any = msgspec.inspect.type_info(RepositoryConfig)
    for step in place:
        if isinstance(step, int):
            node = node.item_type
        else:
            node = next(field.type for field in node.fields if field.encode_name == step)
        while isinstance(node, msgspec.inspect.Metadata | msgspec.inspect.UnionType):
            node = node.type if isinstance(node, msgspec.inspect.Metadata) else node.types[0]
    return node
