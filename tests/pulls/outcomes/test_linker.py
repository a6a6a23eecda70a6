"""Which earlier pulls a merged pull undoes or repairs. All wording here is made up."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullrisk.pulls.outcomes import Link, Linker, LinkerState
from pullrisk.pulls.record import ChangedFile, Pull

MOMENT = datetime(2024, 1, 1, tzinfo=UTC)


def a_pull(number: int, title: str = "Tidy", body: str = "", **known: object) -> Pull:
    at = MOMENT + timedelta(minutes=number)
    fields: dict[str, object] = {
        "repository": "acme/rocket", "number": number, "created_at": at, "updated_at": at,
        "merged_at": at, "title": title, "body": body,
    }  # fmt: skip
    return Pull(**{**fields, **known})  # type: ignore[arg-type]


def links(*pulls: Pull) -> tuple[Link, ...]:
    """The links of the last pull."""
    linker = Linker()
    found: tuple[Link, ...] = ()
    for pull in pulls:
        found = linker.observe(pull)
    return found


def test_a_revert_is_linked_by_number() -> None:
    assert links(a_pull(1), a_pull(2, "Oops", "Reverts #1")) == (Link("revert", 1, "number"),)


@pytest.mark.parametrize("digits", [7, 8, 12, 40])
def test_a_revert_is_linked_by_the_merge_commit(digits: int) -> None:
    sha = "a1b2c3d4e5" * 4
    revert = a_pull(2, "Oops", f"This reverts commit {sha[:digits]}.")
    assert links(a_pull(1, merge_sha=sha), revert) == (Link("revert", 1, "sha"),)


def test_another_commit_with_the_same_first_digits_is_not_linked() -> None:
    revert = a_pull(2, "Oops", "This reverts commit a1b2c3d9ffff.")
    assert links(a_pull(1, merge_sha="a1b2c3d4e5" * 4), revert) == ()


def test_reverting_the_head_of_several_commits_is_partial() -> None:
    revert = a_pull(2, "Oops", "This reverts commit a1b2c3d4.")
    several = a_pull(1, head_sha="a1b2c3d4e5" * 4, commits=3)
    single = a_pull(1, head_sha="a1b2c3d4e5" * 4, commits=1)
    assert links(several, revert) == (Link("partial_revert", 1, "sha"),)
    assert links(single, revert) == (Link("revert", 1, "sha"),)


@pytest.mark.parametrize(
    ("original", "quoted"),
    [
        ("Add a nozzle", "Add a nozzle"),
        ("Add a nozzle", "add a  `nozzle`."),
        ("Add a nozzle (#1)", "Add a nozzle"),
        ("[2.x] Add a nozzle", "Add a nozzle"),
        ("feat(core): add a nozzle", "Add a nozzle"),
        ("Add a “nozzle”", 'Add a "nozzle"'),
        (
            "Make the nozzle open before the valve does, whatever the pilot says",
            "Make the nozzle open before the valve does, wha…",
        ),
        (
            "Make the nozzle open before the valve does, whatever the pilot says",
            "Make the nozzle open before the valve does, whatever the pilot says (#…",
        ),
    ],
)
def test_a_revert_is_linked_by_title_however_it_is_spelled(original: str, quoted: str) -> None:
    revert = a_pull(2, f'Revert "{quoted}"')
    assert links(a_pull(1, original), revert) == (Link("revert", 1, "title"),)


def test_a_shorter_title_is_not_a_cut_off_one() -> None:
    original = a_pull(1, "Make the nozzle open before the valve does, whatever the pilot says")
    revert = a_pull(2, 'Revert "Make the nozzle open before the valve does"')
    assert links(original, revert) == ()


def test_of_equal_titles_the_latest_that_stands_is_meant() -> None:
    linker = Linker()
    for number in (1, 2, 3):
        linker.observe(a_pull(number, "Bump valve"))
    seen = [linker.observe(a_pull(n, 'Revert "Bump valve"')) for n in (4, 5, 6, 7)]
    assert [[link.number for link in found] for found in seen] == [[3], [2], [1], []]


def test_of_equal_titles_the_one_on_the_same_branch_is_meant() -> None:
    first, second = a_pull(1, "Fix it", base_ref="1.x"), a_pull(2, "Fix it", base_ref="main")
    revert = a_pull(3, 'Revert "Fix it"', base_ref="1.x")
    assert links(first, second, revert) == (Link("revert", 1, "title"),)


def test_a_title_of_three_letters_is_no_evidence() -> None:
    assert links(a_pull(1, "Fix"), a_pull(2, 'Revert "Fix"')) == ()


def test_of_equal_titles_the_one_with_the_same_tag_is_meant() -> None:
    revert = a_pull(3, 'Revert "[1.x] Fix it"')
    found = links(a_pull(1, "[1.x] Fix it"), a_pull(2, "[2.x] Fix it"), revert)
    assert found == (Link("revert", 1, "title"),)


def test_a_number_outweighs_a_title() -> None:
    revert = a_pull(3, 'Revert "Fix it"', "Reverts acme/rocket#1")
    assert links(a_pull(1, "Fix it"), a_pull(2, "Fix it"), revert) == (Link("revert", 1, "number"),)


def test_each_pull_is_linked_once_by_the_strongest_evidence() -> None:
    original = a_pull(1, "Fix it", merge_sha="a1b2c3d4e5" * 4)
    revert = a_pull(2, 'Revert "Fix it"', "This reverts commit a1b2c3d4.\nReverts #1")
    assert links(original, revert) == (Link("revert", 1, "sha"),)


def test_one_pull_can_revert_several() -> None:
    revert = a_pull(3, "Oops", "Reverts #1\nReverts #2")
    assert {link.number for link in links(a_pull(1), a_pull(2), revert)} == {1, 2}


@pytest.mark.parametrize("body", ["Reverts #7", "Reverts #2", "Reverts other/rocket#1"])
def test_what_is_no_earlier_merged_pull_here_is_not_linked(body: str) -> None:
    assert links(a_pull(1), a_pull(2, "Oops", body)) == ()


def test_a_pull_closed_unmerged_is_neither_target_nor_source() -> None:
    closed = a_pull(1, "Fix it", merged_at=None, closed_at=MOMENT)
    assert links(closed, a_pull(2, 'Revert "Fix it"', "Reverts #1")) == ()
    assert links(a_pull(1), a_pull(2, "Revert #1", merged_at=None, closed_at=MOMENT)) == ()


def test_a_hotfix_is_linked() -> None:
    repair = a_pull(2, "Repair", "Fixes a regression introduced in #1")
    assert links(a_pull(1), repair) == (Link("hotfix", 1, "number"),)


def test_reverting_a_revert_lands_the_original_again() -> None:
    revert = a_pull(2, 'Revert "Fix it"', "Reverts #1")
    again = a_pull(3, 'Reapply "Fix it"', "Reverts acme/rocket#2")
    found = links(a_pull(1, "Fix it"), revert, again)
    assert set(found) == {Link("revert", 2, "number"), Link("reland", 1, "title")}


def test_a_revert_of_a_revert_is_linked_by_titles_alone() -> None:
    again = a_pull(3, 'Revert "Revert "Fix it""')
    found = links(a_pull(1, "Fix it"), a_pull(2, 'Revert "Fix it"'), again)
    assert set(found) == {Link("revert", 2, "title"), Link("reland", 1, "title")}


def test_relanding_a_revert_by_number_means_what_it_reverted() -> None:
    again = a_pull(3, "Nozzle, second attempt", "It was reverted in #2.")
    assert links(a_pull(1), a_pull(2, "Revert #1"), again) == (Link("reland", 1, "number"),)


def test_relanded_work_can_be_reverted_again_by_title() -> None:
    revert, again = a_pull(2, 'Revert "Fix it"'), a_pull(3, 'Revert "Revert "Fix it""')
    found = links(a_pull(1, "Fix it"), revert, again, a_pull(4, 'Revert "Fix it"'))
    assert found == (Link("revert", 1, "title"),)


@pytest.mark.parametrize(
    ("commits", "title", "undone", "kind"),
    [
        (1, "Revert #1", 100, "revert"),
        (1, "Revert #1", 30, "revert"),
        (1, "Revert #1", 20, "partial_revert"),
        (1, "Repair", 30, "partial_revert"),
        (4, "Revert #1", 60, "revert"),
        (4, "Revert #1", 40, "partial_revert"),
        (4, "Repair", 80, "partial_revert"),
        (4, "Repair", 100, "revert"),
    ],
)
def test_a_revert_that_takes_back_few_lines_is_partial(
    commits: int, title: str, undone: int, kind: str
) -> None:
    original = a_pull(1, additions=100, deletions=0, commits=commits)
    revert = a_pull(2, title, "Reverts #1", additions=5, deletions=undone)
    assert links(original, revert) == (Link(kind, 1, "number"),)


def test_a_revert_that_touches_few_of_several_commits_files_is_partial() -> None:
    def files(*names: str) -> tuple[ChangedFile, ...]:
        return tuple(ChangedFile(name) for name in names)

    original = a_pull(1, files=files("a", "b", "c", "d", "e"), commits=3)
    few = a_pull(2, "Revert #1", files=files("a"))
    all_of_them = a_pull(2, "Revert #1", files=files("a", "b", "c", "d", "e"))
    assert links(original, few) == (Link("partial_revert", 1, "number"),)
    assert links(original, all_of_them) == (Link("revert", 1, "number"),)


def test_a_renamed_file_counts_as_touched() -> None:
    original = a_pull(1, files=(ChangedFile("new"),), commits=3)
    back = a_pull(2, "Revert #1", files=(ChangedFile("old", "renamed", 0, 0, "new"),))
    assert links(original, back) == (Link("revert", 1, "number"),)


def test_the_state_takes_45_bytes_a_pull_however_long_its_text() -> None:
    linker = Linker()
    for number in range(1, 101):
        linker.observe(a_pull(number, "Long title " * 50, "long body " * 500))
    assert len(linker.state().rows) == 4_500


def test_a_damaged_state_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a multiple"):
        Linker.restore(LinkerState(b"abc"))


TITLES = [
    "Fix it",
    "Add a nozzle",
    "[2.x] Fix it",
    "Make the nozzle open before the valve does, ok",
]


@st.composite
def histories(draw: st.DrawFn) -> list[Pull]:
    """Merged and closed pulls that revert, reland and blame each other, some at equal times."""
    pulls = []
    for number in range(1, draw(st.integers(2, 25)) + 1):
        other, title = draw(st.integers(1, 25)), draw(st.sampled_from(TITLES))
        name = draw(
            st.sampled_from(
                [title, f'Revert "{title}"', f'Revert "Revert "{title}""', f"Reland: {title}",
                 f"Revert #{other}", f'Revert "{title[:40]}…"']
            )
        )  # fmt: skip
        body = draw(
            st.sampled_from(
                ["", f"Reverts #{other}", f"Caused by #{other}", f"Relands #{other}",
                 f"This reverts commit {other:08x}aa."]
            )
        )  # fmt: skip
        at = MOMENT + timedelta(minutes=number // 3)
        merged = draw(st.booleans()) or number < 4
        pulls.append(
            a_pull(
                number, name, body, merged_at=at if merged else None, closed_at=at,
                merge_sha=f"{number:08x}aabb", commits=draw(st.sampled_from([None, 1, 3])),
                additions=draw(st.sampled_from([None, 0, 10])), deletions=10,
            )
        )  # fmt: skip
    return pulls


def observe(linker: Linker, pulls: Sequence[Pull]) -> list[tuple[Link, ...]]:
    return [linker.observe(pull) for pull in pulls]


@given(histories(), st.integers(0, 25))
def test_saving_and_restoring_changes_nothing(pulls: list[Pull], cut: int) -> None:
    whole = Linker()
    expected = observe(whole, pulls)
    first = Linker()
    seen = observe(first, pulls[:cut])
    packed = msgspec.msgpack.encode(first.state())
    second = Linker.restore(msgspec.msgpack.decode(packed, type=LinkerState))
    assert seen + observe(second, pulls[cut:]) == expected
    assert second.state() == whole.state()


@given(histories())
def test_links_point_to_earlier_merged_pulls_once(pulls: list[Pull]) -> None:
    linker, merged = Linker(), set[int]()
    for pull in pulls:
        named = [link.number for link in linker.observe(pull)]
        assert len(named) == len(set(named))
        assert set(named) <= merged
        if pull.merged_at is not None:
            merged.add(pull.number)


@given(histories(), st.integers(0, 25))
def test_later_pulls_do_not_change_earlier_links(pulls: list[Pull], cut: int) -> None:
    assert observe(Linker(), pulls)[:cut] == observe(Linker(), pulls[:cut])


@given(st.text(max_size=300), st.text(max_size=300), st.text(max_size=60))
def test_any_text_is_observed_without_an_error(title: str, body: str, sha: str) -> None:
    odd = {"merge_sha": sha, "head_sha": sha, "base_ref": sha, "files": (ChangedFile(sha),)}
    linker = Linker()
    linker.observe(a_pull(1, title, body, **odd))
    linker.observe(a_pull(2, f'Revert "{title}"', f"Reverts #1 {body}", **odd))
    assert Linker.restore(linker.state()).state() == linker.state()


@pytest.mark.parametrize("sha", ["-1234567", "+1_2345a", "zzzzzzzz", "abc"])
def test_a_commit_that_is_none_is_ignored(sha: str) -> None:
    revert = a_pull(2, "Oops", "This reverts commit a1b2c3d4.")
    assert links(a_pull(1, merge_sha=sha, head_sha=sha), revert) == ()


def test_numbers_and_sizes_beyond_32_bits_are_kept_apart() -> None:
    far = 2**52
    original = a_pull(1, additions=2**40, deletions=0, commits=10_000)
    huge = msgspec.structs.replace(original, number=far)
    assert links(huge, a_pull(2, f"Revert https://github.com/acme/rocket/pull/{far}")) == ()
    assert links(original, huge, a_pull(3, "Revert #1")) == (Link("revert", 1, "number"),)
