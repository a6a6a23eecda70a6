"""The manifest's images: which digest each stage runs, read strictly, edited in place."""

import re
from collections.abc import Iterator
from typing import Final

import yaml

from delivery import strict_yaml
from delivery.errors import InputError, RefusedError
from delivery.stages import KUSTOMIZATION, STAGES, image_name

DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_HINT: Final = "only the workflows write images, by digest; revert the edit"


def digests(text: str) -> dict[str, str]:
    """Stage → digest. Raises RefusedError for anything but one name and digest for each stage."""
    found: dict[str, str] = {}
    for entry in _entries(text):
        name, digest = _name_and_digest(entry)
        if name in found:
            raise _refused(f"{name} is listed twice")
        found[name] = digest
    wanted = {image_name(stage): stage for stage in STAGES}
    if strange := sorted(set(found) - set(wanted)):
        raise _refused(f"{', '.join(strange)} is not an image of this pipeline")
    if absent := sorted(set(wanted) - set(found)):
        raise _refused(f"{', '.join(absent)} has no digest")
    return {stage: found[name] for name, stage in wanted.items()}


def with_digest(text: str, stage: str, digest: str) -> str:
    """The text with this one digest replaced: comments, order and all other bytes as they were.

    A stage's first digest also takes out the line that suspends it until it has an image.
    """
    if not DIGEST.fullmatch(digest):
        raise InputError(f"{digest!r} is not a sha256 digest")
    for entry in _entries(text):
        if _value(entry, "name") != image_name(stage):
            continue
        node = _nodes(entry).get("digest")
        if not isinstance(node, yaml.ScalarNode):
            break
        start, end = node.start_mark.index, node.end_mark.index
        changed = _resumed(text[:start] + digest + text[end:], stage)
        if digests(changed) != digests(text) | {stage: digest}:
            raise _refused(f"replacing the digest of {stage} would change more than it")
        return changed
    raise _refused(f"{image_name(stage)} has no digest to replace")


def _resumed(text: str, stage: str) -> str:
    return "".join(
        line
        for line in text.splitlines(keepends=True)
        if not line.endswith(f"# until {stage} has an image\n")
    )


def _entries(text: str) -> list[yaml.MappingNode]:
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise InputError(f"{KUSTOMIZATION} is not YAML: {error}") from error
    if not isinstance(root, yaml.MappingNode):
        raise InputError(f"{KUSTOMIZATION} is not a mapping")
    strict_yaml.check_plain(text, KUSTOMIZATION, hint=_HINT)
    images = _nodes(root).get("images")
    if not isinstance(images, yaml.SequenceNode):
        raise _refused("it has no list of images")
    entries = [entry for entry in images.value if isinstance(entry, yaml.MappingNode)]
    if len(entries) != len(images.value):
        raise _refused("an entry of images is not a mapping")
    return entries


def _name_and_digest(entry: yaml.MappingNode) -> tuple[str, str]:
    name, more = _value(entry, "name"), sorted(set(_nodes(entry)) - {"name", "digest"})
    if more:
        raise _refused(f"{name} has {', '.join(more)}")
    digest = _value(entry, "digest")
    if not DIGEST.fullmatch(digest):
        raise _refused(f"{name} has no sha256 digest but {digest!r}")
    return name, digest


def _value(entry: yaml.MappingNode, key: str) -> str:
    node = _nodes(entry).get(key)
    return str(node.value) if isinstance(node, yaml.ScalarNode) else ""


def _nodes(mapping: yaml.MappingNode) -> dict[str, yaml.Node]:
    """Key → node. Raises RefusedError for a key that stands there twice: readers would differ."""
    found: dict[str, yaml.Node] = {}
    for key, node in _pairs(mapping):
        if key in found:
            raise _refused(f"line {node.start_mark.line + 1} repeats {key}")
        found[key] = node
    return found


def _pairs(mapping: yaml.MappingNode) -> Iterator[tuple[str, yaml.Node]]:
    for key, node in mapping.value:
        yield str(key.value), node


def _refused(what: str) -> RefusedError:
    return RefusedError(f"{KUSTOMIZATION}: {what}", hint=_HINT)
