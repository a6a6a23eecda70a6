"""A folder folds a store as the lake does: the same rows and history, in one go or bit by bit."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from pullrisk.lake import Lake
from pullrisk.preprocess import preprocess
from pullrisk.progress import Silent
from pullrisk.pulls.record import Pull
from pullrisk.pulls.sqlite import SqliteStore
from pullrisk.score.folded import FoldedFolder
from support.sample import sample_pulls

NAME = "kedro-org/kedro"
PULLS = sorted(sample_pulls(240), key=lambda pull: str(pull.event_at))


def folded(folder: Path, *batches: Sequence[Pull]) -> FoldedFolder:
    """The folder after a fold of each batch, which the store has beside the earlier ones."""
    found = FoldedFolder(folder / "folded", NAME)
    with SqliteStore(folder / "pulls.sqlite") as store:
        for batch in batches:
            store.upsert(batch)
            found.fold(store, Silent())
    return found


def content(found: FoldedFolder | Lake) -> tuple[list[int], bytes, bytes | None]:
    numbers, rows = found.rows(NAME)
    return numbers, rows.tobytes(), found.history(NAME)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[int], bytes, bytes | None]:
    folder = tmp_path_factory.mktemp("lake")
    with SqliteStore(folder / "pulls.sqlite") as store:
        store.upsert(PULLS)
        preprocess(store, Lake(folder / "lake"))
    return content(Lake(folder / "lake"))


@pytest.mark.parametrize(
    "batches",
    [
        pytest.param([PULLS], id="at once"),
        pytest.param([PULLS[:100], PULLS[100:]], id="later ones later"),
        pytest.param([PULLS, []], id="nothing new"),
        pytest.param([PULLS[100:], PULLS[:100]], id="earlier ones later"),
        pytest.param([[replace(PULLS[5], title="other"), *PULLS[6:]], PULLS], id="one changed"),
    ],
)  # fmt: skip
def test_it_is_what_the_lake_is(
    tmp_path: Path,
    whole: tuple[list[int], bytes, bytes | None],
    batches: list[list[Pull]],
) -> None:
    assert content(folded(tmp_path, *batches)) == whole


def test_a_history_of_another_form_is_made_anew(
    tmp_path: Path, whole: tuple[list[int], bytes, bytes | None]
) -> None:
    (folded(tmp_path, PULLS[:100]).folder / "history").write_bytes(b"of another form")
    assert content(folded(tmp_path, PULLS)) == whole


def test_it_gives_the_rows_that_are_asked_for(tmp_path: Path) -> None:
    found = folded(tmp_path, PULLS)
    numbers, rows = found.rows(NAME)
    some = found.rows(NAME, {numbers[3], numbers[1], 10**9})
    assert some[0] == [numbers[1], numbers[3]]
    np.testing.assert_array_equal(some[1], rows[[1, 3]])


def test_it_knows_nothing_of_another_repository_nor_before_it_is_folded(tmp_path: Path) -> None:
    empty = FoldedFolder(tmp_path / "empty", NAME)
    full = folded(tmp_path, PULLS[:20])
    assert (empty.exists(), full.exists()) == (False, True)
    for found, name in ((empty, NAME), (full, "o/r")):
        assert (found.current_run(name), found.history(name)) == (None, None)
        assert found.rows(name)[1].shape[0] == 0
