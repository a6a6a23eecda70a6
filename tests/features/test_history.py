import json
import math
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from pullrisk.features import FEATURES, NAMES, SCHEMA_HASH, RepositoryHistory
from pullrisk.features.history import ROW
from pullrisk.features.knowledge import FACTS
from pullrisk.pulls.lines import ChangedLines
from pullrisk.pulls.record import ChangedFile, Pull
from support.histories import START, after, golden_history, histories, pull, row

GOLDEN = Path(__file__).with_name("golden_rows.json")


def rows(events: list[Pull], history: RepositoryHistory | None = None) -> list[list[float]]:
    """The row of every event as of its moment, observing each afterwards."""
    history = history or RepositoryHistory("owner/name")
    found = []
    for event in events:
        assert event.event_at is not None
        found.append(history.features(event, as_of=event.event_at))
        history.observe(event)
    return found


def same(some: list[list[float]], others: list[list[float]]) -> bool:
    """Whether the rows are the same, bit by bit: NaN is NaN."""
    return [ROW.pack(*values) for values in some] == [ROW.pack(*values) for values in others]


@given(histories())
def test_only_what_needs_a_fact_that_the_source_lacks_is_unknown(events: list[Pull]) -> None:
    both = [replace(one, deletions=one.additions) for one in events]  # a source tells both or none
    for event, values in zip(both, rows(both), strict=True):
        lacking = {name for fact in lacked(event) for name in FACTS[fact]}
        unknown = {name for name, value in zip(NAMES, values, strict=True) if math.isnan(value)}
        told_elsewhere = {*FACTS["closed"], *FACTS["author"], *FACTS["repairs"]}
        assert unknown - told_elsewhere == lacking - told_elsewhere


def lacked(pull: Pull) -> Iterator[str]:
    """The facts that a record lacks."""
    yield from pull.unknown
    yield from ("fork",) if pull.head_repository is None else ()
    yield from ("commits",) if pull.commits is None else ()
    yield from ("files",) if pull.files is None else ()
    yield from ("lines",) if pull.additions is None else ()
    yield from ("code",) if pull.lines is None else ()
    yield from ("origins",) if pull.lines is None or pull.lines.rewrites is None else ()
    yield from ("count",) if pull.files is None and pull.changed_files is None else ()


@given(histories())
def test_every_row_is_complete_and_within_the_scales_of_its_features(events: list[Pull]) -> None:
    for values in rows(events):
        assert len(values) == len(FEATURES)
        assert not any(math.isinf(value) for value in values)
        for feature, value in zip(FEATURES, values, strict=True):
            if math.isnan(value):
                continue
            assert feature.scale != "log" or value >= 0.0, feature.name
            assert feature.scale != "flag" or value in (0.0, 1.0), feature.name
            assert feature.unit != "share" or -1e-9 <= value <= 1.0 + 1e-9, feature.name


@given(histories(), st.data())
def test_later_events_never_change_a_row(events: list[Pull], data: st.DataObject) -> None:
    kept = data.draw(st.integers(1, len(events)))

    assert same(rows(events)[:kept], rows(events[:kept]))


@given(histories(), st.data())
def test_saving_restoring_and_going_on_equals_one_replay(
    events: list[Pull], data: st.DataObject
) -> None:
    stop = data.draw(st.integers(0, len(events)))
    history = RepositoryHistory("owner/name")
    before = rows(events[:stop], history)

    restored = RepositoryHistory.load(history.save())

    assert restored.repository == "owner/name"
    assert (restored.as_of, restored.pulls) == (history.as_of, history.pulls)
    assert same(before + rows(events[stop:], restored), rows(events))
    assert restored.save() == after(*events).save()


@given(histories())
def test_asking_leaves_no_trace(events: list[Pull]) -> None:
    asked, silent = RepositoryHistory("owner/name"), RepositoryHistory("owner/name")
    for event in events:
        for other in events:
            asked.features(other, as_of=START + timedelta(days=300))
        asked.observe(event)
        silent.observe(event)

    assert asked.save() == silent.save()


@given(histories())
def test_what_is_known_only_at_the_merge_does_not_enter_a_row(events: list[Pull]) -> None:
    history = after(*events[:-1])
    last, moment = events[-1], START + timedelta(days=250)
    still_open = replace(
        last,
        merged_at=None,
        closed_at=None,
        merge_sha=None,
        updated_at=START,
        labels=("looks good",),
        reviewers=("bob",),
    )

    merged, open_ = (history.features(one, as_of=moment) for one in (last, still_open))
    assert same([merged], [open_])


def test_the_author_s_pulls_count_only_once_they_are_merged() -> None:
    second = pull(2, day=2)

    assert row(after(pull(1, author="bob")), second)["author_merged"] == 0
    assert row(after(pull(1)), second)["author_merged"] == 1
    assert row(after(pull(1)), second)["author_new"] == 0
    assert row(after(pull(1, author="bob")), second)["author_new"] == 1


def test_a_closed_pull_counts_against_its_author_and_not_as_a_merge() -> None:
    found = row(after(pull(1, merged_at=None)), pull(2, day=2))

    assert (found["author_merged"], found["author_unmerged"]) == (0, 1)
    assert found["repository_unmerged_share"] == 1.0
    assert found["new_files_share"] == 1.0


def test_a_revert_counts_against_author_files_and_title_from_its_merge_on() -> None:
    culprit = pull(1, title="Enable turbo", files=(ChangedFile("src/turbo.py", "added", 9, 0),))
    revert = pull(
        2, day=5, title='Revert "Enable turbo"', body="Reverts owner/name#1", author="bob"
    )
    again = pull(3, day=6, title="Enable turbo again", files=culprit.files)

    known, unknown = row(after(culprit, revert), again), row(after(culprit), again)

    assert (unknown["author_failures"], known["author_failures"]) == (0, 1)
    assert (unknown["failed_files_share"], known["failed_files_share"]) == (0, 1)
    assert known["days_since_file_failure"] == 1.0
    assert known["title_failure_odds"] > unknown["title_failure_odds"]
    assert known["title_like_failed"] == pytest.approx(2 / 3)
    assert known["repository_failure_rate"] > unknown["repository_failure_rate"]
    assert row(after(culprit, revert), pull(3, author="bob"))["author_failures"] == 0


def test_a_revert_long_after_the_merge_is_clean_up_and_no_failure() -> None:
    revert = pull(2, day=200, title='Revert "Change 1"', body="Reverts owner/name#1")

    assert row(after(pull(1), revert), pull(3, day=201))["author_failures"] == 0


def test_a_deleted_account_has_no_record_and_gives_none_to_files() -> None:
    ghost = pull(1, author=None)
    found = row(after(ghost, ghost), pull(3, author=None))

    assert found["author_ghost"] == 1
    assert all(math.isnan(found[name]) for name in FACTS["author"])
    assert found["file_touches_max"] == 2


def test_a_pull_without_files_and_one_with_three_thousand_work() -> None:
    files = tuple(ChangedFile(f"src/m{n % 50}/f{n}.py", "modified", 1, 1) for n in range(3_000))
    history = after(pull(1, files=files, changed_files=3_400), pull(2, files=None))

    found = row(history, pull(3, files=files, changed_files=3_400))

    assert (found["changed_files"], found["directories"]) == (3_400, 50)
    assert found["new_files_share"] == 0.0
    assert found["author_known_files"] == 1.0
    assert row(history, pull(4, files=()))["file_touches_max"] == 0
    assert math.isnan(row(history, pull(4, files=None))["file_touches_max"])


def test_a_renamed_file_keeps_its_record_under_the_new_path() -> None:
    moved = ChangedFile("lib/app.py", "renamed", 0, 0, "src/app.py")
    history = after(pull(1), pull(2, day=2), pull(3, day=3, files=(moved,)))

    found = row(history, pull(4, day=4, files=(ChangedFile("lib/app.py", "modified", 1, 1),)))

    assert found["file_touches_max"] == 3
    assert row(after(pull(1)), pull(2, files=(moved,)))["new_files_share"] == 0.0


def test_time_runs_on_while_nothing_happens() -> None:
    history = after(pull(1, day=1))
    asked = pull(2, day=2)
    soon = dict(zip(NAMES, history.features(asked, as_of=START + timedelta(days=2)), strict=True))
    late = dict(zip(NAMES, history.features(asked, as_of=START + timedelta(days=31)), strict=True))

    assert (soon["file_idle_min"], late["file_idle_min"]) == (1.0, 30.0)
    assert late["merges_this_week"] < soon["merges_this_week"]
    assert late["file_heat_max"] == pytest.approx(0.5)


def pushed(number: int, *, day: float, **changes: object) -> Pull:
    return pull(-number, day=day, **changes)


def test_a_direct_push_tells_who_wrote_files_and_when_but_is_no_pull() -> None:
    asked = pull(3, day=4)
    before = after(pull(1, day=1, author="bob"))
    with_push = after(pull(1, day=1, author="bob"), pushed(7, day=3, author="ada"))
    known, unpushed = row(with_push, asked), row(before, asked)

    assert (known["author_touch_share"], unpushed["author_touch_share"]) == (0.5, 0)
    assert (known["file_idle_min"], unpushed["file_idle_min"]) == (1.0, 3.0)
    assert known["same_author_again"] == 1
    assert known["days_since_author_seen"] == 1.0
    counts = ("file_touches_max", "author_merged", "author_share", "merges_this_week", "author_new",
              "hours_since_last_merge", "churn_percentile", "file_failure_rate_max")  # fmt: skip
    assert [known[name] for name in counts] == [unpushed[name] for name in counts]
    assert with_push.pulls == 1
    assert with_push.as_of == START + timedelta(days=3)


def test_a_revert_by_a_push_is_told_with_the_next_merge_also_after_a_restart() -> None:
    revert = pushed(7, day=3, title='Revert "Change 1"', body="This reverts commit 1111aaaa.")
    history = after(pull(1, merge_sha="1111aaaa" + 32 * "0"))
    assert history.observe(revert) == ()
    assert row(history, pull(2, day=4))["author_failures"] == 1
    history = RepositoryHistory.load(history.save())
    (link,) = history.observe(pull(2, day=9))
    assert (link.kind, link.number, link.at) == ("revert", 1, revert.merged_at)
    assert history.observe(pull(3, day=10)) == ()


def test_no_link_names_a_direct_push() -> None:
    history = after(pull(1), pushed(7, day=2, title="Tune", merge_sha=40 * "7"))
    undo = pull(2, day=3, title='Revert "Tune"', body=f"This reverts commit {40 * '7'}.")
    assert history.observe(undo) == ()


def test_an_open_pull_cannot_be_observed() -> None:
    with pytest.raises(ValueError, match="owner/name#1 is open"):
        after(pull(1, merged_at=None, closed_at=None))


@pytest.mark.parametrize("damage", [b"", b"PRH1", b"junk" * 9])
def test_a_corrupt_history_is_refused(damage: bytes) -> None:
    with pytest.raises(ValueError, match="history"):
        RepositoryHistory.load(damage)


@settings(max_examples=50)
@given(st.data())
def test_a_damaged_byte_is_noticed_or_does_no_harm(data: st.DataObject) -> None:
    whole = after(pull(1), pull(2, day=2)).save()
    damaged = bytearray(whole)
    damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= data.draw(st.integers(1, 255))

    try:
        restored = RepositoryHistory.load(bytes(damaged))
    except ValueError:
        return
    assert restored.save() == whole


def test_the_rows_of_a_known_history_stay_what_they_are() -> None:
    """A change of any value must be meant: raise the schema's version, then rewrite the file."""
    golden = json.loads(GOLDEN.read_text())

    assert golden["schema"] == SCHEMA_HASH
    assert golden["names"] == list(NAMES)
    pairs = zip(golden["rows"], rows(golden_history()), strict=True)
    for number, (expected, values) in enumerate(pairs):
        whole = [math.nan if value is None else value for value in expected]
        assert dict(zip(NAMES, values, strict=True)) == pytest.approx(
            dict(zip(NAMES, whole, strict=True)), nan_ok=True
        ), f"row {number}"


CLONED = ("opening", "description")


@pytest.mark.parametrize(
    ("changes", "fact"),
    [
        ({"unknown": CLONED[:1]}, "opening"),
        ({"unknown": CLONED[1:]}, "description"),
        ({"head_repository": None}, "fork"),
        ({"commits": None}, "commits"),
        ({"files": None}, "files"),
        ({"additions": None, "deletions": None}, "lines"),
        ({"lines": None}, "code"),
        ({"lines": ChangedLines()}, "origins"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_feature_is_unknown_where_its_source_lacks_the_fact(
    changes: dict[str, Any], fact: str
) -> None:
    lines = ChangedLines(rewrites=(), neighbours=())
    whole = pull(9, day=9, commits=2, head_repository="ada/name", body="Why.", lines=lines)
    written = pull(2, day=2, lines=ChangedLines(rewrites=(), code_added=5))
    history = after(pull(1, merged_at=None), written)
    known, found = row(history, whole), row(history, replace(whole, **changes))
    assert not any(map(math.isnan, known.values()))
    assert {name for name, value in found.items() if math.isnan(value)} == set(FACTS[fact])


def test_a_fork_is_known_by_name_and_no_fork_too() -> None:
    forks = {None: math.nan, "owner/name": 0.0, "ada/name": 1.0}
    for fork, value in forks.items():
        found = row(after(pull(1)), pull(2, day=2, head_repository=fork))["from_fork"]
        assert found == pytest.approx(value, nan_ok=True)


def test_an_empty_description_is_known() -> None:
    assert row(after(pull(1)), pull(2, day=2, body=""))["body_length"] == 0


def test_closed_pulls_are_unknown_until_the_source_tells_one() -> None:
    merged, closed = pull(1), pull(2, day=2, merged_at=None)
    asked = pull(3, day=3)
    assert math.isnan(row(after(merged), asked)["repository_unmerged_share"])
    assert row(after(merged, closed), asked)["repository_unmerged_share"] == 0.5


def test_a_pull_without_line_counts_says_nothing_of_what_size_is_usual() -> None:
    blind = [pull(number, day=number, additions=None, deletions=None) for number in range(2, 20)]
    sized = [pull(number, day=number, additions=900) for number in range(20, 30)]
    asked = pull(40, day=40, additions=900)
    with_, without = row(after(*blind, *sized), asked), row(after(*sized), asked)
    assert with_["churn_score"] == without["churn_score"]
    assert with_["churn_percentile"] == without["churn_percentile"]
