"""The suite tells what it skipped, and in CI skips nothing that can be installed."""

import pytest

pytest_plugins = ("pytester",)
MODULE = """
import pytest

@pytest.mark.parametrize("name", "ab")
def test_one(name):
    pytest.skip("weighing is not possible: apt-get install scales")

@pytest.mark.skipif(True, reason="a library is not installed")
def test_other(): ...

@pytest.mark.skipif(True, reason="no server: PULLRISK_TEST_MONGO_URI=...")
def test_third(): ...

def test_runs(): ...
"""


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    for name in ("PULLRISK_TEST_CI", "PULLRISK_TEST_MAY_SKIP"):
        monkeypatch.delenv(name, raising=False)
    pytester.makepyfile(MODULE)
    return pytester


def run(suite: pytest.Pytester) -> pytest.RunResult:
    return suite.runpytest_inprocess("-p", "support.skips", "-p", "no:randomly")


def test_one_line_tells_what_was_skipped_and_how_to_enable_it(suite: pytest.Pytester) -> None:
    result = run(suite)
    result.assert_outcomes(passed=1, skipped=4)
    result.stdout.fnmatch_lines(
        "skipped: weighing is not possible: apt-get install scales (2); "
        "a library is not installed: make setup (1); no server: PULLRISK_TEST_MONGO_URI=... (1)"
    )


@pytest.mark.parametrize(("may_skip", "failed"), [(None, 2), ("apt-get", 0)])
def test_in_ci_a_skip_that_an_installation_cures_is_a_failure(
    suite: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    may_skip: str | None,
    failed: int,
) -> None:
    monkeypatch.setenv("PULLRISK_TEST_CI", "1")
    if may_skip:
        monkeypatch.setenv("PULLRISK_TEST_MAY_SKIP", may_skip)
    result = run(suite)
    result.assert_outcomes(passed=1, failed=failed, errors=1, skipped=3 - failed)
