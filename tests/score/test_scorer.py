from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pyarrow as pa
import pytest

from pullrisk.errors import LakeError
from pullrisk.features import FEATURES, NAMES, SCHEMA_HASH
from pullrisk.lake import Lake
from pullrisk.model.bundle import Bundle
from pullrisk.preprocess import preprocess
from pullrisk.progress import Silent
from pullrisk.pulls.record import Pull
from pullrisk.pulls.sqlite import SqliteStore
from pullrisk.score.scorer import Scorer
from pullrisk.train.dataset import Dataset
from pullrisk.train.fit import FitSettings
from pullrisk.train.training import TrainSettings, train
from support.sample import sample_pulls
from support.serving import make_home

STORED = 400
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def pulls() -> list[Pull]:
    """Kedro's first pull requests; the last ten are not stored."""
    return sample_pulls(STORED + 10)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake that knows all but the last ten."""
    return Lake(make_home(tmp_path_factory.mktemp("home"), pulls=STORED) / "lake")


@pytest.fixture(scope="module")
def bundle(lake: Lake) -> Bundle:
    dataset = Dataset.from_table(lake.table(), NAMES)
    settings = TrainSettings(fit=FitSettings(epochs=1))
    return train(dataset, FEATURES, settings, schema_hash=SCHEMA_HASH, progress=Silent()).bundle


def opened(pull: Pull, **changes: object) -> Pull:
    return msgspec.structs.replace(pull, merged_at=None, closed_at=None, **changes)


def test_a_stored_merged_pull_is_scored_by_its_row(
    bundle: Bundle, lake: Lake, pulls: Sequence[Pull]
) -> None:
    found = Scorer(bundle, lake).score(pulls[100:101], now=NOW)[0]
    assert (found.basis, found.as_of) == ("row", pulls[100].merged_at)
    row = lake.table(["number", *NAMES]).to_pylist()[100]
    assert row["number"] == found.number
    scored = Scorer(bundle, lake).score_rows(pulls[100:101], now=NOW)[0]
    assert scored.score == found
    assert scored.row.tolist() == pytest.approx(list(row.values())[1:], nan_ok=True)


def test_a_pull_merged_after_the_history_is_folded_live(
    bundle: Bundle, lake: Lake, pulls: Sequence[Pull]
) -> None:
    found = Scorer(bundle, lake).score(pulls[STORED:], now=NOW)
    assert {one.basis for one in found} == {"history"}


def test_a_live_score_equals_the_one_of_the_row_that_replay_makes_later(
    bundle: Bundle, lake: Lake, pulls: Sequence[Pull], tmp_path: Path
) -> None:
    live = Scorer(bundle, lake).score(pulls[STORED : STORED + 1], now=NOW)
    later = Lake(tmp_path / "lake")
    with SqliteStore(tmp_path / "pulls.sqlite") as store:
        store.upsert(pulls[: STORED + 1])
        preprocess(store, later)
    stored = Scorer(bundle, later).score(pulls[STORED : STORED + 1], now=NOW)
    assert (live[0].basis, stored[0].basis) == ("history", "row")
    assert live[0].novelty == stored[0].novelty


def test_a_merged_pull_that_the_lake_skipped_is_told_apart(
    bundle: Bundle, lake: Lake, pulls: Sequence[Pull]
) -> None:
    missed = msgspec.structs.replace(pulls[100], number=999_999)
    found = Scorer(bundle, lake).score([missed], now=NOW)[0]
    assert found.basis == "later history"


def test_answers_come_in_the_order_asked_whatever_the_repositories(
    bundle: Bundle, lake: Lake, pulls: Sequence[Pull]
) -> None:
    foreign = opened(pulls[5], repository="some/where")
    asked = [foreign, pulls[7], opened(pulls[9], number=10**6), foreign, pulls[3]]
    found = Scorer(bundle, lake).score(asked, now=NOW)
    assert [(one.repository, one.number) for one in found] == [
        (pull.repository, pull.number) for pull in asked
    ]
    assert [one.basis for one in found] == ["no history", "row", "history", "no history", "row"]


def test_an_open_pull_is_scored_as_of_now(
    bundle: Bundle, lake: Lake, pulls: Sequence[Pull]
) -> None:
    scorer = Scorer(bundle, lake)
    pull = opened(pulls[200], number=10**6)
    soon, late = (scorer.score([pull], now=NOW + timedelta(days=days))[0] for days in (0, 1_000))
    assert soon.as_of == NOW
    assert soon.novelty_error != late.novelty_error


def test_without_a_lake_every_repository_is_unknown(
    bundle: Bundle, pulls: Sequence[Pull], tmp_path: Path
) -> None:
    found = Scorer(bundle, Lake(tmp_path / "none")).score(pulls[:1], now=NOW)[0]
    assert found.basis == "no history"


def test_a_damaged_history_is_named(bundle: Bundle, pulls: Sequence[Pull], tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    with SqliteStore(tmp_path / "pulls.sqlite") as store:
        store.upsert(pulls[:20])
        preprocess(store, lake)
    for history in (tmp_path / "lake" / "histories").rglob("*.history"):
        history.write_bytes(b"damaged")
    with pytest.raises(LakeError, match="history"):
        Scorer(bundle, lake).score([opened(pulls[1], number=10**6)], now=NOW)


def test_a_pull_gets_the_pattern_that_it_is_most_like(
    bundle: Bundle, lake: Lake, pulls: Sequence[Pull]
) -> None:
    patterns = bundle.metadata.patterns
    assert patterns is not None
    found = Scorer(bundle, lake).score(pulls[:20], now=NOW)
    assert {one.pattern for one in found} <= {one.name for one in patterns.each}


def test_a_pull_gets_the_category_that_it_states_or_else_that_of_the_network(
    lake: Lake, pulls: Sequence[Pull]
) -> None:
    table = lake.table()
    titles = [f"{('fix', 'docs')[row % 2]}: {row}" for row in range(table.num_rows)]
    place = table.column_names.index("title")
    dataset = Dataset.from_table(table.set_column(place, "title", pa.array(titles)), NAMES)
    settings = TrainSettings(fit=FitSettings(epochs=1))
    telling = train(dataset, FEATURES, settings, schema_hash=SCHEMA_HASH, progress=Silent()).bundle
    asked = [opened(pulls[0], title=title) for title in ("ci: faster", "Handle an empty list")]
    stated, told = Scorer(telling, lake).score(asked, now=NOW)
    assert stated.category is not None
    assert (stated.category.name, stated.category.source) == ("CI and build", "title")
    assert told.category is not None
    assert told.category.source == "network"
    assert 0 < told.category.probability <= 1


def test_a_model_that_learnt_no_categories_tells_none(
    bundle: Bundle, lake: Lake, pulls: Sequence[Pull]
) -> None:
    silent = bundle.with_metadata(msgspec.structs.replace(bundle.metadata, categories=()))
    (found,) = Scorer(silent, lake).score(pulls[:1], now=NOW)
    assert found.category is None
