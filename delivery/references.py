"""What a piece of Python refers to: imports, names, and strings that name modules."""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from delivery.errors import InputError

PACKAGE: Final = "pullrisk"
COMMANDS: Final = f"{PACKAGE}.cli.commands"
"""The package with one module per command; its app imports them by name."""
EVERYTHING: Final = "*"
_NAMED: Final = re.compile(rf"{PACKAGE}(?:\.\w+)+")
_DYNAMIC: Final = frozenset({"import_module", "__import__", "run_module"})


@dataclass(frozen=True)
class Ref:
    """A name of a module, the whole module where `name` is None, our own module's where empty."""

    module: str
    name: str | None = None


@dataclass(frozen=True)
class Module:
    """What importing a module does, what each of its functions and classes does, what it names."""

    top: frozenset[Ref]
    definitions: Mapping[str, frozenset[Ref]]
    bindings: Mapping[str, Ref]


@lru_cache(maxsize=4096)
def read(source: bytes, module: str) -> Module:
    """Read a module without running it. Raises InputError where it is no Python."""
    try:
        tree, top = ast.parse(source), list[ast.AST]()
    except (SyntaxError, ValueError) as error:
        raise InputError(f"the module {module} is no Python: {error}") from None
    definitions: dict[str, frozenset[Ref]] = {}
    for node in _visible(tree.body):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            definitions[node.name] = frozenset(_refs(node.body, module))
            top += [*node.decorator_list, *_at_definition(node)]
        else:
            top.append(node)
    imports = [node for node in top if isinstance(node, ast.ImportFrom)]
    bindings = {
        alias.asname or alias.name: Ref(_base(node, module), alias.name)
        for node in imports
        for alias in node.names
        if alias.name != EVERYTHING
    }
    others = [node for node in top if node not in imports]
    ran = {Ref(_base(node, module), "") for node in imports}
    stars = {Ref(_base(n, module)) for n in imports if any(a.name == EVERYTHING for a in n.names)}
    return Module(frozenset({*_refs(others, module), *ran, *stars}), definitions, bindings)


def _visible(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that run; the bodies of `if` and `try` flattened, those for type checkers left."""
    for node in body:
        if isinstance(node, ast.If) and _for_type_checkers(node):
            yield from _visible(node.orelse)
        elif isinstance(node, ast.If | ast.Try):
            yield from _visible([*node.body, *node.orelse])
            for handler in getattr(node, "handlers", []):
                yield from _visible(handler.body)
        else:
            yield node


def _at_definition(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> list[ast.AST]:
    """What runs when the definition is met: bases, defaults, annotations."""
    if isinstance(node, ast.ClassDef):
        return [*node.bases, *(keyword.value for keyword in node.keywords)]
    return [node.args, *([node.returns] if node.returns else [])]


def _refs(nodes: Iterable[ast.AST], module: str) -> Iterator[Ref]:
    for outer in nodes:
        hidden: set[int] = set()
        for node in ast.walk(outer):
            if isinstance(node, ast.If) and _for_type_checkers(node):
                hidden |= {id(inner) for each in node.body for inner in ast.walk(each)}
            if id(node) not in hidden:
                yield from _of(node, module)


def _of(node: ast.AST, module: str) -> Iterator[Ref]:
    if isinstance(node, ast.Name):
        yield Ref(module, node.id)
    elif isinstance(node, ast.Import):
        yield from (Ref(alias.name) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = _base(node, module)
        for alias in node.names:
            yield Ref(base, None if alias.name == EVERYTHING else alias.name)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        if found := _NAMED.match(node.value):
            yield Ref(found[0])
    elif isinstance(node, ast.Call) and _unknown(node) and module != f"{COMMANDS}.app":
        yield Ref(EVERYTHING)


def _unknown(call: ast.Call) -> bool:
    """A dynamic import of one of our modules, or of who knows what."""
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    if name not in _DYNAMIC or not call.args:
        return False
    first = call.args[0]
    if isinstance(first, ast.JoinedStr) and first.values:
        first = first.values[0]
    if not isinstance(first, ast.Constant) or not isinstance(first.value, str):
        return True
    return first is not call.args[0] and first.value.split(".")[0] == PACKAGE


def _base(node: ast.ImportFrom, module: str) -> str:
    if not node.level:
        return node.module or ""
    above = module.split(".")[: -node.level]
    return ".".join([*above, *([node.module] if node.module else [])])


def _for_type_checkers(node: ast.If) -> bool:
    return "TYPE_CHECKING" in {
        getattr(inner, "id", getattr(inner, "attr", "")) for inner in ast.walk(node.test)
    }
