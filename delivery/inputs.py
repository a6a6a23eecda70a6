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
from delivery.imports import COMMANDS, SOURCES, Graph, module_name
from delivery.stages import MANIFESTS, image_name

ALWAYS: Final = ("images/base.env", "images/build.py", ".dockerignore")
"""What shapes every image without standing in a Dockerfile: the base's digest, how it is built."""
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


@lru_cache(maxsize=256)
def stage_inputs(repository: Repository, commit: str, stage: str) -> Inputs:
    """The inputs of the stage at the commit. Raises InputError where it has no Dockerfile."""
    path = f"images/{stage}.Dockerfile"
    text = repository.show(commit, path)
    if text is None:
        raise InputError(f"{path} is not in {commit[:12]}", hint="each stage has its Dockerfile")
    tree, dockerfile = repository.tree(commit), Dockerfile.parse(text)
    wanted = {path} | {each for each in ALWAYS if each in tree}
    for pattern in dockerfile.sources():
        wanted |= matching(pattern, tree)
    code = {each for each in wanted if each.startswith(SOURCES)}
    if code:
        wanted = wanted - code | _needed(repository, commit, dockerfile, stage) & code
    parts = {each: tree[each] for each in wanted}
    if PROJECT in parts:
        project = tomllib.loads(repository.show(commit, PROJECT) or "")
        parts[PROJECT] = _project(project, dockerfile.words())
        parts = {each: parts[each] for each in parts if each not in _prose(project)}
    return Inputs(stage, parts)


def commands(repository: Repository, commit: str, stage: str, own: Iterable[str]) -> set[str]:
    """Commands of the package that the image or a manifest of it runs."""
    known = {
        module_name(path).rpartition(".")[2]
        for path in repository.tree(commit, f"{SOURCES}{COMMANDS.replace('.', '/')}")
        if path.endswith(".py")
    }
    words = set(own)
    for path in repository.tree(commit, MANIFESTS):
        if path.endswith((".yaml", ".yml")):
            words |= _arguments(repository.show(commit, path) or "", image_name(stage))
    return words & known


def graph(repository: Repository, commit: str) -> Graph:
    """Who imports whom in the package at the commit."""
    tree = repository.tree(commit, SOURCES)
    blobs = {path: facts.split()[1] for path, facts in tree.items() if path.endswith(".py")}
    texts = repository.blobs(blobs.values())
    return Graph.of({path: texts[blob] for path, blob in blobs.items()}, set(tree) - set(blobs))


def _needed(repository: Repository, commit: str, dockerfile: Dockerfile, stage: str) -> set[str]:
    """Files of the package that matter to the image; all of them where it is not plain."""
    found, run = (
        graph(repository, commit),
        commands(repository, commit, stage, dockerfile.command()),
    )
    return found.reached(run) if run else found.everything()


def _project(found: Mapping[str, Any], words: Iterable[str]) -> str:
    """An id of what pip reads: the tools' settings and other stages' extras are left out."""
    project = dict(found.get("project", {}))
    optional = project.pop("optional-dependencies", {})
    extras = set(words) & set(optional)
    kept = _closure(optional, extras) if extras else optional
    build = found.get("tool", {}).get("hatch", {})
    shown = [project, kept, found.get("build-system", {}), build]
    return hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()


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


def _arguments(text: str, image: str) -> set[str]:
    """Words of `command` and `args` of the containers that run the image."""
    try:
        documents = list(yaml.safe_load_all(text))
    except yaml.YAMLError as error:
        raise InputError(f"a manifest is no YAML: {error}") from error
    found: set[str] = set()
    for container in (each for document in documents for each in _mappings(document)):
        name = str(container.get("image", ""))
        if re.split(r"[:@]", name)[0] == image:
            for key in ("command", "args"):
                found |= {str(word) for word in container.get(key) or ()}
    return found


def _mappings(node: object) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for each in node.values():
            yield from _mappings(each)
    elif isinstance(node, list):
        for each in node:
            yield from _mappings(each)
