"""What a stage's image is made from at a commit: the paths that inputs.toml declares for it."""

import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any, Final

from delivery.errors import InputError
from delivery.git import Repository

TABLE: Final = "delivery/inputs.toml"
PACKAGE: Final = "src/pullrisk"
PROJECT: Final = "pyproject.toml"
_EVERY: Final = "every-stage"
_KEYS: Final = frozenset({"files", "package", "tests"})
_EXTRA: Final = re.compile(r"^pullrisk\[([\w, -]+)\]")


@dataclass(frozen=True)
class Declared:
    """One stage's paths, with those of every stage."""

    stage: str
    files: tuple[str, ...]
    package: tuple[str, ...]
    """Modules and folders below src/pullrisk, without .py."""
    more_tests: tuple[str, ...]

    @classmethod
    def parse(cls, text: str, stage: str) -> "Declared":
        """Read the table. Raises InputError if it is malformed or lacks the stage."""
        table = _toml(text, TABLE)
        sections = [table.get(name) for name in (_EVERY, stage)]
        if not all(_is_section(section) for section in sections):
            raise InputError(f"{TABLE}: [{_EVERY}] or [{stage}] is missing or has unknown keys")
        files, package, tests = (
            tuple(path for section in sections if section for path in section.get(key, ()))
            for key in ("files", "package", "tests")
        )
        return cls(stage, files, package, tests)

    def covers(self, path: str) -> bool:
        """Whether a change of this path changes the image."""
        own = [self.dockerfile, PROJECT, *self.files]
        own += [f"{PACKAGE}/{name}{end}" for name in self.package for end in ("", ".py")]
        return any(_matches(pattern, path) for pattern in own)

    @property
    def dockerfile(self) -> str:
        """Path of the stage's Dockerfile."""
        return f"images/{self.stage}.Dockerfile"

    def tests(self) -> set[str]:
        """Folders and files of tests/ that belong to the stage, whether or not they exist."""
        whole = [name for name in self.package if "/" not in name]
        mirrored = {f"tests/{name}" for name in whole} | {f"tests/test_{name}.py" for name in whole}
        return mirrored | set(self.more_tests)


@dataclass(frozen=True)
class Inputs:
    """Name of each part, a path or an excerpt of a file, to an id of its content."""

    stage: str
    parts: Mapping[str, str]

    @property
    def fingerprint(self) -> str:
        """One sha256 over all of them."""
        text = json.dumps([self.stage, sorted(self.parts.items())])
        return hashlib.sha256(text.encode()).hexdigest()

    def differences(self, old: "Inputs") -> list[str]:
        """Names of the parts that were added, removed or changed since `old`."""
        names = {*self.parts, *old.parts}
        return sorted(name for name in names if self.parts.get(name) != old.parts.get(name))


@lru_cache(maxsize=64)
def declared(repository: Repository, commit: str, stage: str) -> Declared:
    """What the commit declares. Raises InputError if it has no table."""
    text = repository.show(commit, TABLE)
    if text is None:
        raise InputError(f"{TABLE} is not in {commit[:12]}")
    return Declared.parse(text, stage)


@lru_cache(maxsize=64)
def stage_inputs(repository: Repository, commit: str, stage: str) -> Inputs:
    """The inputs of the stage at the commit. Raises InputError if it has no table or Dockerfile.

    The declaration is an input itself, so that an image is never judged by a narrower one than
    that with which it was built.
    """
    own, tree = declared(repository, commit, stage), repository.tree(commit)
    if own.dockerfile not in tree:
        raise InputError(f"{own.dockerfile} is not in {commit[:12]}")
    parts = {path: tree[path] for path in tree if own.covers(path)}
    parts[TABLE] = _id([own.files, own.package])
    if PROJECT in parts:
        parts[PROJECT] = _project(_toml(repository.show(commit, PROJECT) or "", PROJECT), stage)
    return Inputs(stage, parts)


def stage_tests(repository: Repository, commit: str, stage: str) -> list[str]:
    """Folders and files of tests/ that belong to the stage and exist at the commit."""
    tree = repository.tree(commit, "tests")
    existing = {*tree, *(str(parent) for path in tree for parent in PurePosixPath(path).parents)}
    return sorted(declared(repository, commit, stage).tests() & existing)


def _matches(pattern: str, path: str) -> bool:
    """Whether the pattern names the path or a folder above it; * stops at a slash."""
    parts, wanted = path.split("/"), pattern.split("/")
    return len(parts) >= len(wanted) and all(map(fnmatchcase, parts, wanted))


def _is_section(section: object) -> bool:
    return isinstance(section, dict) and set(section) <= _KEYS


def _project(project: Mapping[str, Any], extra: str) -> str:
    """An id of what pip reads: the tools' settings and other stages' extras are left out."""
    own = dict(project.get("project", {}))
    optional = own.pop("optional-dependencies", {})
    build = project.get("tool", {}).get("hatch", {})
    return _id([own, _closure(optional, [extra]), project.get("build-system", {}), build])


def _closure(optional: Mapping[str, list[str]], extras: Iterable[str]) -> dict[str, list[str]]:
    """The extras, and those of the package that they name."""
    closure: dict[str, list[str]] = {}
    waiting = list(extras)
    while waiting:
        name = waiting.pop()
        if name in closure:
            continue
        closure[name] = optional.get(name, [])
        for line in closure[name]:
            if named := _EXTRA.match(line):
                waiting += [each.strip() for each in named[1].split(",")]
    return closure


def _id(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _toml(text: str, path: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is not TOML: {error}") from None
