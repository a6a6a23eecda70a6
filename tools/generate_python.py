"""Prints docs/reference/python.md from the docstrings of what `pullrisk` exports."""

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import pullrisk

HEAD = """\
# Python API

What `import pullrisk` offers, by its docstrings; examples are in [From Python](../python.md).
Nothing is imported until a name is used. Errors are the classes of
[errors.py](../../src/pullrisk/errors.py).

Generated from the code by `make docs`; a test compares the two.
"""


def main() -> None:
    """Print the page."""
    print(page(), end="")


def page() -> str:
    """The whole page: functions first, then classes."""
    names = [name for name in pullrisk.__all__ if name != "__version__"]
    exported = [getattr(pullrisk, name) for name in names]
    functions = [each for each in exported if not inspect.isclass(each)]
    classes = [each for each in exported if inspect.isclass(each)]
    parts = [
        *(_described(each, f"## {each.__name__}") for each in functions),
        *(text for each in classes for text in _class(each)),
    ]
    return "\n".join([HEAD, *parts])


def _class(kind: type[Any]) -> Iterator[str]:
    yield f"## {kind.__name__}\n\n{inspect.getdoc(kind)}\n"
    if fields := getattr(kind, "__struct_fields__", ()):
        yield "\n".join(_fields(kind, fields)) + "\n"
    for name, member in _members(kind):
        if inspect.isfunction(member):
            yield _described(member, f"### {kind.__name__}.{name}")
        elif isinstance(member, property):
            yield f"### {kind.__name__}.{name}\n\n{inspect.getdoc(member)}\n"


def _members(kind: type[Any]) -> Iterator[tuple[str, object]]:
    """What the class and its own bases define for others, in that order."""
    for each in kind.__mro__:
        if each.__module__.startswith("pullrisk"):
            yield from ((name, value) for name, value in vars(each).items() if name[0] != "_")


def _fields(kind: type[Any], fields: tuple[str, ...]) -> Iterator[str]:
    hints = {name: hint for each in reversed(kind.__mro__)
             for name, hint in inspect.get_annotations(each).items()}  # fmt: skip
    yield "| field | type |"
    yield "|---|---|"
    for name in fields:
        yield f"| `{name}` | `{_hint(hints[name])}` |".replace(" | None", r" \| None")


def _described(function: Callable[..., Any], heading: str) -> str:
    signature = inspect.signature(function)
    shown = signature.replace(parameters=[each.replace(annotation=_Hint(each.annotation))
                              if each.annotation is not inspect.Parameter.empty else each
                              for each in signature.parameters.values()],
                              return_annotation=_Hint(signature.return_annotation))  # fmt: skip
    code = f"{function.__name__}{shown}"
    return f"{heading}\n\n```python\n{code}\n```\n\n{inspect.getdoc(function)}\n"


class _Hint:
    """An annotation that `inspect` prints without the names of modules."""

    def __init__(self, hint: object) -> None:
        self._text = _hint(hint)

    def __repr__(self) -> str:
        return self._text


def _hint(hint: object) -> str:
    text = hint if isinstance(hint, str) else inspect.formatannotation(hint)
    text = re.sub(r"\b[a-z_]+\.(?:[a-z_]+\.)*(?=[A-Z]|datetime)", "", text)
    text = re.sub(r"Annotated\[([^,\]]+), [^\]]*\]", r"\1", text)
    return re.sub(r"^Optional\[(.*)\]$", r"\1 | None", text)


if __name__ == "__main__":
    main()
