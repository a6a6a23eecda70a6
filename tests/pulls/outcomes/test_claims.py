"""What titles and bodies claim. All wording here is made up."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullrisk.pulls.outcomes.claims import Claim, claims, is_reland, is_revert, is_undo
from pullrisk.pulls.record import Pull

MOMENT = datetime(2024, 1, 1, tzinfo=UTC)


def a_pull(title: str = "Tidy", body: str = "", **known: object) -> Pull:
    fields: dict[str, object] = {
        "repository": "acme/rocket", "number": 900, "created_at": MOMENT, "updated_at": MOMENT,
        "merged_at": MOMENT, "title": title, "body": body,
    }  # fmt: skip
    return Pull(**{**fields, **known})  # type: ignore[arg-type]


def numbers(kind: str, pull: Pull) -> list[int]:
    """Of pulls of the repository itself."""
    own = [claim for claim in claims(pull) if claim.name is None]
    return [claim.number for claim in own if claim.kind == kind and claim.number]


def titles(kind: str, pull: Pull) -> list[str]:
    return [claim.title for claim in claims(pull) if claim.kind == kind and claim.title]


def shas(kind: str, pull: Pull) -> list[str]:
    return [claim.sha for claim in claims(pull) if claim.kind == kind and claim.sha]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("Reverts acme/rocket#12", [12]),
        ("Reverts acme/rocket#12\nReverts acme/rocket#15", [12, 15]),
        ("Reverts ACME/Rocket#12", [12]),
        ("Reverts #12", [12]),
        ("reverts #12, #13 and #14.", [12, 13, 14]),
        ("This reverts PR #12", [12]),
        ("This reverts pull request #12.", [12]),
        ("This change reverts the changes from #12", [12]),
        ("We are backing out #12 for now", [12]),
        ("Reverts https://github.com/acme/rocket/pull/12", [12]),
        ("Reverts [#12](https://github.com/acme/rocket/pull/12)", [12]),
        ("**Reverts** `#12`", [12]),
        ("This is a revert of #12", [12]),
        ("Revert PR 1234", [1234]),
        ("Reverts GH-12", [12]),
    ],
)
def test_a_body_names_the_pulls_it_reverts(body: str, expected: list[int]) -> None:
    assert numbers("revert", a_pull(body=body)) == expected


@pytest.mark.parametrize(
    "body",
    [
        "Reverts other/rocket#12",
        "Reverts acme/booster#12",
        "Reverts https://github.com/acme/booster/pull/12",
        "Please do not revert #12",
        "We should never revert #12",
        "This doesn't revert #12",
        "Instead of reverting #12, fix it",
        "If we revert #12 the test fails",
        "The engine was reverted in #12",
        "After the revert of #12 the build is slow",
        "> Reverts #12",
        "```\nReverts #12\n```",
        "<!-- Reverts #12 -->",
        "<details><summary>Notes</summary>Reverts #12</details>",
        "The cursor reverts to its old shape, see #12",
        "Documents `git revert 1a2b3c4d`",
        "Fixes #12",
        "Reverts #900",
    ],
)
def test_a_body_that_only_talks_of_reverting_claims_nothing(body: str) -> None:
    own = [claim for claim in claims(a_pull(body=body)) if claim.name is None]
    assert [claim for claim in own if claim.kind == "revert"] == []


def test_a_body_names_the_commits_it_reverts() -> None:
    body = "This reverts commit 1a2b3c4d5e.\n\nThis reverts commits aabbcc1 and aabbcc2."
    assert shas("revert", a_pull(body=body)) == ["1a2b3c4d5e", "aabbcc1", "aabbcc2"]


def test_the_side_of_a_reverted_merge_is_not_reverted() -> None:
    body = "This reverts commit 1a2b3c4d, reversing\nchanges made to 99887766aa."
    assert shas("revert", a_pull(body=body)) == ["1a2b3c4d"]


@pytest.mark.parametrize("word", ["deadbeef", "defaced", "20240101"])
def test_words_and_plain_numbers_are_no_commits(word: str) -> None:
    assert shas("revert", a_pull(body=f"This reverts commit {word}")) == []


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ('Revert "Add a nozzle"', "Add a nozzle"),
        ("Revert 'Add a nozzle'", "Add a nozzle"),
        ("Revert “Add a nozzle”", "Add a nozzle"),
        ('"Revert "Add a nozzle""', "Add a nozzle"),
        ('[2.x] Revert "Add a nozzle"', "Add a nozzle"),
        ('fix(ci)!: revert "Add a nozzle"', "Add a nozzle"),
        ('ROCKET-7: Revert "Add a nozzle"', "Add a nozzle"),
        ('ROCKET-7; Revert "Add a nozzle"', "Add a nozzle"),
        ("revert: Add a nozzle", "Add a nozzle"),
        ("[Revert] Add a nozzle", "Add a nozzle"),
        ('Temporarily revert "Add a nozzle"', "Add a nozzle"),
        ('build: manually revert "Add a nozzle"', "Add a nozzle"),
        ("Revert: Add a nozzle", "Add a nozzle"),
        ("Reverted Add a nozzle", "Add a nozzle"),
        ('Back out "Add a nozzle"', "Add a nozzle"),
        ('Revert "Add a "nozzle" again"', 'Add a "nozzle" again'),
        ('Revert "Add a nozzle (#12)"', "Add a nozzle"),
    ],
)
def test_a_title_quotes_what_it_reverts(title: str, expected: str) -> None:
    pull = a_pull(title)
    assert expected in titles("revert", pull)
    assert is_revert(pull)


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Revert #12", [12]),
        ("Revert PR #12: it leaks", [12]),
        ("Revert PR1 and more", []),
        ("Revert PRs 4871 and 4877", [4871, 4877]),
        ("Revert 4871", [4871]),
        ("Revert 2024 roadmap", []),
        ("Revert acme/rocket#12", [12]),
        ("Revert acme/booster#12", []),
        ('Revert "Add a nozzle (#12)"', [12]),
        ('Revert "Add a nozzle" (#12)', [12]),
        ('Revert "Add a nozzle (#12)" (#900)', [12]),
        ('Revert "Add a nozzle (#12)" (#15)', [15]),
        ('Revert "Merge pull request #12 from ann/nozzle"', [12]),
        ('Revert "Auto merge of #12 - ann:nozzle, r=bob"', [12]),
        ("engine/core: revert pull request #12", [12]),
        ("[Revert #12] drop the nozzle", [12]),
        ("Speed up ignition (reverts #12)", [12]),
        ("Revert nozzle support from #12", [12]),
        ("Revert nozzle to fix #12", []),
        ('Revert "Fix #12 by hand"', []),
    ],
)
def test_a_title_names_the_pull_it_reverts(title: str, expected: list[int]) -> None:
    assert numbers("revert", a_pull(title)) == expected


@pytest.mark.parametrize(
    "title",
    [
        "Add a revert button",
        "Revert button is misaligned",
        "feat: rollback windows",
        "fix: rollback skips every step",
        "Fix undo on Windows",
        "Do not revert #12",
        "Document how a revert works",
        "fix(revert): show the right commit",
        "Convert inverted coordinates",
        "Irrevertible changes are refused",
    ],
)
def test_reverting_as_a_feature_makes_no_revert(title: str) -> None:
    pull = a_pull(title)
    assert not is_undo(pull)
    assert not [claim for claim in claims(pull) if claim.number or claim.sha]


@pytest.mark.parametrize("title", ["Undo #12", 'Roll back "Add a nozzle"', "Rollback PR 1234"])
def test_undoing_a_named_pull_is_a_revert(title: str) -> None:
    assert is_revert(a_pull(title))


@pytest.mark.parametrize(
    "title",
    ['Partially revert "Add a nozzle"', "Partial revert of #12", "Revert part of #12"],
)
def test_a_partial_revert_says_so(title: str) -> None:
    kinds = {claim.kind for claim in claims(a_pull(title))}
    assert kinds == {"partial_revert"}


def test_a_body_can_say_that_its_revert_is_partial() -> None:
    assert numbers("partial_revert", a_pull(body="This partially reverts #12.")) == [12]
    assert numbers("partial_revert", a_pull(body="Reverts parts of #12.")) == [12]


def test_a_revert_of_a_revert_lands_the_original_again() -> None:
    pull = a_pull('Revert "Revert "Add a nozzle (#12)" (#15)"')
    assert numbers("revert", pull) == [15]
    assert titles("reland", pull) == ["Add a nozzle"]
    assert numbers("reland", pull) == [12]
    assert is_revert(pull)
    assert is_reland(pull)


def test_a_revert_of_a_revert_of_a_revert_lands_nothing() -> None:
    pull = a_pull('Revert "Revert "Revert "Add a nozzle"""')
    assert titles("reland", pull) == []
    assert titles("revert", pull) == ['Revert "Revert "Add a nozzle']


@pytest.mark.parametrize(
    "title",
    [
        'Reapply "Add a nozzle"',
        'Re-apply "Add a nozzle"',
        "Reland: Add a nozzle",
        "Re-land Add a nozzle",
        '[2.x] Reland "Add a nozzle"',
        "Add a nozzle (reland)",
        'Un-revert "Add a nozzle"',
    ],
)
def test_a_reland_names_what_it_lands_again(title: str) -> None:
    pull = a_pull(title)
    assert "Add a nozzle" in titles("reland", pull)
    assert is_reland(pull)
    assert not is_revert(pull)
    assert is_undo(pull)


def test_a_body_relands_by_number() -> None:
    assert numbers("reland", a_pull(body="Relands #12 with a fix")) == [12]
    assert numbers("reland", a_pull(body="This reverts the revert of #12")) == [12]
    assert numbers("reland", a_pull("Nozzle, take 2", "It was reverted in #15.")) == [15]


@pytest.mark.parametrize(
    "text",
    [
        "Fix a regression from #12",
        "Fixes a regression introduced in #12",
        "regression introduced by the changes in #12",
        "The crash was caused by #12",
        "This was broken by #12",
        "It has been broken since #12",
        "Fix the bug introduced in #12",
        "There is a race that was introduced in PR #12",
        "#12 introduced a subtle regression",
        "#12 broke the build",
        "Bisected to #12",
        "Hotfix for #12",
        "Fails since #12",
    ],
)
def test_blame_is_a_hotfix(text: str) -> None:
    assert numbers("hotfix", a_pull(body=text)) == [12]


@pytest.mark.parametrize(
    "text",
    [
        "The nozzle was introduced in #12",
        "Follow-up to #12",
        "Fixes #12",
        "This was not caused by #12",
        "A regression from other/rocket#12",
        "> caused by #12",
        "Fixes an issue with colours, closes #12",
    ],
)
def test_a_mention_without_blame_is_no_hotfix(text: str) -> None:
    assert numbers("hotfix", a_pull(body=text)) == []


def test_blame_in_a_title_is_a_hotfix() -> None:
    assert numbers("hotfix", a_pull("Fix test broken in #12")) == [12]


def test_a_kernel_style_trailer_is_a_hotfix() -> None:
    body = 'Repair the valve.\n\nFixes: 1a2b3c4d5e6f ("Add a valve")'
    assert shas("hotfix", a_pull(body=body)) == ["1a2b3c4d5e6f"]


def test_the_release_notes_in_a_bots_pull_claim_nothing() -> None:
    notes = "Reverts #12. Regression introduced in #13."
    assert claims(a_pull("Bump valve from 1 to 2", notes, bot=True)) == ()
    assert numbers("revert", a_pull('Revert "Add"', "Reverts #12", bot=True)) == [12]


def test_a_list_of_many_changes_claims_nothing() -> None:
    listed = "\n".join(f"- Change (#{n})" for n in range(100, 140))
    assert claims(a_pull("Release 1.2", f"{listed}\n- Reverts #12")) == ()


def test_a_pull_that_reverts_its_own_commit_reverts_nothing() -> None:
    body = '- Add a nozzle\n- Revert "Add a nozzle"\n- Revert "Old valve"'
    assert titles("revert", a_pull(body=body)) == ["Old valve"]


def test_a_small_pull_whose_body_reverts_another_is_a_revert() -> None:
    body = "Reverts #12"
    assert is_revert(a_pull("Restore nozzle", body, commits=2))
    assert not is_revert(a_pull("Restore nozzle", body, commits=3))
    assert not is_revert(a_pull("Restore nozzle", "", commits=1))


def test_a_claim_is_made_once() -> None:
    pull = a_pull("Revert #12", "Reverts acme/rocket#12\nThis reverts #12")
    assert claims(pull).count(Claim("revert", number=12)) == 1


@given(title=st.text(max_size=200), body=st.text(max_size=2_000))
def test_any_text_is_read_without_an_error(title: str, body: str) -> None:
    pull = a_pull(title, body)
    claims(pull)
    is_undo(pull)


@given(
    st.lists(
        st.sampled_from(
            ['Revert "', '"', "reverts ", "#12", " (#3)", "…", "[2.x] ", "commit ", "1a2b3c4", ": ",
             "\n", "not ", "Reland ", "caused by ", ", and ", "the ", "`", "<!--", "> ", "(#"]
        ),
        max_size=40,
    ).map("".join)
)  # fmt: skip
def test_any_mixture_of_signal_words_is_read_without_an_error(text: str) -> None:
    for claim in claims(a_pull(text, text)):
        assert sum(part is not None for part in (claim.number, claim.sha, claim.title)) == 1
    is_undo(a_pull(text, text, commits=1))


HOSTILE = [
    'Revert "', "revert the ", "reverts #1, ", "reverts #1 and ", "[", "[[(<", "(#1)", "<!--",
    "```", "<details", "bug introduced ", "bug ", "regression ", "caused by the ", "not revert ",
    "a/", "a.b-", "reverts a/", "#1 ", "and ", "1a2b3c4 ", "revert commit 1a2b3c4, ", " ", "\n",
    "\n ", "\t", "> ", "fixes: ", "revert\n", "-", "> > ", "reverted in the ",
    "re-apply changes in ", "https://github.com/", "revert https://github.com/a/b/", "[#1](",
    "fail since ",
]  # fmt: skip


LONG = 256_000
"""Characters of a text that a pattern reads in half a second, and in many minutes if its cost grows
with the square of the length."""


@pytest.mark.timeout(60)
@pytest.mark.parametrize("piece", HOSTILE)
def test_a_hostile_body_costs_no_more_than_in_proportion(piece: str) -> None:
    text = (piece * (LONG // len(piece) + 1))[:LONG]
    claims(a_pull("Tidy", f"evert caused {text} reverts"))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("piece", [*HOSTILE, "revert ", "[a] ", "(", ": ", "a: ", "… "])
def test_a_hostile_title_costs_no_more_than_in_proportion(piece: str) -> None:
    pull = a_pull(f"Revert {piece * LONG}"[:LONG])
    claims(pull)
    is_undo(pull)
