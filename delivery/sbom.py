"""The packages inside an image as a CycloneDX bill of materials, read from its own layers."""

import re
from collections.abc import Iterator, Mapping
from email import message_from_bytes
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from delivery.archive import image_files
from delivery.errors import InputError

_WANTED: Final = re.compile(
    r"(.*\.dist-info/METADATA|var/lib/dpkg/status|var/lib/dpkg/status\.d/[^/]+(?<!\.md5sums))"
)
_NORMAL: Final = re.compile(r"[-_.]+")


def bill_of_materials(archive: Path, name: str) -> dict[str, Any]:
    """CycloneDX 1.6 of an image's archive. Raises InputError if it holds no package."""
    files = image_files(archive, lambda path: bool(_WANTED.fullmatch(path)))
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
        found = _python(data) if path.endswith("METADATA") else _debian(data)
        for each in found:
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
