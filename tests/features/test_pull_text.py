"""What a pull says of itself beside its features."""

import msgspec
import pytest

from pullrisk.features.pull_text import MOST_PATHS, PullText, names_reverted, text_of
from pullrisk.pulls.record import ChangedFile, Pull
from support.histories import START

PULL = Pull(repository="o/r", number=1, created_at=START, updated_at=START)


def test_a_pull_says_its_title_its_labels_and_its_first_paths() -> None:
    files = tuple(ChangedFile(f"src/{n}.py") for n in range(MOST_PATHS + 3))
    pull = msgspec.structs.replace(PULL, title="Fix it", labels=("bug", "p1"), files=files)
    paths = tuple(f"src/{n}.py" for n in range(MOST_PATHS))
    assert text_of(pull) == PullText("Fix it", ("bug", "p1"), paths, False)


def test_a_pull_of_a_store_without_titles_and_files_says_nothing() -> None:
    assert text_of(PULL) == PullText("", (), (), False)


@pytest.mark.parametrize(
    "body",
    [
        "Reverts owner/name#12",
        "Reverts #12",
        "It broke the build.\n\nThis reverts commit 1234567890abcdef.",
        "Revert: owner/name#12",
        "Reverting #9 for now",
    ],
)
def test_a_body_that_names_what_is_reverted_is_known(body: str) -> None:
    assert names_reverted(body)


@pytest.mark.parametrize(
    "body", ["", "Whenever #12 fails, retry", "Adds a revert button", "It should be reverted #3"]
)
def test_a_body_that_only_sounds_like_it_is_not(body: str) -> None:
    assert not names_reverted(body)
