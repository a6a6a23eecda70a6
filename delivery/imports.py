"""Which modules of the package a command can reach, read from the code without running it."""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Final

PACKAGE: Final = "pullrisk"
SOURCES: Final = "src/"
COMMANDS: Final = f"{PACKAGE}.cli"
"""The package with one module per command; only those that an image runs are followed."""
ENTRIES: Final = (f"{PACKAGE}.__main__", COMMANDS)
_NAMED: Final = re.compile(rf"{PACKAGE}(?:\.\w+)+")
"""A string that names one of our modules counts as an import of it."""


@dataclass(frozen=True)
class Graph:
    """Modules, and what each imports, late imports included, those for type checkers not."""

    paths: Mapping[str, str]
    """Module → path."""
    edges: Mapping[str, frozenset[str]]
    others: tuple[str, ...] = field(default=())
    """Paths of data files that lie beside the modules."""

    @classmethod
    def of(cls, sources: Mapping[str, bytes], others: Iterable[str] = ()) -> "Graph":
        """From path → source text of every module below `src/`."""
        paths = {module_name(path): path for path in sources}
        edges = {
            name: frozenset(_known(imported(sources[path], name), paths))
            for name, path in paths.items()
        }
        return cls(paths, edges, tuple(others))

    def reached(self, commands: Iterable[str]) -> set[str]:
        """Paths of all that the commands can import, and the data files of those packages."""
        modules = self._modules([*ENTRIES, *(f"{COMMANDS}.{name}" for name in commands)])
        found = {self.paths[name] for name in modules}
        folders = {str(PurePosixPath(path).parent) for path in found}
        return found | {path for path in self.others if self._home(path) in folders}

    def everything(self) -> set[str]:
        """Paths of all modules and data files."""
        return {*self.paths.values(), *self.others}

    def _modules(self, entries: Iterable[str]) -> set[str]:
        found: set[str] = set()
        waiting = [name for entry in entries for name in _with_parents(entry)]
        while waiting:
            name = waiting.pop()
            if name not in found and name in self.paths:
                found.add(name)
                waiting += self.edges[name]
        return found

    def _home(self, path: str) -> str:
        """The nearest folder above a data file that holds modules."""
        with_modules = {str(PurePosixPath(each).parent) for each in self.paths.values()}
        for folder in map(str, PurePosixPath(path).parents):
            if folder in with_modules:
                return folder
        return ""


def module_name(path: str) -> str:
    """`src/a/b.py` → `a.b`, `src/a/__init__.py` → `a`."""
    parts = path.removeprefix(SOURCES).removesuffix(".py").split("/")
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@lru_cache(maxsize=4096)
def imported(source: bytes, name: str) -> frozenset[str]:
    """Names that the module may import: modules, and attributes that may be modules."""
    tree = ast.parse(source)
    hidden = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and _for_type_checkers(node)
        for statement in node.body
        for inner in ast.walk(statement)
    }
    return frozenset(
        each for node in ast.walk(tree) if id(node) not in hidden for each in _names(node, name)
    )


def _names(node: ast.AST, module: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = _base(node, module)
        yield base
        yield from (f"{base}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        if found := _NAMED.match(node.value):
            yield found[0]
    elif isinstance(node, ast.Call) and _unknown(node) and module != f"{COMMANDS}.app":
        yield "*"


def _unknown(call: ast.Call) -> bool:
    """A dynamic import whose module's first word is not written down, or is ours."""
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    if name not in {"import_module", "__import__", "run_module"} or not call.args:
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


def _known(names: Iterable[str], paths: Mapping[str, str]) -> Iterator[str]:
    for name in names:
        if name == "*":
            yield from paths
        yield from (each for each in _with_parents(name) if each in paths)


def _with_parents(name: str) -> Iterator[str]:
    parts = name.split(".")
    return (".".join(parts[:end]) for end in range(1, len(parts) + 1))
