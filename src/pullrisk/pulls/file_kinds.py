"""What kind of file a path names, by its directories, its name and its extension."""

import re
from dataclasses import dataclass
from sys import intern
from typing import Final

from pullrisk.pulls.text_cache import cache_texts

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


@cache_texts(1 << 15)
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
