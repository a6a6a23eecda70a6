"""The image of data-fetch keeps clones in its volume, and reads from them which lines change."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from support.containers.platform import GITHUB_TOKEN, Platform
from support.containers.pod import Pod, Spec, as_a_volume
from support.github_project import TEXT, GitHubProject, github_project

MakePod = Callable[..., Pod]
Documents = dict[int, dict[str, Any]]
FETCH = ["fetch", "o/r"]
UNKNOWN = "which lines its pulls change is unknown"


@pytest.fixture
def project(network: None, tmp_path: Path) -> Iterator[GitHubProject]:
    with github_project(tmp_path) as made:
        yield made


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    folder = tmp_path / "volume"
    folder.mkdir()
    for each in (tmp_path, *tmp_path.parents[:2]):
        each.chmod(each.stat().st_mode | 0o011)  # the stage's user goes through
    return as_a_volume(folder, Spec.of("data-fetch"))


@pytest.fixture
def small_volume(volume: Path) -> Iterator[Path]:
    """A real disk of 64 KB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a disk needs root")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", volume], check=True)
    try:
        yield as_a_volume(volume, Spec.of("data-fetch"))
    finally:
        subprocess.run(["umount", volume], check=True)


@pytest.fixture
def store(cluster: Platform) -> Iterator[Callable[[], Documents]]:
    """The pulls in a database of their own, to which Vault leads meanwhile."""
    cluster.store_secrets("data-fetch", mongo_uri=f"{cluster.mongo.uri}clones")
    with MongoClient[dict[str, Any]](cluster.mongo.uri) as client:
        try:
            yield lambda: {
                each["number"]: each
                for each in client["clones"]["pulls"].find({"repository": "o/r"})
            }
        finally:
            client.drop_database("clones")
            cluster.store_secrets("data-fetch")


def test_lines_are_read_from_a_clone_in_the_volume_and_then_only_what_is_new(
    project: GitHubProject,
    volume: Path,
    store: Callable[[], Documents],
    make_pod: MakePod,
    vault: dict[str, str],
) -> None:
    def fetched() -> Pod:
        pod = make_pod("data-fetch", volume=volume, github_url=project.server.url)
        pod.run(vault, FETCH)
        assert pod.code == 0, pod.log
        assert UNKNOWN not in pod.log
        assert pod.changes == set()
        return pod

    first = fetched()
    before = store()
    assert before[2]["lines"], "pull 2 mends a line of pull 1"
    assert before[3]["lines"], "an open one, from the head that the clone has"
    objects = files(volume / "mirrors" / "o+r.git" / "objects")
    assert objects

    project.commit(4, TEXT.replace(b"line_3 = 1", b"line_3 = 4"))
    project.push()
    second = fetched()
    assert "1 new" in second.output
    after = store()
    assert after[4]["lines"]
    assert {number: after[number]["lines"] for number in before} == {
        number: each["lines"] for number, each in before.items()
    }
    assert objects.items() < files(volume / "mirrors" / "o+r.git" / "objects").items()
    for pod in (first, second):
        assert GITHUB_TOKEN not in pod.shown()
    asked = [command for command in project.server.commands if b"r.git" in command]
    assert any(b"fetch" in command for command in asked)
    assert not [command for command in project.server.commands if GITHUB_TOKEN.encode() in command]
    kept = [path for path in volume.rglob("*") if path.is_file()]
    assert not [path for path in kept if GITHUB_TOKEN.encode() in path.read_bytes()]


def files(folder: Path) -> dict[Path, int]:
    """The files below it, and when each was written."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("trouble", ["off", "not the stage's", "full"])
def test_without_a_usable_volume_all_but_lines_is_fetched(
    project: GitHubProject,
    volume: Path,
    store: Callable[[], Documents],
    make_pod: MakePod,
    vault: dict[str, str],
    request: pytest.FixtureRequest,
    trouble: str,
) -> None:
    env = {"PULLRISK_FETCH__CLONE": "off"} if trouble == "off" else {}
    if trouble == "not the stage's":
        volume.chmod(0o755)
    elif trouble == "full":
        request.getfixturevalue("small_volume")
        project.commit(5, os.urandom(200_000).hex().encode())
        project.push()
    pod = make_pod("data-fetch", volume=volume, github_url=project.server.url)
    pod.run(vault | env, FETCH)
    assert pod.code == 0, pod.log
    assert "Traceback" not in pod.log
    assert (UNKNOWN in pod.log) == (trouble != "off"), pod.log
    assert ("disk is full" in pod.log) == (trouble == "full"), pod.log
    found = store()
    assert {1, 2, 3} <= found.keys()
    assert not [number for number, each in found.items() if each.get("lines")]
