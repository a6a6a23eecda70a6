"""Which merge brought which commit in."""

from hypothesis import given
from hypothesis import strategies as st

from pullrisk.fetch.git.graph import arrange_commits


def laid_out(**parents: str) -> dict[str, str | None]:
    return arrange_commits(
        {sha: tuple(each) for sha, each in parents.items()}, list(parents)[-1]
    ).brought_by


def test_commits_behind_a_merge_come_before_it() -> None:
    brought = laid_out(a="", x="a", y="x", b="a", m="by", c="m")
    assert brought == {"a": None, "b": None, "x": "m", "y": "m", "m": None, "c": None}
    assert list(brought) == ["a", "b", "x", "y", "m", "c"]


def test_a_commit_belongs_to_the_oldest_merge_that_reaches_it() -> None:
    assert laid_out(a="", x="a", y="x", m="ax", n="my")["x"] == "m"


def test_a_release_line_is_not_of_the_topic_that_left_it() -> None:
    # r and s lie on a release branch; the topic t left it at r, and u merged it there.
    brought = laid_out(a="", r="a", t="r", u="rt", s="u", b="a", m="bs")
    assert brought == {"a": None, "b": None, "r": "m", "t": "u", "u": "m", "s": "m", "m": None}


def test_an_octopus_brings_in_all_its_lines() -> None:
    assert laid_out(a="", x="a", y="a", z="a", m="axyz") == {
        "a": None, "x": "m", "y": "m", "z": "m", "m": None,
    }  # fmt: skip


def test_a_history_with_another_root_is_foreign() -> None:
    parents = {"a": (), "x": (), "y": ("x",), "m": ("a", "y"), "z": ("y",), "n": ("m", "z")}
    graph = arrange_commits(parents, "n")
    assert graph.foreign == {"x", "y", "z"}


def test_what_lies_outside_the_range_is_no_root() -> None:
    assert not arrange_commits({"x": ("old",), "m": ("older", "x")}, "m").foreign


@given(st.lists(st.lists(st.integers(0, 30), max_size=3), max_size=40))
def test_every_commit_comes_once_after_all_its_ancestors(shape: list[list[int]]) -> None:
    parents = {
        str(place): tuple(dict.fromkeys(str(each % place) for each in given)) if place else ()
        for place, given in enumerate(shape)
    }
    if not parents:
        return
    order = list(arrange_commits(parents, str(len(parents) - 1)).brought_by)
    for sha in order:
        assert all(order.index(parent) < order.index(sha) for parent in parents[sha])


def test_a_deep_history_needs_no_deep_recursion() -> None:
    parents: dict[str, tuple[str, ...]] = {"0": ()}
    for number in range(1, 5_000):
        parents[str(number)] = ("0", str(number - 1))
    assert len(arrange_commits(parents, "4999").brought_by) == 5_000
