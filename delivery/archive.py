"""An image as `podman save` and `docker save` write it: the files of its layers."""

import json
import tarfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

from delivery.errors import InputError


def image_files(archive: Path, wanted: Callable[[str], bool]) -> dict[str, bytes]:
    """Path → bytes of the wanted files as the container sees them: later layers win."""
    found: dict[str, bytes] = {}
    with tarfile.open(archive) as outer:
        for layer in _entry(outer)["Layers"]:
            with _layer(outer, layer) as inner:
                for member in inner:
                    _take(found, inner, member, wanted)
    return found


def _take(
    found: dict[str, bytes],
    layer: tarfile.TarFile,
    member: tarfile.TarInfo,
    wanted: Callable[[str], bool],
) -> None:
    path = str(PurePosixPath(member.name.removeprefix("./")))
    folder, name = str(PurePosixPath(path).parent), PurePosixPath(path).name
    if name == ".wh..wh..opq":
        _hide(found, f"{folder}/")
    elif name.startswith(".wh."):
        _hide(found, f"{folder}/{name[4:]}")
    elif member.isfile() and wanted(path):
        data = layer.extractfile(member)
        found[path] = data.read() if data else b""


def _hide(found: dict[str, bytes], path: str) -> None:
    below = path.rstrip("/") + "/"
    for each in [each for each in found if each == path or each.startswith(below)]:
        del found[each]


def _entry(outer: tarfile.TarFile) -> dict[str, Any]:
    try:
        (entry,) = json.loads(_member(outer, "manifest.json"))
    except (KeyError, ValueError) as error:
        raise InputError(f"{outer.name!r} is not an archive of one image: {error}") from None
    return dict(entry)


def _member(outer: tarfile.TarFile, name: str) -> bytes:
    data = outer.extractfile(name)
    if data is None:
        raise KeyError(name)
    return data.read()


def _layer(outer: tarfile.TarFile, name: str) -> tarfile.TarFile:
    return tarfile.open(fileobj=outer.extractfile(name), mode="r:*")
