"""Manifests that have to be refused: each is the base with one thing wrong."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from support.deploy.manifests import ROOT, Object

FOLDER = ROOT / "tests" / "deploy" / "refused"


class Refused(NamedTuple):
    """One wrong manifest: the rule that has to see it, what is wrong, and how to get there."""

    path: Path
    rule: str
    says: str
    kind: str
    name: str
    namespace: str | None
    """Where there is one of this name in each."""
    patch: list[dict[str, Any]]

    def applied(self, objects: Sequence[Object]) -> list[Object]:
        """The objects with the wrong one among them."""
        changed = copy.deepcopy(list(objects))
        place = next(
            index
            for index, one in enumerate(changed)
            if one["kind"] == self.kind
            and one["metadata"]["name"].startswith(self.name)
            and self.namespace in (None, one["metadata"].get("namespace"))
        )
        for change in self.patch:
            _apply(changed, place, change)
        return changed


def read(path: Path) -> Refused:
    """A file of the folder."""
    document = yaml.safe_load(path.read_text())
    target = document["target"]
    place = target["kind"], target["name"], target.get("namespace")
    return Refused(path, document["rule"], document["says"], *place, document["patch"])


def _apply(objects: list[Object], place: int, change: dict[str, Any]) -> None:
    """One operation of JSON patch (RFC 6902); the empty path is the object itself."""
    parts = [part.replace("~1", "/").replace("~0", "~") for part in change["path"].split("/")[1:]]
    if not parts:
        if change["op"] == "remove":
            del objects[place]
        else:
            objects.insert(place, change["value"])
        return
    node: Any = objects[place]
    for part in parts[:-1]:
        node = node[int(part)] if isinstance(node, list) else node[part]
    last = parts[-1]
    if isinstance(node, list):
        _in_list(node, last, change)
    elif change["op"] == "remove":
        del node[last]
    else:
        assert change["op"] == "add" or last in node, f"nothing at {change['path']}"
        node[last] = change["value"]


def _in_list(items: list[Any], last: str, change: dict[str, Any]) -> None:
    place = len(items) if last == "-" else int(last)
    if change["op"] == "remove":
        del items[place]
    elif change["op"] == "add":
        items.insert(place, change["value"])
    else:
        items[place] = change["value"]
