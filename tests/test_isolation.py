"""Tests are kept apart: processes, environment and learned secrets of one do not reach the next."""

import psutil
import pytest

pytest_plugins = ("pytester",)
LEAVES_A_PROCESS = """
import subprocess

def test_one():
    program = "sleep 600 & echo $!; exec sleep 600"
    left = subprocess.Popen(["sh", "-c", program], stdout=subprocess.PIPE, text=True)
    with open("left", "w") as file:
        file.write(f"{left.pid} {left.stdout.readline()}")
    left.stdout.close()
    left.returncode = 0  # so that Popen does not complain too
    assert not WRONG
"""
CHANGES_STATE = """
import logging, os, signal
import pytest
from pullrisk.redaction import REDACTOR

@pytest.fixture(scope="module", autouse=True)
def _of_the_module():
    signal.signal(signal.SIGTERM, lambda *_: None)

def test_changes(tmp_path):
    REDACTOR.learn("first")
    os.environ["LEFT"] = "x"
    os.chdir(tmp_path)
    signal.signal(signal.SIGTERM, lambda *_: None)
    logging.getLogger().addHandler(logging.NullHandler())
    logging.getLogger().setLevel(1)

def test_finds_nothing_of_it():
    assert REDACTOR.text("run first") == "run first"
    assert "LEFT" not in os.environ
    assert os.path.exists("test_changes_state.py")
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert not any(type(one) is logging.NullHandler for one in logging.getLogger().handlers)
    assert logging.getLogger().level != 1
"""


def run(pytester: pytest.Pytester) -> pytest.RunResult:
    return pytester.runpytest_inprocess("-p", "support.isolation", "-p", "no:randomly")


@pytest.mark.parametrize("wrong", [False, True])
def test_a_process_and_its_orphan_that_a_test_leaves_are_killed_and_named(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, wrong: bool
) -> None:
    monkeypatch.setattr("support.isolation.GRACE", 0.1)
    pytester.makepyfile(LEAVES_A_PROCESS.replace("WRONG", str(wrong)))
    result = run(pytester)
    result.assert_outcomes(passed=not wrong, failed=wrong, errors=1)
    result.stdout.fnmatch_lines("*the test left processes behind, now killed: *sleep 600*")
    pids = [int(pid) for pid in (pytester.path / "left").read_text().split()]
    assert len(pids) == 2
    left = [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]
    assert all(process.status() == psutil.STATUS_ZOMBIE for process in left)


def test_what_a_test_changes_in_its_process_is_as_before(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_changes_state=CHANGES_STATE)
    run(pytester).assert_outcomes(passed=2)
