"""Which files of the package a command can reach: followed from function to function, not run.

A function's own imports count where the function is reached; a module that is used by attribute,
named in a string or imported by a computed name counts with all that it has.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final

from delivery.references import COMMANDS, EVERYTHING, PACKAGE, Module, Ref, read

SOURCES: Final = "src/"
ENTRIES: Final = (f"{PACKAGE}.__main__", f"{PACKAGE}.cli")
"""What runs whatever the command."""


@dataclass(frozen=True)
class Graph:
    """The package's modules at one commit."""

    paths: Mapping[str, str]
    """Module → path."""
    modules: Mapping[str, Module]
    others: tuple[str, ...] = field(default=())
    """Paths of data files that lie beside the modules."""

    @classmethod
    def of(cls, sources: Mapping[str, bytes], others: Iterable[str] = ()) -> "Graph":
        """From path → source text of every module below `src/`."""
        paths = {module_name(path): path for path in sources}
        modules = {name: read(sources[path], name) for name, path in paths.items()}
        return cls(paths, modules, tuple(others))

    def reached(self, commands: Iterable[str]) -> set[str]:
        """Paths of all that the commands can import, and the data files of those packages."""
        entries = [*ENTRIES, *(f"{COMMANDS}.{name}" for name in commands)]
        found = {self.paths[name] for name in self._followed(map(Ref, entries))}
        folders = {str(PurePosixPath(path).parent) for path in found}
        return found | {path for path in self.others if self._home(path) in folders}

    def everything(self) -> set[str]:
        """Paths of all modules and data files."""
        return {*self.paths.values(), *self.others}

    def _followed(self, entries: Iterable[Ref]) -> set[str]:
        """Modules that are imported when the entries are used."""
        seen: set[Ref] = set()
        waiting = list(entries)
        while waiting:
            ref = waiting.pop()
            if ref not in seen:
                seen.add(ref)
                waiting += self._next(ref)
        return {ref.module for ref in seen if ref.module in self.modules}

    def _next(self, ref: Ref) -> Iterator[Ref]:
        """What using the name makes use of."""
        if ref.module == EVERYTHING:
            yield from map(Ref, self.modules)
        for name in _with_parents(ref.module):
            if name in self.modules:
                yield Ref(name, "")
        module = self.modules.get(ref.module)
        if module is None:
            return
        if ref.name is None:
            yield from (Ref(ref.module, name) for name in (*module.definitions, *module.bindings))
        elif not ref.name:
            yield from module.top
        elif f"{ref.module}.{ref.name}" in self.modules:
            yield Ref(f"{ref.module}.{ref.name}")
        elif ref.name in module.definitions:
            yield from module.definitions[ref.name]
        elif ref.name in module.bindings:
            yield module.bindings[ref.name]

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


def _with_parents(name: str) -> Iterator[str]:
    parts = name.split(".")
    return (".".join(parts[:end]) for end in range(1, len(parts) + 1))
