"""Nothing is lost, however pulls change while they are read and wherever a fetch breaks off.

1,000 schedules with `make drill-fetch` (PULLRISK_TEST_SCHEDULES=1000).
"""

import os
import signal
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from fake_github.world import World, pull_like
from pullrisk.fetch.github.sync import OVERLAP
from pullrisk.pulls.sqlite import SqliteStore
from support.github import NOW, GitHub, expected, stored

SCHEDULES = int(os.environ.get("PULLRISK_TEST_SCHEDULES", "80"))

late = st.integers(0, int(OVERLAP.total_seconds()) - 60)
"""Seconds until a replica shows a change."""
seconds = st.sampled_from([0, 1, 5, 60, 900, 90_000])
changes = st.lists(
    st.tuples(st.sampled_from(["change", "merge", "open", "rename"]), st.integers(0, 30), late),
    max_size=4,
)
schedules = st.dictionaries(st.integers(0, 20), st.tuples(seconds, changes), max_size=5)
"""Before which request of a fetch how much time passes, and what changes then."""


class Changes(RuleBasedStateMachine):
    """A repository that people work on, and fetches of it in pages of two or three."""

    @initialize(pulls=st.integers(0, 12), size=st.integers(1, 3))
    def begin(self, pulls: int, size: int) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="pullrisk-changes-")
        self.store = SqliteStore(Path(self.folder.name) / "pulls.sqlite")
        self.world = World(clock=NOW)
        self.github = GitHub(self.world, self.store)
        moment = "2024-06-01T00:00:00Z"  # equal times: the order is by number then
        self.repository = self.world.add(
            "o/r", [pull_like(number, created_at=moment) for number in range(1, pulls + 1)]
        )
        self.github.misbehave(too_large_above=size)

    @rule(after=seconds, changed=changes)
    def work(self, after: int, changed: list[tuple[str, int, int]]) -> None:
        """Time passes, then people change pulls."""
        self.world.clock = int(self.world.now()) + after
        for kind, number, behind in changed:
            self._change(kind, number, behind)

    @rule(schedule=schedules, breaks=st.none() | st.integers(0, 20))
    def fetch(
        self, schedule: dict[int, tuple[int, list[tuple[str, int, int]]]], breaks: int | None
    ) -> None:
        """A fetch with changes between its requests, which may break off at one of them."""
        before = self.github.app.requests.total()

        def meanwhile(requests: int) -> None:
            if requests - before == breaks:
                signal.raise_signal(signal.SIGINT)
            self.work(*schedule.get(requests - before, (0, [])))

        self.github.app.on_request = meanwhile
        try:
            self.github.fetch("o/r")
        except KeyboardInterrupt:
            pass
        finally:
            self.github.app.on_request = lambda requests: None

    def teardown(self) -> None:
        """One whole fetch in peace, later than any replica's lag, and the store is the world."""
        if not hasattr(self, "store"):
            return
        self.world.clock = int(self.world.now()) + 1
        report = self.github.fetch("o/r")
        try:
            assert not report.failed
            state = self.store.checkpoint(f"github:localhost:{self.repository.id}") or {}
            name = str(state["name"])  # the one it had when it was first fetched
            assert stored(self.store, name) == expected(self.repository, stored_as=name)
        finally:
            self.store.close()
            self.folder.cleanup()

    def _change(self, kind: str, number: int, behind: int) -> None:
        numbers = sorted(self.repository.pulls)
        if kind == "open" or not numbers:
            self.world.open_pull(self.repository)
        elif kind == "rename":
            self.world.rename(self.repository, f"o/r{number}")
        else:
            chosen = numbers[number % len(numbers)]
            moment = "2025-02-01T00:00:00Z" if kind == "merge" else None
            pull = self.repository.pulls[chosen]
            version = int(pull["title"].rpartition(" ")[2] or 0) + 1
            self.world.change(
                self.repository,
                chosen,
                late=behind,
                title=f"version {version}",
                merged_at=moment or pull["merged_at"],
                merge_commit_sha="f" * 40 if moment else pull["merge_commit_sha"],
            )


TestChanges = Changes.TestCase
TestChanges.settings = settings(
    max_examples=SCHEDULES,
    stateful_step_count=8,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
