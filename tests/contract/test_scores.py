"""What every table of published scores must do; a new adapter adds itself to TABLES."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pullrisk.pulls.mongo_documents import Document
from pullrisk.pulls.scores import MOST_STEPS, PublishedScore, ScoreQuery, ScoreTable
from pullrisk.pulls.scores_mongo import MongoScores
from pullrisk.pulls.scores_sqlite import SqliteScores

TABLES = ("sqlite", "mongo")
DAY = datetime(2024, 2, 29, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(params=TABLES)
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], ScoreTable]:
    """Opens the same table, again at each call."""
    if request.param == "sqlite":
        return lambda: SqliteScores(tmp_path / "new" / "pulls.sqlite")
    uri: str = request.getfixturevalue("mongo_uri")
    return lambda: MongoScores(uri)


@pytest.fixture
def table(reopen: Callable[[], ScoreTable]) -> Iterator[ScoreTable]:
    opened = reopen()
    yield opened
    opened.close()


def score(number: int, **changes: Any) -> PublishedScore:
    """An open pull, each riskier and later than the one before."""
    made = PublishedScore(
        repository="o/r",
        number=number,
        title=f"Change {number}",
        author="ann",
        state="open",
        created_at=DAY + HOUR * number,
        updated_at=DAY + HOUR * number,
        event_at=None,
        verdict="Likely to need a fix: 30 %.",
        reason="it adds 100 lines",
        model="one",
        scored_at=DAY + HOUR * number,
        risk=number / 100,
        band="low",
        lines=number,
        head_sha="abc",
    )
    return msgspec.structs.replace(made, **changes)


def test_what_another_wrote_meanwhile_is_not_undone(mongo_uri: str) -> None:
    """SQLite has one writer at a time."""
    other = MongoScores(mongo_uri)
    late = score(1, title="Late", scored_at=DAY + 2 * HOUR)
    meanwhile = [[late, score(2)]]

    class Slow(MongoScores):
        def _find(self, *arguments: Any, **more: Any) -> list[Document]:
            rows = super()._find(*arguments, **more)
            if meanwhile:
                other.put(meanwhile.pop(0))
            return rows

    slow = Slow(mongo_uri)
    try:
        other.put([score(1)])
        slow.put([score(1, title="Early"), score(2, model="two")])
        first, second = slow.get("o/r", 1), slow.get("o/r", 2)
        assert first is not None
        assert second is not None
        assert first.title == "Late"
        assert [step.model for step in second.steps] == ["one", "two"]
    finally:
        slow.close()
        other.close()


def test_what_was_put_in_comes_back_whole_with_its_first_step(
    reopen: Callable[[], ScoreTable],
) -> None:
    put = score(1, labels=("bug", "Größe"), paths=("src/ä.py",), checks="success", draft=True)
    first, second = reopen(), reopen()
    first.put([put])
    assert second.get("o/r", 1) == msgspec.structs.replace(put, steps=(put.step,))
    first.close()
    second.close()


def test_a_table_that_nobody_wrote_to_is_empty(table: ScoreTable) -> None:
    assert table.get("o/r", 1) is None
    assert table.page(ScoreQuery()).scores == []
    assert table.page(ScoreQuery()).total == 0
    assert table.versions([("o/r", 1)]) == {}
    assert table.counts() == {}
    assert table.newest() is None


def test_each_push_is_a_step_and_a_repetition_is_none(table: ScoreTable) -> None:
    table.put([score(1, risk=0.1)])
    table.put([score(1, risk=0.2, scored_at=DAY + 2 * HOUR)])
    table.put([score(1, risk=0.3, scored_at=DAY + 3 * HOUR, head_sha="def")])
    table.put([score(1, risk=0.4, scored_at=DAY + 4 * HOUR, head_sha="def", model="two")])
    kept = table.get("o/r", 1)
    assert kept is not None
    assert [(step.head_sha, step.model, step.risk) for step in kept.steps] == [
        ("abc", "one", 0.2),
        ("def", "one", 0.3),
        ("def", "two", 0.4),
    ]


def test_the_steps_of_a_pull_with_many_pushes_are_the_latest(table: ScoreTable) -> None:
    table.put(score(1, head_sha=f"{push}", scored_at=DAY + push * HOUR) for push in range(60))
    kept = table.get("o/r", 1)
    assert kept is not None
    assert [step.head_sha for step in kept.steps] == [f"{n}" for n in range(60 - MOST_STEPS, 60)]


def test_an_earlier_version_replaces_nothing(table: ScoreTable) -> None:
    table.put([score(1, updated_at=DAY + 5 * HOUR, title="new")])
    table.put([score(1, updated_at=DAY, scored_at=DAY + 9 * HOUR, title="old")])
    table.put([score(1, updated_at=DAY + 5 * HOUR, scored_at=DAY, title="old")])
    kept = table.get("o/r", 1)
    assert kept is not None
    assert kept.title == "new"


@pytest.mark.parametrize(
    ("sort", "numbers"),
    [("risk", [3, 1, 2]), ("updated", [2, 3, 1]), ("created", [1, 2, 3]), ("size", [2, 1, 3])],
)
def test_the_list_is_sorted(table: ScoreTable, sort: Any, numbers: list[int]) -> None:
    late = dict.fromkeys(("created_at", "updated_at"), DAY + 9 * HOUR)
    table.put(
        [
            score(1, risk=0.2, created_at=late["created_at"], lines=5),
            score(2, risk=None, band=None, updated_at=late["updated_at"], lines=9),
            score(3, risk=0.9, created_at=DAY, lines=None),
        ]
    )
    page = table.page(ScoreQuery(sort=sort))
    assert [each.number for each in page.scores] == numbers


HIGH = score(1, band="high", author="Bob", labels=("bug", "needs review"), paths=("src/Core/a.py",))
OLD = score(2, state="merged", event_at=DAY - 900 * HOUR, repository="a/b", title="Éclair 100%_")
NEW = score(3, state="merged", event_at=DAY, labels=("bug fix",), paths=("docs/core.md", "x[1].c"))


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        (ScoreQuery(), [3, 2, 1]),
        (ScoreQuery(repository="a/b"), [2]),
        (ScoreQuery(repositories=frozenset({"a/b", "c/d"})), [2]),
        (ScoreQuery(repositories=frozenset()), []),
        (ScoreQuery(band="high"), [1]),
        (ScoreQuery(state="merged"), [3, 2]),
        (ScoreQuery(author="Bob"), [1]),
        (ScoreQuery(label="BUG"), [1]),
        (ScoreQuery(label="review"), []),
        (ScoreQuery(path="core"), [3, 1]),
        (ScoreQuery(path="x[1]"), [3]),
        (ScoreQuery(path="x.1"), []),
        (ScoreQuery(text="éCLAIR"), [2]),
        (ScoreQuery(text="0%_"), [2]),
        (ScoreQuery(text="bob"), [1]),
        (ScoreQuery(since=DAY - HOUR), [3, 1]),
        (ScoreQuery(since=DAY - HOUR, path="core", label="bug"), [1]),
    ],
)
def test_the_list_is_filtered(table: ScoreTable, query: ScoreQuery, numbers: list[int]) -> None:
    table.put([HIGH, OLD, NEW])
    page = table.page(query)
    assert [each.number for each in page.scores] == numbers
    assert page.total == len(numbers)


def test_pages_follow_each_other(table: ScoreTable) -> None:
    table.put(score(number, risk=0.5) for number in range(1, 8))
    pages = [table.page(ScoreQuery(limit=3, offset=offset)) for offset in (0, 3, 6, 9)]
    assert [[each.number for each in page.scores] for page in pages] == [
        [1, 2, 3], [4, 5, 6], [7], []
    ]  # fmt: skip
    assert {page.total for page in pages} == {7}


def test_versions_tell_what_is_to_be_scored_again(table: ScoreTable) -> None:
    table.put([score(1), score(2, model="two")])
    keys = [("o/r", 1), ("o/r", 2), ("o/r", 3)]
    assert table.versions(keys) == {
        ("o/r", 1): (DAY + HOUR, "one"),
        ("o/r", 2): (DAY + 2 * HOUR, "two"),
    }


def test_open_pulls_are_counted_by_repository_and_band(table: ScoreTable) -> None:
    table.put([HIGH, OLD, NEW, score(4), score(5), score(6, risk=None, band=None)])
    assert table.counts() == {"a/b": {}, "o/r": {"high": 1, "low": 2, "": 1}}


def test_the_newest_is_told(table: ScoreTable) -> None:
    table.put([OLD, NEW, HIGH])
    assert table.newest() == HIGH.updated_at
