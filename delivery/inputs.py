"""What a stage's image is made from, at a commit: computed from its Dockerfile and the imports."""

import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import yaml

from delivery.dockerfile import Dockerfile, matching
from delivery.errors import InputError
from delivery.git import Repository
from delivery.imports import SOURCES, Graph
from delivery.references import COMMANDS
from delivery.stages import MANIFESTS, image_name

ALWAYS: Final = ("images/base.env", ".dockerignore")
"""What shapes every image without standing in a Dockerfile, besides the program that builds it."""
BUILDER: Final = "images/build.py"
_IMPORTED: Final = re.compile(
    r"^(?:from images import ([\w, ]+)|(?:import|from) (?:images\.)?(\w+))", re.MULTILINE
)
PROJECT: Final = "pyproject.toml"
_EXTRA: Final = re.compile(r"^pullrisk\[([\w, -]+)\]")


@dataclass(frozen=True)
class Inputs:
    """Name of each part, a path or an excerpt of one, → an id of its content."""

    stage: str
    parts: Mapping[str, str]

    @property
    def fingerprint(self) -> str:
        """One sha256 over all of them."""
        text = json.dumps([self.stage, sorted(self.parts.items())])
        return hashlib.sha256(text.encode()).hexdigest()

    def differences(self, old: "Inputs") -> list[str]:
        """Names of the parts that came, went or changed since `old`."""
        names = {*self.parts, *old.parts}
        return sorted(name for name in names if self.parts.get(name) != old.parts.get(name))


@dataclass(frozen=True)
class Snapshot:
    """What all stages share at a commit, read once."""

    tree: Mapping[str, str]
    """Path → `mode id`."""
    graph: Graph
    commands: frozenset[str]
    """Commands that the package has."""
    words: Mapping[str, frozenset[str]]
    """Image → words of the commands and arguments that manifests run it with."""

    @classmethod
    def of(cls, repository: Repository, commit: str) -> "Snapshot":
        """Read the commit."""
        tree = repository.tree(commit)
        code = {path for path in tree if path.startswith(SOURCES)}
        modules = {path for path in code if path.endswith(".py")}
        manifests = {path for path in tree if _is_manifest(path)}
        blobs = {path: tree[path].split()[1] for path in modules | manifests}
        texts = repository.blobs(blobs.values())
        graph = Graph.of({path: texts[blobs[path]] for path in modules}, code - modules)
        inside = f"{COMMANDS}."
        commands = {name.removeprefix(inside) for name in graph.paths if name.startswith(inside)}
        words = _words({path: texts[blobs[path]] for path in manifests})
        return cls(tree, graph, frozenset(commands), words)


@lru_cache(maxsize=16)
def snapshot(repository: Repository, commit: str) -> Snapshot:
    """The commit's, kept: a commit never changes."""
    return Snapshot.of(repository, commit)


@lru_cache(maxsize=64)
def stage_inputs(repository: Repository, commit: str, stage: str) -> Inputs:
    """The inputs of the stage at the commit. Raises InputError where it has no Dockerfile."""
    path, now = f"images/{stage}.Dockerfile", snapshot(repository, commit)
    tree = now.tree
    if path not in tree:
        raise InputError(f"{path} is not in {commit[:12]}", hint="each stage has its Dockerfile")
    dockerfile = Dockerfile.parse(repository.show(commit, path) or "")
    wanted = {path, *_builder(repository, commit, tree)} | {each for each in ALWAYS if each in tree}
    for pattern in dockerfile.sources():
        wanted |= matching(pattern, tree)
    code = {each for each in wanted if each.startswith(SOURCES)}
    wanted = (wanted - code) | (code & needed(now, dockerfile.command(), stage))
    parts = {each: tree[each] for each in wanted}
    if PROJECT in parts:
        project = _toml(repository.show(commit, PROJECT) or "")
        parts[PROJECT] = _project(project, dockerfile.words())
        parts = {each: parts[each] for each in parts if each not in _prose(project)}
    return Inputs(stage, parts)


def needed(now: Snapshot, own: Iterable[str], stage: str) -> set[str]:
    """Files of the package that the image's commands reach; all of them where none is named."""
    run = ({*own} | now.words.get(image_name(stage), frozenset())) & now.commands
    return now.graph.reached(run) if run else now.graph.everything()


def _builder(repository: Repository, commit: str, tree: Mapping[str, str]) -> set[str]:
    """The program that builds images, with the modules beside it that it imports."""
    found: set[str] = set()
    waiting = [BUILDER]
    while waiting:
        path = waiting.pop()
        if path in tree and path not in found:
            found.add(path)
            found_names = _IMPORTED.findall(repository.show(commit, path) or "")
            names = (name for pair in found_names for name in re.findall(r"\w+", " ".join(pair)))
            waiting += [f"images/{name}.py" for name in names]
    return found


def _is_manifest(path: str) -> bool:
    return path.startswith(f"{MANIFESTS}/") and path.endswith((".yaml", ".yml"))


def _project(found: Mapping[str, Any], words: Iterable[str]) -> str:
    """An id of what pip reads: the tools' settings and other stages' extras are left out."""
    project = dict(found.get("project", {}))
    optional = project.pop("optional-dependencies", {})
    extras = set(words) & set(optional)
    kept = _closure(optional, extras) if extras else optional
    build = found.get("tool", {}).get("hatch", {})
    shown = [project, kept, found.get("build-system", {}), build]
    return hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()


def _toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{PROJECT} is no TOML: {error}") from None


def _prose(found: Mapping[str, Any]) -> set[str]:
    """The readme and the licences: copied into a wheel, and nothing that runs."""
    project = found.get("project", {})
    return {str(project.get("readme", "")), *map(str, project.get("license-files", []))}


def _closure(optional: Mapping[str, list[str]], extras: Iterable[str]) -> dict[str, list[str]]:
    """The extras, and those of the package that they name."""
    found: dict[str, list[str]] = {}
    waiting = list(extras)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found[name] = optional.get(name, [])
        for line in found[name]:
            if named := _EXTRA.match(line):
                waiting += [each.strip() for each in named[1].split(",")]
    return found


def _words(manifests: Mapping[str, bytes]) -> dict[str, frozenset[str]]:
    """Image → words of `command` and `args` of the containers that run it."""
    found: dict[str, set[str]] = {}
    for path, data in manifests.items():
        try:
            documents = list(yaml.safe_load_all(data))
        except yaml.YAMLError as error:
            raise InputError(f"{path} is no YAML: {error}") from error
        for container in (each for document in documents for each in _mappings(document)):
            name = re.split(r"[:@]", str(container.get("image", "")))[0]
            for key in ("command", "args"):
                found.setdefault(name, set()).update(map(str, container.get(key) or ()))
    return {name: frozenset(words) for name, words in found.items()}


def _mappings(node: object) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for each in node.values():
            yield from _mappings(each)
    elif isinstance(node, list):
        for each in node:
            yield from _mappings(each)
