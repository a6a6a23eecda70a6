"""The many ways of saying that a pull undoes another. All wording here is made up."""

from datetime import UTC, datetime, timedelta

import pytest

from pullrisk.pulls.outcomes import Link, Linker
from pullrisk.pulls.record import Pull, push_number

START = datetime(2024, 1, 1, tzinfo=UTC)
SHA = "4831a9fd639e9386075f0622710675105c43cff9"
UNKNOWN = "0123456789abcdef0123456789abcdef01234567"
TITLE = "Cool the nozzle with water"
LINK = "https://github.com/acme/rocket/pull/1"


def a_pull(number: int, title: str, body: str = "", *, lines: int, **known: object) -> Pull:
    """One that adds `lines`, or takes them away if they are negative."""
    at = START + timedelta(hours=number if number > 0 else 2)
    fields: dict[str, object] = {
        "repository": "acme/rocket", "number": number, "created_at": at, "updated_at": at,
        "merged_at": at, "title": title, "body": body, "commits": 1, "changed_files": 1,
        "additions": max(lines, 0), "deletions": max(-lines, 0),
    }  # fmt: skip
    return Pull(**{**fields, **known})  # type: ignore[arg-type]


def told(title: str, body: str = "", *, of: str = TITLE) -> str | None:
    """What pull 9 says of pull 1 with the title `of`; pull 7 is another."""
    linker = Linker()
    linker.observe(a_pull(1, of, lines=40, merge_sha=SHA))
    linker.observe(a_pull(7, "Paint it", lines=3))
    found = linker.observe(a_pull(9, title, body, lines=-40))
    return next((link.kind for link in found if link.number == 1), None)


@pytest.mark.parametrize(
    "title",
    [
        'Revert the PR "{}"', 'Revert the pull request "{}"', 'Revert my PR #1 "{}"',
        'Revert commit "{}"', 'Revert the changes from "{}"', 'Revert "{}" because it\'s slow',
        "Revert «{}»", 'Revert "{}" due to a regression from PR #7', "Reverting PR 1",
        "Revert pull request 1", "Revert {} (PR 1)", "Revert {} (GH-1)", 'Reverts "{}"',
        f"git revert {SHA[:8]}", f"Revert [#1]({LINK})", 'Re-revert "{}"',
        '[release/2.x] Revert "{}"', 'release/2.x: Revert "{}"', 'v2.1 - Revert "{}"',
        '[5.9][CI] Revert "{}"', '⏪ Revert "{}"', '⏪️ revert: {}', ':rewind: Revert "{}"',
        'fix: ⏪ Revert "{}"', '🍒 [5.9] Revert "{}"', 'Revert "Paint a door" and "{}"',
        'Revert "✨ {}"', "Undo #1", 'Back out "{}"',
    ],
)  # fmt: skip
def test_a_title_says_that_it_reverts(title: str) -> None:
    assert told(title.format(TITLE)) == "revert"
    assert told(title.format(TITLE), of=f"✨ {TITLE}") == "revert"


@pytest.mark.parametrize(
    "title",
    [
        'Partly revert "{}"', 'Partial revert of "{}"', 'Revert "{}" (partially)',
        'Revert part of "{}"', "Revert parts of #1", 'Revert some of "{}"', 'Mostly revert "{}"',
        "fix: partly revert #1", 'Revert "{}" in part',
    ],
)  # fmt: skip
def test_a_title_says_that_it_reverts_in_part(title: str) -> None:
    assert told(title.format(TITLE)) == "partial_revert"


def test_a_title_that_speaks_of_parts_itself_is_not_reverted_in_part() -> None:
    title = "Wire some of the valves in part"
    assert told(f'Revert "{title}"', of=title) == "revert"
    assert told("revert: Add partial cooling to it", of="Add partial cooling to it") == "revert"


@pytest.mark.parametrize(
    "body",
    [
        f"Reverts {LINK}/files", f"This reverts https://github.com/acme/rocket/commit/{SHA}",
        f"This reverts commit [{SHA[:8]}](https://github.com/acme/rocket/commit/{SHA}).",
        "This reverts https://git.acme.example/acme/rocket/pull/1.", "Reverts:\n- #7\n- #1",
        "Reverts: - #7 - #1", f"This reverts the following PRs:\n\n* #7\n* {LINK} (leaks)",
        f"Reverts commits:\n- {SHA}", "Reverts\n1. #7\n2. #1",
        f'* Warm\n\n* Revert "{TITLE}"\n\nThis reverts commit {SHA}.\n\n* Dry',
    ],
)  # fmt: skip
def test_a_body_says_that_it_reverts(body: str) -> None:
    assert told("Warm it up", body) == "revert"


def test_a_title_may_leave_the_list_to_the_body() -> None:
    assert told("Revert two changes of last week", "- #7\n- #1") == "revert"


@pytest.mark.parametrize(
    ("title", "body"),
    [
        ("Add a revert button to the editor", ""),
        ("Do not revert #1 on restart", ""),
        ("Restore `Nozzle#cool`", ""),
        ("Warm it up", "Do we revert #1, or merge this?"),
        ("Warm it up", f'* Revert "{TITLE}"\n\nThis reverts commit {SHA}.\n\n'
         f'* Revert "Revert "{TITLE}""\n\nThis reverts commit {UNKNOWN}.'),
        ("Warm it up", f'Revert "{TITLE}"\n\nThis reverts commit {SHA}.\n\n'
         f'Reapply "{TITLE}"\n\nThis reverts commit {UNKNOWN}.'),
        ("Warm it up", f'* Revert "{TITLE} (#1)"\n* Revert "Revert "{TITLE} (#1)""'),
    ],
)  # fmt: skip
def test_nothing_is_reverted(title: str, body: str) -> None:
    assert told(title, body) is None


@pytest.mark.parametrize(
    ("title", "body"),
    [
        (f'Revert "{TITLE}" due to regression from PR #1', f"This reverts commit {SHA}."),
        (f'Revert "{TITLE}"', "It caused a regression introduced in #1."),
        ("Revert #1", "Fixes a crash caused by #1"),
    ],
)
def test_blame_never_outranks_a_revert(title: str, body: str) -> None:
    assert told(title, body) == "revert"


@pytest.mark.parametrize(
    "title",
    [
        'Bring back "{}"', "Bring back #1", 'Reapply "{}"', 'Reland "{}"', 'Reinstate "{}"',
        'Restore "{}"', "Reintroduce #1", 'Revert "Revert "{}""', "Revert revert of #1",
        '[2.x] Reland "{}"', '✨ Reland "{}"', "{} (reland)",
    ],
)  # fmt: skip
def test_reverted_work_comes_back(title: str) -> None:
    linker = Linker()
    linker.observe(a_pull(1, TITLE, lines=40))
    linker.observe(a_pull(2, f'Revert "{TITLE}"', "Reverts acme/rocket#1", lines=-40))
    found = linker.observe(a_pull(3, title.format(TITLE), lines=40))
    assert ("reland", 1) in [(link.kind, link.number) for link in found]
    (again,) = linker.observe(a_pull(4, f'Re-revert "{TITLE}"', lines=-40))
    assert (again.kind, again.number) == ("revert", 1)


def test_a_commit_outweighs_the_number_in_a_quoted_title() -> None:
    linker = Linker()
    linker.observe(a_pull(1, "Paint it", lines=40))
    linker.observe(a_pull(2, f"{TITLE} (#1)", lines=40, merge_sha=SHA))
    revert = a_pull(3, f'Revert "{TITLE} (#1)"', f"This reverts commit {SHA}.", lines=-40)
    assert linker.observe(revert) == (Link("revert", 2, "sha"),)


@pytest.mark.parametrize(
    "body", ["Reverts new/rocket#1", "Reverts https://github.com/acme/v2/pull/1"]
)
@pytest.mark.parametrize(("lines", "expected"), [(-40, "revert"), (-2, None)])
def test_another_name_is_taken_for_an_earlier_one_where_the_lines_prove_it(
    body: str, lines: int, expected: str | None
) -> None:
    linker = Linker()
    linker.observe(a_pull(1, TITLE, lines=40))
    found = linker.observe(a_pull(2, "Dry it", body, lines=lines))
    assert [link.kind for link in found] == ([expected] if expected else [])


def test_a_name_that_was_proven_or_told_is_known_from_then_on() -> None:
    proven, said = Linker(), Linker()
    for linker in (proven, said):
        linker.observe(a_pull(1, TITLE, lines=40))
        linker.observe(a_pull(2, "Dry it", lines=2))
    proven.observe(a_pull(3, f'Revert "{TITLE}"', "Reverts new/name#1", lines=-40))
    said.observe(a_pull(3, "Paint it", lines=1, repository_names=("New/Name",)))
    for linker in (Linker.restore(proven.state()), Linker.restore(said.state())):
        found = linker.observe(a_pull(4, "Wet it", "Reverts new/name#2", lines=-2))
        assert [(link.kind, link.number) for link in found] == [("revert", 2)]


def test_reverting_some_commits_of_a_merge_is_partial_and_all_of_them_is_not() -> None:
    linker = Linker()
    own = ("aaaaaaa1", "bbbbbb2b")
    linker.observe(a_pull(1, TITLE, lines=40, commits=2, own_commits=own))
    linker = Linker.restore(linker.state())
    one = linker.observe(a_pull(2, "Dry it", "This reverts commit aaaaaaa1ffff.", lines=-30))
    assert one == (Link("partial_revert", 1, "sha"),)
    body = "This reverts commit aaaaaaa1.\n\nThis reverts commit bbbbbb2."
    assert linker.observe(a_pull(3, "Dry", body, lines=-40)) == (Link("revert", 1, "sha"),)


def test_a_push_reverts_and_can_be_reverted() -> None:
    linker, number = Linker(), push_number(SHA)
    linker.observe(a_pull(1, TITLE, lines=40))
    push = a_pull(number, f'Revert "{TITLE}"', lines=-40, merge_sha=SHA)
    assert linker.observe(push) == (Link("revert", 1, "title", push.merged_at),)
    found = linker.observe(a_pull(3, "Wet it", f"This reverts commit {SHA}.", lines=40))
    assert found == (Link("reland", 1, "sha"),)
