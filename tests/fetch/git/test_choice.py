"""Which of the commits that name a pull merged it."""

from datetime import UTC, datetime

import pytest

from pullrisk.fetch.git.choice import (
    AGAIN,
    FOREIGN,
    IMPLAUSIBLE,
    INSIDE,
    NO_PULL,
    Choice,
    choose,
)
from pullrisk.fetch.git.graph import arrange_commits
from pullrisk.fetch.git.log import Commit

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)


class Graph:
    """Commits by name; the last is the head."""

    def __init__(self) -> None:
        self.commits: dict[str, Commit] = {}

    def add(self, sha: str, parents: str, message: str = "") -> None:
        made = Commit(sha, tuple(parents.split()), "", "", NOON, NOON, message)
        self.commits[sha] = made

    def squashes(self, parent: str, *numbers: int) -> str:
        for number in numbers:
            self.add(sha := f"{parent}+{number}", parent, f"Change (#{number})")
            parent = sha
        return parent

    def choose(self, *, heads: dict[int, str] | None = None) -> Choice:
        parents = {sha: each.parents for sha, each in self.commits.items()}
        graph = arrange_commits(parents, list(self.commits)[-1])
        return choose(self.commits, graph, owner="acme", heads=heads or {})

    def pulls(self, *, heads: dict[int, str] | None = None) -> dict[int, str]:
        chosen = self.choose(heads=heads).pulls
        return {merge.number: sha for sha, merges in chosen.items() for merge in merges}


@pytest.fixture
def graph() -> Graph:
    made = Graph()
    made.add("root", "")
    return made


def test_what_lies_inside_a_pull_is_none(graph: Graph) -> None:
    graph.add("t1", "root", "Begin (#3)")
    graph.add("f", "root", "Work of a colleague")
    graph.add("t2", "t1 f", "Merge pull request #1 from mara/colleague\n\nHelp")
    graph.add("m", "root t2", "Merge pull request #7 from mara/topic\n\nAdd a thing")
    assert graph.pulls() == {7: "m"}
    assert graph.choose().passed == {INSIDE: 2}


@pytest.mark.parametrize(
    "branch",
    ["acme/develop", "acme/release/1.4", "acme/release-2", "acme/1.x", "acme/2.3-stable",
     "acme/merge-main-to-develop", "acme/bump_v0.6.2", "develop", "acme/next"],
)  # fmt: skip
def test_a_pull_that_merges_a_long_lived_branch_up_brings_pulls(graph: Graph, branch: str) -> None:
    graph.add("d1", "root", "Begin (#3)")
    graph.add("t", "d1", "Work (#99)")
    graph.add("d2", "d1 t", "Merge pull request #4 from mara/topic\n\nAdd")
    graph.add("m", "root d2", f"Merge pull request #7 from {branch}\n\nRelease")
    assert graph.pulls() == {3: "d1", 4: "d2", 7: "m"}


@pytest.mark.parametrize("branch", ["mara/develop", "mara/1.x", "acme/fix-2", "acme/topic"])
def test_a_fork_or_a_topic_is_no_long_lived_branch(graph: Graph, branch: str) -> None:
    graph.add("d1", "root", "Begin (#3)")
    graph.add("m", "root d1", f"Merge pull request #7 from {branch}\n\nAdd")
    assert graph.pulls() == {7: "m"}


def test_a_merge_of_a_pulls_very_head_is_one_wherever_it_lies(graph: Graph) -> None:
    graph.add("f", "root", "Work of a colleague")
    graph.add("t", "root f", "Merge pull request #5 from acme/part\n\nPart")
    graph.add("m", "root t", "Merge pull request #7 from acme/topic\n\nAll")
    assert graph.pulls(heads={5: "f", 7: "t"}) == {5: "t", 7: "m"}


def test_a_number_without_a_head_is_no_pull_where_all_others_have_one(graph: Graph) -> None:
    last = graph.squashes("root", 1, 2, 3, 4, 5, 6)
    heads = {number: f"h{number}" for number in (1, 2, 4, 5, 6)}
    assert 3 not in graph.pulls(heads=heads)
    assert graph.choose(heads=heads).passed == {NO_PULL: 1}
    graph.add("new", last, "Newer than what was fetched (#9)")
    assert 9 in graph.pulls(heads=heads)


def test_a_few_fetched_heads_prove_nothing_about_other_numbers(graph: Graph) -> None:
    graph.squashes("root", *range(1, 20))
    assert len(graph.pulls(heads={18: "h"})) == 19


@pytest.mark.parametrize("number", [3, 700])
def test_a_ticket_of_an_older_tracker_displaces_no_pull(graph: Graph, number: int) -> None:
    last = graph.squashes("root", 1204, number, 988)
    for each in [*range(1, 12), number]:
        graph.add(f"t{each}", last, "Work")
        merge = f"Merge pull request #{each} from mara/t{each}\n\nAdd {each}"
        graph.add(f"m{each}", f"{last} t{each}", merge)
        last = f"m{each}"
    pulls = graph.pulls()
    assert pulls[number] == f"m{number}"
    assert not {1204, 988} & pulls.keys() or number == 700


def test_a_ticket_gives_way_to_a_squash_that_lies_in_the_order_of_numbers(graph: Graph) -> None:
    last = graph.squashes("root", 7, 9, 12)
    last = graph.squashes(last, *range(1, 14))
    assert graph.pulls()[12] == "root+7+9+12" + "".join(f"+{each}" for each in range(1, 13))
    assert graph.pulls()[7].endswith("+6+7")


def test_tickets_far_above_the_numbers_of_their_time_are_counted_apart(graph: Graph) -> None:
    last = graph.squashes("root", 1204, 988)
    graph.add("t", last, "Work")
    graph.add("m", f"{last} t", "Merge pull request #1 from mara/t\n\nAdd")
    assert graph.pulls() == {1: "m"}
    assert graph.choose().passed == {IMPLAUSIBLE: 2}


def test_of_equal_evidence_the_earliest_merge_counts(graph: Graph) -> None:
    graph.squashes("root", 12, 13, 12)
    assert graph.pulls() == {12: "root+12", 13: "root+12+13"}
    assert graph.choose().passed == {AGAIN: 1}


def test_a_merge_up_by_hand_brings_pulls_and_a_foxtrot_too(graph: Graph) -> None:
    far = graph.squashes("root", 1, 2)
    graph.add("mine", "root", "Fix a typo in my notes")
    graph.add("m", f"mine {far}", "Merge branch 'main' of github.com:acme/widget")
    assert graph.pulls().keys() == {1, 2}


def test_the_numbers_of_a_fork_that_was_merged_by_hand_are_none(graph: Graph) -> None:
    last = "root"
    for number in range(4_000, 4_010):
        graph.add(f"t{number}", last, "Work")
        message = f"Merge pull request #{number} from mara/t\n\nAdd"
        graph.add(f"m{number}", f"{last} t{number}", message)
        last = f"m{number}"
    graph.add("f", last, "Merge pull request #21 from acme/main\n\nUpdate my fork")
    graph.add("m", f"{last} f", "Merge branch 'fix' of https://github.com/mara/widget")
    assert 21 not in graph.pulls()


def test_an_imported_repository_brings_no_pulls(graph: Graph) -> None:
    graph.add("other", "", "Begin")
    far = graph.squashes("other", 1, 2, 3)
    graph.add("m", f"root {far}", "Merge the plugin's repository")
    graph.add("n", "m", "Change (#1)")
    assert graph.pulls() == {1: "n"}
    assert graph.choose().passed == {FOREIGN: 3}


def test_what_homu_rolled_up_counts_beside_the_rollup(graph: Graph) -> None:
    graph.add("a", "root", "Work")
    graph.add("ra", "root a", "Rollup merge of #3 - mara:a, r=noor\n\nAdd a")
    graph.add("m", "root ra", "Auto merge of #9 - noor:rollup, r=noor\n\nRollup of 1 pull")
    assert graph.pulls() == {3: "ra", 9: "m"}
