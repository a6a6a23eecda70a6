"""One run, whatever engine replays: plan, replay, one commit; nothing is left if it fails."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final

import msgspec

from pullrisk.errors import LakeError
from pullrisk.features import SCHEMA_HASH
from pullrisk.lake import AddedFile, Change, Lake
from pullrisk.preprocess.plan import Plan
from pullrisk.preprocess.replay import ReplayedRepository, RepositoryReport
from pullrisk.pulls.store import PullStore

_READERS_GRACE: Final = timedelta(hours=1)
"""How long a superseded history stays for readers of an earlier version."""

MakePlan = Callable[..., Plan]
"""`plan`, or `sketch` where the tasks compare their repositories themselves."""
Replay = Callable[[Plan, int], tuple[list[AddedFile], list[ReplayedRepository]]]
"""Replays the works of a plan under a run's number: the files that wait for the commit."""


class PreprocessReport(msgspec.Struct, frozen=True, kw_only=True):
    """One run. `run` is None if there was nothing to do and nothing was committed.

    `version` is the feature table's; None if there is still no table.
    """

    run: int | None
    version: int | None
    repositories: list[RepositoryReport]
    seconds: float

    @property
    def pulls(self) -> int:
        """Pulls replayed."""
        return sum(repository.pulls for repository in self.repositories)

    @property
    def rows(self) -> int:
        """Rows written."""
        return sum(repository.rows for repository in self.repositories)


def run_once(
    store: PullStore,
    lake: Lake,
    *,
    make_plan: MakePlan,
    replay: Replay,
    repositories: Sequence[str] | None = None,
    full: bool = False,
) -> PreprocessReport:
    """Replay what is new in the store into the lake, in one atomic commit.

    Raises LakeError, StoreError and InputError; then the lake is as it was.
    """
    started = time.perf_counter()
    lake.check()
    todo = make_plan(store, lake, repositories=repositories, full=full)
    run, replayed = None, list[ReplayedRepository]()
    if todo.works or todo.gone:
        number = _new_run(todo)
        try:
            files, replayed = replay(todo, number)
            if replayed or todo.gone:
                lake.commit(_change(todo, files, replayed, run=number))
                run = number
        except BaseException:
            with suppress(LakeError):  # the first error says more; vacuum deletes what stays
                lake.discard(number, _touched(todo))
            raise
        if run is not None:
            committed = [each.work.repository for each in replayed]
            lake.vacuum_objects([*committed, *todo.gone], older_than=_READERS_GRACE)
    return PreprocessReport(
        run=run,
        version=lake.version,
        repositories=_lines(todo, replayed),
        seconds=time.perf_counter() - started,
    )


def _change(
    todo: Plan, files: list[AddedFile], replayed: list[ReplayedRepository], *, run: int
) -> Change:
    works = [each.work for each in replayed]
    return Change(
        run=run,
        base={work.repository: work.base for work in works} | todo.gone,
        base_version=todo.base_version,
        files=files,
        histories={each.work.repository: each.saved_as for each in replayed},
        replaced=frozenset(w.repository for w in works if w.base is not None and not w.append),
        gone=frozenset(todo.gone),
        facts={
            "schema_hash": SCHEMA_HASH,
            "pulls": sum(each.pulls for each in replayed),
            "rows": sum(each.rows for each in replayed),
            "repositories": {each.work.repository: each.work.status for each in replayed},
        },
    )


def _new_run(todo: Plan) -> int:
    """A number greater than every run before it, even where the clock went back."""
    earlier = [work.base or 0 for work in todo.works] + list(todo.gone.values())
    return max(time.time_ns(), 1 + max(earlier))


def _touched(todo: Plan) -> list[str]:
    return [*(work.repository for work in todo.works), *todo.gone]


def _lines(todo: Plan, replayed: list[ReplayedRepository]) -> list[RepositoryReport]:
    lines = [each.report for each in replayed]
    same = {work.repository for work in todo.works} - {line.repository for line in lines}
    lines += [RepositoryReport(repository=n, status="unchanged") for n in same | {*todo.unchanged}]
    lines += [RepositoryReport(repository=name, status="removed") for name in todo.gone]
    return sorted(lines, key=lambda line: line.repository)
