"""Injected anomalies differ from the pull they were made from in what they say, and no more."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from pullrisk.features import NAMES
from pullrisk.progress import Silent
from pullrisk.pulls.record import ChangedFile, Pull
from pullrisk.train.injections import FOREIGN, INFLATED, STRANGER, inflate, inject
from pullrisk.train.novelty import Injected

START = datetime(2024, 1, 1, tzinfo=UTC)
SINCE = int((START + timedelta(days=60)).timestamp() * 1e6)


def pulls(repository: str, *, count: int = 80) -> list[Pull]:
    random = np.random.default_rng(len(repository))
    found = []
    for number in range(1, count + 1):
        merged = START + timedelta(days=number)
        places = random.choice(12, size=int(random.integers(1, 4)), replace=False)
        files = tuple(ChangedFile(f"{repository}/{i}.py", "modified", 10, 5) for i in places)
        found.append(
            Pull(
                repository=repository, number=number, created_at=merged - timedelta(hours=5),
                updated_at=merged, merged_at=merged, closed_at=merged, title="Change it",
                author=f"author-{random.integers(5)}", additions=10 * len(files),
                deletions=5 * len(files), changed_files=len(files), files=files, commits=1,
            )
        )  # fmt: skip
    return found


def injected() -> Injected:
    known = {name: pulls(name) for name in ("owner/one", "owner/second")}
    found = inject(
        lambda name: known[name], dict.fromkeys(known, SINCE), per_repository=10, progress=Silent()
    )
    assert found is not None
    return found


def column(x: np.ndarray, name: str) -> np.ndarray:
    return x[:, NAMES.index(name)]


def test_every_kind_has_a_row_for_every_ordinary_pull() -> None:
    found = injected()
    assert found.normal.shape == (20, len(NAMES))
    assert set(found.anomalies) == {FOREIGN, INFLATED, STRANGER}
    assert all(rows.shape == found.normal.shape for rows in found.anomalies.values())


def test_a_pull_of_another_repository_touches_nothing_known() -> None:
    found = injected()
    assert (column(found.normal, "new_files_share") == 0).all()
    assert (column(found.anomalies[FOREIGN], "new_files_share") == 1).all()


def test_an_inflated_pull_is_ten_to_fifty_times_as_large() -> None:
    found = injected()
    factor = column(found.anomalies[INFLATED], "additions") / column(found.normal, "additions")
    assert factor.min() >= 9.5
    assert factor.max() <= 50.5


def test_a_stranger_is_new_here_and_on_the_most_contested_files() -> None:
    found = injected()
    assert (column(found.anomalies[STRANGER], "author_new") == 1).all()
    assert (column(found.normal, "author_new") == 0).all()
    contested = column(found.anomalies[STRANGER], "file_authors_max")
    assert (contested >= column(found.normal, "file_authors_max")).all()
    assert (column(found.anomalies[STRANGER], "changed_files") == 10).all()


def test_ordinary_rows_are_those_of_a_plain_replay() -> None:
    from pullrisk.features import RepositoryHistory

    history = RepositoryHistory("owner/one")
    rows = []
    for pull in pulls("owner/one"):
        assert pull.merged_at is not None
        if pull.merged_at.timestamp() * 1e6 >= SINCE:
            rows.append(history.features(pull, as_of=pull.merged_at))
        history.observe(pull)
    np.testing.assert_array_equal(injected().normal[:10], np.array(rows[:10], np.float32))


def test_one_repository_alone_receives_no_foreign_pulls() -> None:
    found = inject(lambda _: pulls("owner/one"), {"owner/one": SINCE}, progress=Silent())
    assert found is not None
    assert set(found.anomalies) == {INFLATED, STRANGER}


def test_without_later_pulls_there_is_nothing_to_inject() -> None:
    late = SINCE * 2
    assert inject(lambda _: pulls("owner/one"), {"owner/one": late}, progress=Silent()) is None


@pytest.mark.parametrize("additions", [None, 0, 7])
def test_inflation_keeps_what_is_unknown_unknown(additions: int | None) -> None:
    pull = pulls("owner/one")[0]
    pull = Pull(
        repository=pull.repository, number=1, created_at=START, updated_at=START,
        additions=additions, files=None,
    )  # fmt: skip
    large = inflate(pull, 10, ["a.py"])
    assert large.additions == (None if additions is None else additions * 10)
    assert large.files == ()
