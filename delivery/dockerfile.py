"""What a Dockerfile takes from the repository, and what its image runs."""

import fnmatch
import json
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from delivery.errors import InputError

_COMMANDS: Final = re.compile(r'io\.pullrisk\.commands="([^"]*)"')
"""Commands that others than manifests start in the image, as Spark does with executors."""
_RUN: Final = ("ENTRYPOINT", "CMD", "LABEL")


@dataclass(frozen=True)
class Dockerfile:
    """Instructions in order, each with its arguments as one line."""

    instructions: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, text: str) -> "Dockerfile":
        """Join continued lines, drop comments. Raises InputError where nothing is built FROM."""
        lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
        joined = re.sub(r"\\[ \t]*\n", " ", "\n".join(lines))
        found = tuple(
            (word.upper(), rest.strip())
            for word, _, rest in (line.strip().partition(" ") for line in joined.splitlines())
            if word
        )
        if not any(word == "FROM" for word, _ in found):
            raise InputError("the Dockerfile has no FROM")
        return cls(found)

    def sources(self) -> tuple[str, ...]:
        """Patterns of what is copied or mounted from the build's folder."""
        found: list[str] = []
        for word, rest in self.instructions:
            if word in {"COPY", "ADD"}:
                found += _copied(rest)
            elif word == "RUN":
                found += _mounted(rest)
        return tuple(dict.fromkeys(found))

    def words(self) -> frozenset[str]:
        """Every word of what is RUN while it is built; extras of the package are among them."""
        text = " ".join(rest for word, rest in self.instructions if word == "RUN")
        return frozenset(re.findall(r"[\w-]+", text))

    def command(self) -> tuple[str, ...]:
        """ENTRYPOINT, CMD and the label of further commands of the last stage, in one list."""
        last: dict[str, tuple[str, ...]] = {}
        for word, rest in self.instructions:
            if word == "FROM":
                last = {}
            elif word in {"ENTRYPOINT", "CMD"}:
                last[word] = tuple(_words(rest))
            elif word == "LABEL" and (more := _COMMANDS.search(rest)):
                last[word] = tuple(more[1].split())
        return tuple(word for name in _RUN for word in last.get(name, ()))


def matching(pattern: str, paths: Iterable[str]) -> set[str]:
    """Paths that a source of COPY names: a file, a folder with all below it, or wildcards."""
    clean = str(PurePosixPath(pattern.lstrip("/"))) if pattern.strip("./") else "."
    if clean == ".":
        return set(paths)
    return {
        path
        for path in paths
        if any(
            fnmatch.fnmatchcase(str(each), clean) for each in (path, *PurePosixPath(path).parents)
        )
    }


def _copied(rest: str) -> Iterator[str]:
    words = _words(rest)
    flags = [word for word in words if word.startswith("--")]
    if any(flag.startswith("--from=") for flag in flags):
        return
    yield from (word for word in words[len(flags) : -1] if "://" not in word)


def _mounted(rest: str) -> Iterator[str]:
    for mount in re.findall(r"--mount=(\S+)", rest):
        facts: dict[str, str] = dict(part.partition("=")[::2] for part in mount.split(","))
        if facts.get("type") == "bind" and "from" not in facts:
            yield facts.get("source", facts.get("src", "."))


def _words(rest: str) -> list[str]:
    try:
        if rest.startswith("["):
            return [str(word) for word in json.loads(rest)]
        return shlex.split(rest)
    except ValueError as error:
        raise InputError(f"the Dockerfile's {rest!r} cannot be read: {error}") from None
