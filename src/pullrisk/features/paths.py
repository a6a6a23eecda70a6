"""What a file's path says, and what a history remembers of each file or directory.

A large repository has tens of thousands of paths, of which a pull touches a handful. A restored
history therefore keeps each record as the bytes it was saved as until its path is asked for:
restoring, saving again and holding many histories in memory cost little for what lies idle.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from math import exp, log
from sys import intern
from typing import Final

import msgspec

from pullrisk.features.remembering import remember
from pullrisk.features.schema import DAY

KINDS: Final = ("vendored", "dependency", "ci", "test", "docs", "config", "source", "other")
"""Kinds of files; the first whose rule matches a path wins."""
VENDORED, DEPENDENCY, CI, TEST, DOCS, CONFIG, SOURCE, OTHER = range(len(KINDS))


@dataclass(slots=True)
class PathFacts:
    """`kind` is an index into KINDS; `directory` is empty at the root."""

    kind: int
    directory: str
    top: str
    extension: str


_VENDORED_DIRS: Final = frozenset(
    """vendor vendored node_modules third_party third-party thirdparty extern external""".split()
)
_CI_DIRS: Final = frozenset((".github", ".circleci", ".gitlab", ".buildkite", ".azure-pipelines"))
_TEST_DIRS: Final = frozenset(
    """test tests testing spec specs __tests__ testdata test_data fixtures e2e it benches""".split()
)
_DOCS_DIRS: Final = frozenset("""doc docs documentation guides website changelogs man""".split())
_DEPENDENCY_FILES: Final = frozenset(
    """go.mod go.sum cargo.toml cargo.lock package.json package-lock.json yarn.lock
    pnpm-lock.yaml gemfile gemfile.lock composer.json composer.lock pipfile pipfile.lock
    poetry.lock uv.lock pyproject.toml setup.py setup.cfg requirements.txt constraints.txt
    pom.xml build.gradle build.gradle.kts gradle.lockfile dependencies.gradle vendor.mod
    vendor.sum deps""".split()
)
_CI_FILES: Final = frozenset(
    (".travis.yml", "appveyor.yml", "jenkinsfile", "azure-pipelines.yml", ".gitlab-ci.yml",
     "dockerfile", "makefile", "shippable.yml", "codecov.yml", ".codecov.yml")
)  # fmt: skip
_DOCS_EXTENSIONS: Final = frozenset("""md mdx rst txt adoc rdoc textile markdown""".split())
_CONFIG_EXTENSIONS: Final = frozenset(
    """yml yaml json toml ini cfg conf properties xml lock env editorconfig plist tf tfvars
    hcl""".split()
)
_SOURCE_EXTENSIONS: Final = frozenset(
    """py rb go rs java kt kts scala js jsx ts tsx mjs cjs mts cts c cc cpp cxx h hh hpp m mm
    swift php cs fs ex exs erl hs ml mli clj cljs lua pl pm r jl dart vue svelte css scss less
    sass html htm erb haml slim tmpl tpl twig blade sh bash zsh fish ps1 psm1 bat sql proto
    thrift graphql pyi pyx pxd groovy vb zig nim s asm gn gni bzl cmake gradle coffee awk j2
    jinja""".split()
)
_TEST_NAME: Final = re.compile(
    r"(^|[._-])(test|tests|spec|specs)[._-]|^test[a-z]*\.|[a-z]Tests?\.|[a-z]Spec\.|conftest"
)
_REQUIREMENTS: Final = re.compile(r"requirements[\w.-]*\.(txt|in)$")


_KINDS_OF_DIRECTORIES: Final = ((VENDORED, _VENDORED_DIRS), (TEST, _TEST_DIRS), (DOCS, _DOCS_DIRS))


def path_facts(path: str) -> PathFacts:
    """What one path says."""
    directory, _, name = path.rpartition("/")
    top, kind = _directory(directory)
    stem, dot, extension = name.rpartition(".")
    extension = extension.lower() if dot and stem else ""
    # Interned: a history keeps the facts of each of its files.
    return PathFacts(_kind(kind, name, extension), intern(directory), top, intern(extension))


@remember(1 << 15)
def _directory(directory: str) -> tuple[str, int]:
    """Its first component, and the first kind that its components alone decide (or OTHER)."""
    parts = directory.lower().split("/")
    for kind, names in _KINDS_OF_DIRECTORIES:
        if not names.isdisjoint(parts):
            return parts[0], kind
    return parts[0], CI if parts[0] in _CI_DIRS else OTHER


def _kind(directory: int, name: str, extension: str) -> int:
    lower = name.lower()
    if directory == VENDORED:
        return VENDORED
    if lower in _DEPENDENCY_FILES or _is_requirements(lower):
        return DEPENDENCY
    if directory == CI or lower in _CI_FILES:
        return CI
    if directory == TEST or _is_test(name, lower):
        return TEST
    if directory == DOCS or extension in _DOCS_EXTENSIONS:
        return DOCS
    if extension in _CONFIG_EXTENSIONS or lower.startswith("."):
        return CONFIG
    return SOURCE if extension in _SOURCE_EXTENSIONS else OTHER


def _is_requirements(name: str) -> bool:
    # The cheap test first, here and below: most names are neither.
    return name.startswith("requirements") and _REQUIREMENTS.match(name) is not None


def _is_test(name: str, lower: str) -> bool:
    return ("test" in lower or "spec" in lower) and _TEST_NAME.search(name) is not None


COOLING: Final = -log(2.0) / (30 * DAY)
"""Rate at which a path's heat fades, per second: it halves in a month."""
LONG_AGO: Final = -1e18

PUSH: Final = -2
"""The number of a direct push, to `touch`: it is none of the history's pulls."""

_State = tuple[int, float, float, int, int, int, int, int, float, float, dict[int, int], int]


@dataclass(slots=True)
class PathRecord:
    """What is known of one path; times are epoch seconds.

    `facts` are those of the path alone. `id` numbers the paths of a history, `touches` counts
    pulls and pushes, of which `pushes` were no pulls, `authors` the same by author number; `top`
    is the largest of these counts, `heat` the touches of about a month as of `last`.
    """

    facts: PathFacts
    id: int
    first: float
    last: float
    touches: int = 0
    top: int = 0
    last_author: int = -1
    last_pull: int = -1
    failures: int = 0
    last_failure: float = LONG_AGO
    heat: float = 0.0
    authors: dict[int, int] = field(default_factory=dict)
    pushes: int = 0

    def fail(self, now: float) -> None:
        """A pull that changed the path turned out to be trouble."""
        self.failures += 1
        self.last_failure = now

    def replace_author(self, gone: int, kept: int) -> None:
        """The author numbered `gone` turned out to be the one numbered `kept`."""
        if self.last_author == gone:
            self.last_author = kept
        if gone in self.authors:
            count = self.authors.pop(gone) + self.authors.get(kept, 0)
            self.authors[kept] = count
            if count > self.top:
                self.top = count

    def state(self) -> _State:
        """All but its facts, in order, as the constructor takes them."""
        return (
            self.id, self.first, self.last, self.touches, self.top, self.last_author,
            self.last_pull, self.failures, self.last_failure, self.heat, self.authors,
            self.pushes,
        )  # fmt: skip


def touch(records: Iterable[PathRecord], *, now: float, author: int, pull: int) -> None:
    """The pull numbered `pull` in this history (or PUSH) changed these paths; author -1 is
    unknown.
    """
    for record in records:
        waited = now - record.last
        record.heat = 1.0 + (record.heat * exp(waited * COOLING) if waited > 0.0 else record.heat)
        record.last = now
        record.touches += 1
        record.last_author = author
        if pull == PUSH:
            record.pushes += 1
        else:
            record.last_pull = pull
        if author >= 0:
            authors = record.authors
            count = authors[author] = authors.get(author, 0) + 1
            if count > record.top:
                record.top = count


SavedPaths = tuple[list[str], list[msgspec.Raw]]
_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(_State).decode


class PathRecords:
    """Records by path; `paths[n]` is the path numbered n, `facts` tells those of a path."""

    def __init__(
        self, saved: SavedPaths | None = None, *, facts: Callable[[str], PathFacts] = path_facts
    ) -> None:
        self._facts = facts
        self.paths, encoded = saved or ([], [])
        self._decoded: dict[str, PathRecord] = {}
        self._encoded = dict(zip(self.paths, encoded, strict=True))

    def save(self) -> SavedPaths:
        """The state, as the constructor takes it back."""
        decoded, encoded = self._decoded, self._encoded
        return self.paths, [
            msgspec.Raw(_encode(decoded[path].state())) if path in decoded else encoded[path]
            for path in self.paths
        ]

    def find(self, paths: list[str]) -> list[PathRecord | None]:
        """The record of each path, None if it was never touched."""
        if self._encoded:
            self._decode_all(paths)
        decoded = self._decoded
        return [decoded.get(path) for path in paths]

    def add(
        self, path: str, facts: PathFacts, now: float, *, like: PathRecord | None = None
    ) -> PathRecord:
        """A record for a new path, first seen now or a copy of another's."""
        number = len(self.paths)
        if like is None:
            record = PathRecord(facts, number, now, now)
        else:
            record = replace(like, facts=facts, id=number, authors=like.authors.copy())
        self._decoded[path] = record
        self.paths.append(path)
        return record

    def replace_author(self, gone: int, kept: int) -> None:
        """The author numbered `gone` turned out to be the one numbered `kept`."""
        self._decode_all(list(self._encoded))
        for record in self._decoded.values():
            record.replace_author(gone, kept)

    def _decode_all(self, paths: list[str]) -> None:
        for path in paths:
            saved = self._encoded.pop(path, None)
            if saved is not None:
                self._decoded[path] = PathRecord(self._facts(path), *_decode(saved))
