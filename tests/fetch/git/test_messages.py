"""Which pull requests the message of a commit says that it merged."""

from datetime import UTC, datetime

import pytest

from pullrisk.fetch.git.log import Commit
from pullrisk.fetch.git.messages import Merge, merges_of

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)


def commit(message: str, *, parents: int = 1) -> Commit:
    return Commit("c" * 40, ("p" * 40,) * parents, "Ann", "ann@x.org", NOON, NOON, message)


def by_tool(number: int, title: str, body: str = "", *head: str | None) -> Merge:
    owner, ref = head or (None, None)
    return Merge(number, title, body, owner, ref, "merge")


@pytest.mark.parametrize(
    ("message", "merge"),
    [
        ("Merge pull request #7 from bob/fix/it\n\nFix it\n\nWhy.",
         by_tool(7, "Fix it", "Why.", "bob", "fix/it")),
        ("Merge pull request #7 from branch\n\nFix", by_tool(7, "Fix", "", None, "branch")),
        ("Merge pull request #7", by_tool(7, "")),
        ("Merged pull request #7 from bob/x.\n\nFix", by_tool(7, "Fix", "", "bob", "x.")),
        ("Merge PR #7: Add a thing\n\nBody", by_tool(7, "Add a thing", "Body")),
        ("Auto merge of #90 - bob:topic, r=alice\n\nAdd a thing\n\nBody.",
         by_tool(90, "Add a thing", "Body.", "bob", "topic")),
        ("Rollup merge of #91 - bob:topic, r=alice\n\nAdd a thing",
         Merge(91, "Add a thing", "", "bob", "topic", "rollup")),
        ("Merge #12\n\n12: Add a thing r=ann a=bob\n\nBody.", by_tool(12, "Add a thing", "Body.")),
        ("Merge #12: Add a thing\n\nabc Fix (Bob)", by_tool(12, "Add a thing", "abc Fix (Bob)")),
        ("Merge acme/widget#12: Add a thing", by_tool(12, "Add a thing")),
        ("WIDGET-1: Add a thing\n\nWhy.\n\nCloses #12 from bob/topic.\n\nAuthored-by: Bob",
         by_tool(12, "WIDGET-1: Add a thing",
                 "Why.\n\nCloses #12 from bob/topic.\n\nAuthored-by: Bob", "bob", "topic")),
        ("Add\n\nThis closes #12 from bob/a/b and squashes the following commits:\n\nabc [Bob] x",
         by_tool(12, "Add",
                 "This closes #12 from bob/a/b and squashes the following commits:\n\nabc [Bob] x",
                 "bob", "a/b")),
        ("Add a thing (#3)", Merge(3, "Add a thing", "")),
        ("Add a thing (GH-3)", Merge(3, "Add a thing", "")),
        ("Add a thing (#3) [skip ci]", Merge(3, "Add a thing", "")),
        ("Add a thing (#3)  \n\nBody (#9)", Merge(3, "Add a thing", "Body (#9)")),
        ('Revert "Add (#12)" (#34)', Merge(34, 'Revert "Add (#12)"', "")),
        ("Backport fix (#12) (#34)", Merge(34, "Backport fix (#12)", "")),
        ("(#3)", Merge(3, "", "")),
        ("Teach the widget to turn in both directions at\nonce (#3)\n\nBody (#9)",
         Merge(3, "Teach the widget to turn in both directions at once", "Body (#9)")),
        ("Teach the widget to turn in both directio…\n\n…ns at once (#3)\n\nBody",
         Merge(3, "Teach the widget to turn in both directions at once", "Body")),
        ("Teach the widget (#3)\nand see also the other one (#9)",
         Merge(3, "Teach the widget", "and see also the other one (#9)")),
    ],
)  # fmt: skip
def test_a_message_that_merges_a_pull_is_recognised(message: str, merge: Merge) -> None:
    assert merges_of(commit(message)) == (merge,)


@pytest.mark.parametrize(
    ("message", "merge"),
    [
        ("Add a thing (#3)\n\nBody", Merge(3, "Add a thing", "Body")),
        ("Merge branch 'topic' #3", Merge(3, "Merge branch 'topic' #3", "")),
        ("Merge feature x, PR #3\n\nAdd x", Merge(3, "Add x", "")),
    ],
)
def test_a_merge_that_ends_with_a_number_is_recognised(message: str, merge: Merge) -> None:
    assert merges_of(commit(message, parents=2)) == (merge,)


def test_a_batch_of_bors_merges_each_of_its_pulls() -> None:
    message = "Merge #4 #5\n\n4: Add a r=ann a=bob\n\nWhy.\n\n5: Add b r=ann a=cy\n"
    assert merges_of(commit(message)) == (by_tool(4, "Add a"), by_tool(5, "Add b"))


@pytest.mark.parametrize(
    "message",
    ["", "Fix #3", "Fix (#3) at last", 'Revert "Add (#12)"', "Merge branch 'a' (see #3)", "x (#0)",
     "Fix (#12345678901)", "Try #3:", "Fix\n\nSecond line (#3)", "Fix\nSecond line (#3)",
     "Merge x, fixes #3", "Merge branch 'fix', closes #3", "Closes #3", "Fix\n\nCloses #3 from x"],
)  # fmt: skip
@pytest.mark.parametrize("parents", [1, 2])
def test_a_message_that_merges_no_pull_is_passed_over(message: str, parents: int) -> None:
    assert merges_of(commit(message, parents=parents)) == ()


def test_a_long_message_is_judged_in_a_moment() -> None:
    for parents in (1, 2):
        assert not merges_of(commit("(#1) " * 300_000 + "x", parents=parents))
        assert not merges_of(commit("x" + " " * 1_000_000 + "(#12", parents=parents))
        assert merges_of(commit("Merge #12\n\n12: " + " r=" * 300_000, parents=parents))
        assert not merges_of(commit("x\n\n" + "closes #1 from " * 100_000, parents=parents))
        assert not merges_of(commit("Merge " + "#1 " * 300_000, parents=parents))
