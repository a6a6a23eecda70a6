"""Which messages merge a pull, and what the record keeps of people."""

from datetime import UTC, datetime

import pytest

from pullrisk.fetch.git.log import Commit
from pullrisk.fetch.git.pulls import Merge, merge_of, pull_of
from pullrisk.pulls.record import ChangedFile

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)


def commit(message: str, *, name: str = "Ann", email: str = "ann@x.org") -> Commit:
    return Commit("c" * 40, ("p" * 40,), name, email, NOON, NOON, message, ())


@pytest.mark.parametrize(
    ("message", "merge"),
    [
        ("Merge pull request #7 from bob/fix/it\n\nFix it\n\nWhy.",
         Merge(7, "Fix it", "Why.", "bob", "fix/it")),
        ("Merge pull request #7 from branch\n\nFix", Merge(7, "Fix", "", None, "branch")),
        ("Merge pull request #7", Merge(7, "", "")),
        ("Auto merge of #90 - bob:topic, r=alice\n\nAdd a thing\n\nBody.",
         Merge(90, "Add a thing", "Body.", "bob", "topic")),
        ("Merge #12\n\n12: Add a thing r=alice a=bob\n\nBody.", Merge(12, "Add a thing", "Body.")),
        ("Add a thing (#3)", Merge(3, "Add a thing", "")),
        ("Add a thing (#3)  \n\nBody (#9)", Merge(3, "Add a thing", "Body (#9)")),
        ('Revert "Add (#12)" (#34)', Merge(34, 'Revert "Add (#12)"', "")),
        ("Backport fix (#12) (#34)", Merge(34, "Backport fix (#12)", "")),
        ("(#3)", Merge(3, "", "")),
    ],
)  # fmt: skip
def test_a_message_that_merges_a_pull_is_recognised(message: str, merge: Merge) -> None:
    assert merge_of(commit(message)) == merge


@pytest.mark.parametrize(
    "message",
    ["", "Fix #3", "Fix (#3) at last", 'Revert "Add (#12)"', "Merge branch 'a' (see #3)", "x (#0)",
     "Fix (#12345678901)", "Merge #1 #2", "Try #3:", "Fix\n\nSecond line (#3)"],
)  # fmt: skip
def test_a_message_that_merges_no_pull_is_passed_over(message: str) -> None:
    assert merge_of(commit(message)) is None


@pytest.mark.timeout(60)  # a pattern that backtracks takes many minutes
def test_a_long_message_is_judged_in_a_moment() -> None:
    assert merge_of(commit("(#1) " * 300_000 + "x")) is None
    assert merge_of(commit("x" + " " * 1_000_000 + "(#12")) is None
    assert merge_of(commit("Merge #12\n\n12: " + " r=" * 300_000)) is not None


@pytest.mark.parametrize(
    ("name", "email", "bot"),
    [
        ("dependabot[bot]", "49699333+dependabot[bot]@users.noreply.github.com", True),
        ("Renovate Bot", "x@y.org", True),
        ("renovate", "x@y.org", True),
        ("x", "bot@renovateapp.com", True),
        ("k8s-ci-bot", "x@y.org", True),
        ("Abbot", "abbot@y.org", False),
        ("", "", False),
    ],
)
def test_bots_are_known_by_name_or_address(name: str, email: str, bot: bool) -> None:
    made = commit("x (#1)", name=name, email=email)
    assert pull_of(Merge(1, "x", ""), made, None, repository="o/r", salt=b"s").bot is bot


def test_no_address_is_kept() -> None:
    body = "Signed-off-by: Ann <ann.x+y@mail.x.org>, 1+d[bot]@users.noreply.github.com; a@b, @ann"
    made = pull_of(Merge(1, "by ann@x.org", body), commit(""), None, repository="o/r", salt=b"s")
    assert made.title == "by <email>"
    assert made.body == "Signed-off-by: Ann <<email>>, <email>; a@b, @ann"
    assert made.author is not None
    assert made.author.startswith("author-")


def test_unknown_line_counts_stay_unknown_and_no_files_are_no_lines() -> None:
    unknown = Commit("c", (), "", "", NOON, NOON, "", (ChangedFile("a", "added"),))
    made = pull_of(Merge(1, "x", ""), unknown, None, repository="o/r", salt=b"s")
    assert (made.additions, made.deletions, made.changed_files) == (None, None, 1)
    made = pull_of(Merge(1, "x", ""), commit(""), None, repository="o/r", salt=b"s")
    assert (made.additions, made.deletions, made.changed_files) == (0, 0, 0)
