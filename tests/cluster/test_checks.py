"""The checks of `make test-cluster`: they hold on a good cluster, and each finds its fault."""

import functools
from pathlib import Path
from typing import Any

import pytest

from cluster import __main__ as tool
from cluster import checks, kubectl, world
from cluster.made_up import FAULTS, MadeUpWorld
from cluster.repository import Repository


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting takes a thousandth of its time."""

    @functools.wraps(kubectl.until)
    def until(what: str, probe: Any, *, seconds: float, pause: float = 1.0, **more: Any) -> Any:
        return kubectl.until(what, probe, seconds=seconds / 1000, pause=pause / 1000, **more)

    monkeypatch.setattr(checks, "until", until)
    monkeypatch.setattr(world, "until", until)
    monkeypatch.setattr(checks, "WATCHED_SECONDS", 0.01)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path, {})


def test_a_good_cluster_holds_all(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tool.check_all(MadeUpWorld(repository), checks.ALL) == 0, capsys.readouterr().out
    shown = capsys.readouterr().out
    assert shown.count("held: ") == len(checks.ALL)
    assert f"{len(checks.ALL)} checks held" in shown


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_by_the_check_that_is_there_for_it(
    repository: Repository, fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tool.check_all(MadeUpWorld(repository, fault), checks.ALL) == 1
    assert f"FAILED {FAULTS[fault]}: " in capsys.readouterr().out


def test_every_check_finds_a_fault() -> None:
    assert set(FAULTS.values()) == {check.__name__ for check in checks.ALL}
