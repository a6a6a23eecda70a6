"""`pullrisk run` on a young repository: a useful table, by whichever model is best."""

import json
from pathlib import Path
from typing import Any

import pytest

from pullrisk.cli import main
from support.clones import make_clone
from support.sample import sample_pulls
from support.tracking import fresh_tracking


def young(folder: Path, pulls: int) -> Path:
    """A clone of a repository that has merged so many pull requests, none of them reverted."""
    records = sorted(sample_pulls(pulls), key=lambda one: str(one.merged_at))
    return make_clone(folder, records)


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main([*arguments, "--json", "--quiet"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("pulls", [1, 60, 200])
def test_a_young_repository_gets_a_table_with_risk_and_novelty(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    pulls: int,
) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("PULLRISK_HOME", str(home))
    fresh_tracking(home)
    clone = str(young(tmp_path / "clone", pulls))
    ran = printed(capsys, "run", "--git", clone, "--repository", "acme/young")
    riskiest = ran["riskiest"]
    assert ran["model"] == "the general model"
    assert len(riskiest) == min(10, pulls)
    assert all(one["risk"] is not None and one["brief"] for one in riskiest)
    assert not all(one["novelty"] >= 99 for one in riskiest)
    assert (home / "report.html").exists()
    again = printed(capsys, "score", "--recent", "5")
    later = printed(capsys, "score", "--git", clone, "--repository", "acme/young", "-n", "5")
    assert all(one["risk"] is not None for one in [*again, *later])
    risks = {one["number"]: one["risk"] for one in again}
    assert risks == {one["number"]: pytest.approx(one["risk"], rel=0.01) for one in later}


def test_a_repository_without_merged_pull_requests_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PULLRISK_HOME", str(tmp_path / "home"))
    assert main(["run", "--quiet"]) == 8
    assert "no merged pull request" in capsys.readouterr().err
