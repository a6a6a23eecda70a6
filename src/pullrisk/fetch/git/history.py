"""What a stretch of a branch's history holds: its commits, its pulls, whose commits are whose."""

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from pullrisk.fetch.git.choice import Choice, choose
from pullrisk.fetch.git.clocks import commit_times
from pullrisk.fetch.git.graph import BranchGraph, arrange_commits
from pullrisk.fetch.git.log import Commit, OwnCommits


class History(msgspec.Struct, frozen=True):
    """Commits by sha, how they lie, the pulls among them, and when each was made.

    `own` is, by sha of a merge that is a pull, what it brought in, without the pulls therein.
    """

    commits: dict[str, Commit]
    graph: BranchGraph
    choice: Choice
    own: dict[str, OwnCommits]
    times: dict[str, datetime]

    def unnumbered(self) -> list[str]:
        """The branch's own commits that name no pull: pushed directly, or merged by rebase."""
        return [
            sha
            for sha, merge in self.graph.brought_by.items()
            if merge is None
            and sha not in self.choice.named
            and len(self.commits[sha].parents) == 1
        ]


def arrange_history(  # noqa: PLR0913 (all that is known from elsewhere)
    read: Iterable[Commit],
    head: str,
    *,
    owner: str,
    heads: Mapping[int, str],
    stored: Iterable[int],
    floor: datetime | None,
    now: datetime,
) -> History:
    """Lay out the commits that were read: see `arrange_commits`, `choose` and `commit_times`."""
    commits = {commit.sha: commit for commit in read}
    graph = arrange_commits({sha: commit.parents for sha, commit in commits.items()}, head)
    choice = choose(commits, graph, owner=owner, heads=heads, stored=stored)
    times = commit_times(commits, graph, floor=floor, now=now)
    return History(commits, graph, choice, _own_commits(commits, graph, choice), times)


def _own_commits(
    commits: dict[str, Commit], graph: BranchGraph, choice: Choice
) -> dict[str, OwnCommits]:
    """A commit is of the innermost pull whose merge brought it in."""
    own: dict[str, OwnCommits] = {}
    pull_of: dict[str, str | None] = {}
    for sha, merge in reversed(graph.brought_by.items()):
        pull = merge if merge is None or merge in choice.pulls else pull_of[merge]
        pull_of[sha] = pull
        if pull is not None and sha not in choice.pulls:
            own.setdefault(pull, OwnCommits()).add(commits[sha])
    return own
