"""Tests start without the variables of a CI runner, so that they do the same everywhere."""

import os
import re
from typing import Final

_OF_A_RUNNER: Final = re.compile(r"CI|GH_TOKEN|(GITHUB|RUNNER|ACTIONS)_\w+")
_IN_CI: Final = "PULLRISK_TEST_CI"
"""Set where `CI` was true, for this process and the workers that it starts."""


def remove_runner_variables() -> None:
    """Remove what GitHub sets in a job; a test that needs one of them sets it itself."""
    if os.environ.get("CI") == "true":
        os.environ[_IN_CI] = "1"
    for name in filter(_OF_A_RUNNER.fullmatch, list(os.environ)):
        del os.environ[name]


def in_ci() -> bool:
    """Whether the tests run on a runner."""
    return os.environ.get(_IN_CI) == "1"
