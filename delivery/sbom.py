"""The packages inside an image as a CycloneDX bill of materials, read from its own layers.

The image is an archive as `podman save` and `docker save` write it.
"""

import json
import re
import tarfile
from collections.abc import Callable, Iterator, Mapping
from email import message_from_bytes
from pathlib import Path, PurePosixPath
from typing import Any, Final
from urllib.parse import quote

from delivery.errors import InputError

_WANTED: Final = re.compile(
    r"(.*\.dist-info/METADATA|var/lib/dpkg/status|var/lib/dpkg/status\.d/[^/]+(?<!\.md5sums))"
)
_NORMAL: Final = re.compile(r"[-_.]+")


def bill_of_materials(archive: Path, name: str) -> dict[str, Any]:
    """CycloneDX 1.6 of an image's archive. Raises InputError if it holds no package."""
    files = _image_files(archive, lambda path: bool(_WANTED.fullmatch(path)))
    components = sorted(_components(files), key=lambda each: str(each["purl"]))
    if not components:
        raise InputError(f"{archive} holds no package", hint="is it the archive of an image?")
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": name}},
        "components": components,
    }


def _components(files: Mapping[str, bytes]) -> Iterator[dict[str, str]]:
    seen: set[str] = set()
    for path, data in sorted(files.items()):
        components = _python(data) if path.endswith("METADATA") else _debian(data)
        for each in components:
            if each["purl"] not in seen:
                seen.add(each["purl"])
                yield each


def _python(data: bytes) -> Iterator[dict[str, str]]:
    headers = message_from_bytes(data)
    name, version = str(headers["Name"]), str(headers["Version"])
    yield _component(name, version, f"pkg:pypi/{_NORMAL.sub('-', name).lower()}@{quote(version)}")


def _debian(data: bytes) -> Iterator[dict[str, str]]:
    for paragraph in data.decode(errors="replace").split("\n\n"):
        fields = dict(re.findall(r"^(Package|Version|Architecture|Status): (.*)$", paragraph, re.M))
        if "Package" in fields and "not-installed" not in fields.get("Status", ""):
            name, version = fields["Package"], fields.get("Version", "")
            architecture = fields.get("Architecture", "")
            purl = f"pkg:deb/debian/{name}@{quote(version)}?arch={architecture}"
            yield _component(name, version, purl)


def _component(name: str, version: str, purl: str) -> dict[str, str]:
    return {"type": "library", "name": name, "version": version, "purl": purl}


def _image_files(archive: Path, is_wanted: Callable[[str], bool]) -> dict[str, bytes]:
    """Path → bytes of the wanted files as the container sees them: later layers win."""
    files: dict[str, bytes] = {}
    with tarfile.open(archive) as outer:
        for layer in _manifest_of(outer)["Layers"]:
            with _layer(outer, layer) as inner:
                for member in inner:
                    _take(files, inner, member, is_wanted)
    return files


def _take(
    files: dict[str, bytes],
    layer: tarfile.TarFile,
    member: tarfile.TarInfo,
    is_wanted: Callable[[str], bool],
) -> None:
    path = str(PurePosixPath(member.name.removeprefix("./")))
    folder, name = str(PurePosixPath(path).parent), PurePosixPath(path).name
    if name == ".wh..wh..opq":
        _hide(files, f"{folder}/")
    elif name.startswith(".wh."):
        _hide(files, f"{folder}/{name[4:]}")
    elif member.isfile() and is_wanted(path):
        data = layer.extractfile(member)
        files[path] = data.read() if data else b""


def _hide(files: dict[str, bytes], path: str) -> None:
    below = path.rstrip("/") + "/"
    for each in [each for each in files if each == path or each.startswith(below)]:
        del files[each]


def _manifest_of(outer: tarfile.TarFile) -> dict[str, Any]:
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
