"""Where the registry of models is looked for."""

from pathlib import Path
from subprocess import CompletedProcess

import pytest

from pullrisk.settings import Settings
from pullrisk.wiring import served_models
from pullrisk.wiring.served_models import read_registry

LISTED = """{"versions": [{"version": "1", "created_at": "2026-01-01T00:00:00Z"}], "changes": []}"""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """The variables of each process that was to ask MLflow; it lists one version."""
    processes: list[dict[str, str]] = []

    def run_python(code: str, *arguments: str, **variables: str) -> "CompletedProcess[str]":
        processes.append(variables)
        return CompletedProcess([code], 0, stdout=LISTED, stderr="")

    monkeypatch.setattr(served_models, "_run_python", run_python)
    return processes


def test_a_home_without_a_registry_lists_nothing(
    tmp_path: Path, asked: list[dict[str, str]]
) -> None:
    assert read_registry(Settings(home=tmp_path)).versions == []
    assert asked == []


def test_a_registry_in_a_file_elsewhere_is_listed(
    tmp_path: Path, asked: list[dict[str, str]]
) -> None:
    uri = f"sqlite:///{tmp_path}/elsewhere.db"
    contents = read_registry(Settings(home=tmp_path, mlflow_uri=uri))
    assert [version.version for version in contents.versions] == ["1"]
    assert [process["PULLRISK_MLFLOW_URI"] for process in asked] == [uri]
