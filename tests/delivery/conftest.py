"""One registry and one Sigstore for the session; a project of its own for each test."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

import pytest

pytest.importorskip("sigstore", reason="the extra delivery is not installed")
pytest.importorskip("yaml", reason="the extra delivery is not installed")

from delivery.stages import STAGES
from support.delivery import World
from support.oci import DebianRegistry, SmallRegistry
from support.sigstore import Sigstore

CODE: Final = "src/pullrisk/fetch/__init__.py"


@pytest.fixture(scope="session")
def registry_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Debian's docker-registry where it is installed, else the small one."""
    folder = tmp_path_factory.mktemp("registry")
    with DebianRegistry(folder) if DebianRegistry.installed() else SmallRegistry() as running:
        yield running.url


@pytest.fixture(scope="session")
def sigstore(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sigstore]:
    with Sigstore(tmp_path_factory.mktemp("sigstore")) as running:
        yield running


@pytest.fixture(autouse=True)
def job(sigstore: Sigstore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every test is a job of GitHub Actions, with an identity and no credentials of its own."""
    for name, value in sigstore.job_environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))


@contextmanager
def as_a_job(sigstore: Sigstore) -> Iterator[None]:
    """What several tests share is made by a job too."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in sigstore.job_environment.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="session")
def promoted(
    registry_url: str, sigstore: Sigstore, tmp_path_factory: pytest.TempPathFactory
) -> World:
    """A project whose four images were built, tested and promoted once; only copies are changed."""
    with as_a_job(sigstore):
        world = World(tmp_path_factory.mktemp("world"), registry_url, sigstore).begin()
        for stage in STAGES:
            world.release(stage, world.branch("staging"))
        assert world.promote() == 0
    return world


@pytest.fixture(scope="session")
def released(
    promoted: World, sigstore: Sigstore, tmp_path_factory: pytest.TempPathFactory
) -> World:
    """The same after a new version of data-fetch was promoted; only copies are changed."""
    with as_a_job(sigstore):
        world = promoted.copy(tmp_path_factory.mktemp("released"))
        world.release("data-fetch", world.push({CODE: "VERSION = 1\n"}, "Version 1"))
        assert world.promote() == 0
    return world


@pytest.fixture(scope="session")
def rolled_back(
    released: World, sigstore: Sigstore, tmp_path_factory: pytest.TempPathFactory
) -> World:
    """The same after that version was rolled back; only copies are changed."""
    with as_a_job(sigstore):
        world = released.copy(tmp_path_factory.mktemp("rolled-back"))
        assert world.rollback("data-fetch", "It answers wrongly") == 0
    return world


@pytest.fixture
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """A copy for this test alone, of what was promoted or of what its mark `begins` names.

    Registry and Sigstore are shared, images are not equal.
    Whatever the test tries: what main runs afterwards was tested.
    """
    mark = request.node.get_closest_marker("begins")
    shared: World = request.getfixturevalue(mark.args[0] if mark else "promoted")
    own = shared.copy(tmp_path)
    yield own
    assert len(own.running()) == len(STAGES)
    assert own.running() <= own.tested


class Refused(Protocol):
    """Promotes, and asserts that it is refused for this reason and that main is as it was."""

    def __call__(self, reason: str, candidate: str | None = None) -> None: ...


@pytest.fixture
def refused(world: World, capsys: pytest.CaptureFixture[str]) -> Refused:
    def check(reason: str, candidate: str | None = None) -> None:
        before = world.branch("main")
        capsys.readouterr()
        code = world.promote(candidate)
        said = capsys.readouterr().err
        assert (code, reason in said) == (3, True), said
        assert world.branch("main") == before

    return check
