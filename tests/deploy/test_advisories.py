"""No version that a cluster is made from has a known critical advisory."""

import re
import tomllib

import pytest
import yaml

from support.deploy.manifests import APPS

ADVISORIES = tomllib.loads((APPS / "platform" / "advisories.toml").read_text("utf-8"))["advisory"]
Version = tuple[int, ...]


def version(text: str) -> Version:
    return tuple(int(part) for part in text.lstrip("v").split("."))


def pinned() -> dict[str, Version]:
    """Component → its version in the cluster."""
    script = (APPS / "bootstrap.sh").read_text("utf-8")
    found = {
        name.lower().replace("_", "-"): version(text)
        for name, text in re.findall(r"^([A-Z_]+)=(v?\d+\.\d+\.\d+)\b", script, re.MULTILINE)
    }
    platform = {
        name: yaml.safe_load((APPS / "platform" / f"{name}.yaml").read_text("utf-8"))
        for name in ("Chart", "mongodb", "traefik", "vault")
    }
    found |= {
        f"{each['name']}-chart": version(each["version"])
        for each in platform["Chart"]["dependencies"]
    }
    return found | {
        "mongodb": version(platform["mongodb"]["spec"]["version"]),
        "traefik": version(platform["traefik"]["image"]["tag"]),
        "vault": version(platform["vault"]["server"]["image"]["tag"]),
    }


def is_affected(own: Version, fixed: list[str]) -> bool:
    """Whether the version is older than the mend of its line, or of a line that got none."""
    mended = sorted(map(version, fixed))
    of_line = [each for each in mended if each[:2] == own[:2]]
    return own < (of_line or mended[-1:])[0]


@pytest.mark.parametrize("advisory", ADVISORIES, ids=lambda each: each["id"])
def test_no_pinned_version_has_the_advisory(advisory: dict[str, object]) -> None:
    component, fixed = str(advisory["component"]), advisory["fixed"]
    assert isinstance(fixed, list)
    assert not is_affected(pinned()[component], fixed), f"{component}: {advisory['says']}"


@pytest.mark.parametrize(
    ("own", "affected"),
    [("7.0.14", True), ("7.0.28", False), ("6.1.9", True), ("8.2.3", False), ("8.3.0", False)],
)
def test_a_version_is_compared_within_its_own_line(own: str, affected: bool) -> None:
    assert is_affected(version(own), ["7.0.28", "8.0.17", "8.2.3"]) is affected
