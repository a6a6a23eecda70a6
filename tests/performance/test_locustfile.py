"""The load test judges: exit code 0 where every threshold holds, 1 where one is missed."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.load import load_settings
from support.processes import PATIENCE
from support.serving import ROOT, Served, make_home, served

LOCUSTFILE = ROOT / "tests" / "performance" / "locustfile.py"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(make_home(tmp_path_factory.mktemp("load") / "home"), access_log="false") as one:
        yield one


def load(one: Served, folder: Path, **own: str) -> tuple[int, dict[str, Any]]:
    """Some requests, however long they take; the exit code and the figures."""
    found = folder / "load.json"
    arguments = [sys.executable, "-m", "locust", "--headless", "--only-summary", "-f"]
    arguments += [str(LOCUSTFILE), "--host", one.url, "-u", "2", "-t", f"{PATIENCE:.0f}s"]
    settings = load_settings(20, most_ms=30_000) | {"PULLRISK_TEST_JSON": str(found)} | own
    environment = os.environ | settings
    ran = subprocess.run(arguments, env=environment, capture_output=True, check=False)
    return ran.returncode, json.loads(found.read_text())


def test_a_load_within_every_threshold_ends_with_0(service: Served, tmp_path: Path) -> None:
    code, figures = load(service, tmp_path)
    assert (code, figures["missed"], figures["failures"]) == (0, [], 0)
    assert figures["requests"] >= 20


def test_a_missed_latency_ends_with_1_and_is_named(service: Served, tmp_path: Path) -> None:
    code, figures = load(service, tmp_path, PULLRISK_TEST_P95_MS="0.001")
    assert (code, figures["missed"]) == (1, ["p95"])


def test_failed_requests_end_with_1(service: Served, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("nobody knows it")
    with served(service.home, "--keys-file", str(keys)) as closed:
        code, figures = load(closed, tmp_path)
    assert (code, figures["missed"]) == (1, ["failures"])
