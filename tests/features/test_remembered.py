"""What a history remembers beside features: titles, failures file by file, reviewers, renames."""

from datetime import timedelta

import pytest

from pullrisk.features import RepositoryHistory, pulllog
from pullrisk.features.failures import REPAIR, REVERT, WHOLE, push_row
from pullrisk.features.reviewers import reviewers_of
from pullrisk.features.saved_form import pack, unpack
from pullrisk.pulls.lines import ChangedLines, Origin
from pullrisk.pulls.record import ChangedFile, Pull, Review
from support.histories import START, after, pull


def fix(number: int, of: int, *, day: float) -> Pull:
    lines = ChangedLines(rewrites=(Origin(of, 4, 0),), neighbours=(), code_added=4, code_removed=4)
    return pull(number, day=day, title="Fix a crash", lines=lines)


def events(history: RepositoryHistory) -> list[tuple[int, int, int, int]]:
    failures = history.failures
    return list(
        zip(failures.rows, failures.by, failures.files, failures.kinds, strict=True)
    )  # fmt: skip


def test_repairs_and_reverts_are_remembered_with_what_did_them_and_where() -> None:
    revert = pull(3, day=5, title='Revert "Change 1"', body="Reverts owner/name#1")
    history = after(
        pull(1), fix(2, 1, day=3), revert, pull(-7, day=6), fix(4, -7, day=7), fix(-8, 4, day=8)
    )
    expected = [
        (0, 1, 0, REPAIR), (0, 2, WHOLE, REVERT), (push_row(0), 3, 0, REPAIR),
        (3, push_row(1), 0, REPAIR),
    ]  # fmt: skip
    assert events(history) == expected
    assert events(RepositoryHistory.load(history.save())) == expected


def test_titles_of_the_latest_pulls_are_remembered_and_the_rest_forgotten() -> None:
    most = pulllog.TITLES
    first = pull(1, title="x" * 500, files=None)
    history = after(first)
    assert history.log.title_of(0) == "x" * 160
    for number in range(2, most + 3):
        history.observe(pull(number, files=None))
    restored = RepositoryHistory.load(history.save())
    for each in (history, restored):
        assert [each.log.title_of(row) for row in (0, 1, 2)] == [None, None, "Change 3"]
        assert each.log.title_of(most + 1) == f"Change {most + 2}"
    assert restored.save() == history.save()


def test_a_history_of_the_earlier_form_is_refused_in_so_many_words() -> None:
    saved = after(pull(1)).save()
    with pytest.raises(ValueError, match="saved by an earlier pullrisk"):
        RepositoryHistory.load(b"PRH1" + saved[4:])


def test_every_beginning_of_a_saved_history_is_refused() -> None:
    saved = after(pull(1), fix(2, 1, day=3)).save()
    assert pack(unpack(saved)) == saved
    for length in range(len(saved)):
        with pytest.raises(ValueError, match="history"):
            RepositoryHistory.load(saved[:length])


def test_renames_and_removals_are_remembered() -> None:
    moved = (ChangedFile("lib/app.py", "renamed", 0, 0, "src/app.py"),)
    history = after(pull(1), pull(2, files=moved), pull(3, files=(ChangedFile("x", "removed"),)))
    files = history.touched.files
    assert history.touched.renames == [(1, 0)]
    gone = [record and record.gone for record in files.find(["src/app.py", "lib/app.py", "x"])]
    assert gone == [True, False, True]
    history.observe(pull(4, day=9, files=(ChangedFile("x", "added"),)))
    assert [record and record.gone for record in files.find(["x"])] == [False]


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("Fix it\n\nReviewers: Jo Ott <jo@a.example>, Li Wei", ["named:Jo Ott", "named:Li Wei"]),
        ("Reviewed-by: Jo Ott <<email>>\nReviewed-by: Jo Ott", ["named:Jo Ott"]),
        ("Acked-by: José Ångström-Li (core)", ["named:José Ångström-Li"]),
        ("reviewers: @Jo-Ott and @ada", ["login:jo-ott", "login:ada"]),
        ("Reviewers: N/A", []),
        ("Reviewers: none yet, please <b>look</b> at all the code paths of the parser", []),
        ("The reviewers: they are nice", []),
        ("Reviewed-by: renovate bot, dependabot[bot]", []),
    ],
)
def test_reviewers_are_read_from_trailers(body: str, names: list[str]) -> None:
    assert reviewers_of(pull(1, body=body)) == names


def test_reviewers_are_read_from_reviews_before_the_merge() -> None:
    day = START + timedelta(days=1)
    reviews = (
        Review("Rita", "approved", day), Review("rita", "commented", None),
        Review("ada", "commented", day), Review(None, "approved", day),
        Review("ci[bot]", "approved", day), Review("late", "approved", day + timedelta(days=1)),
        Review("gone", "dismissed", day),
    )  # fmt: skip
    assert reviewers_of(pull(1, reviews=reviews)) == ["login:rita"]
