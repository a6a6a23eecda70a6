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
from pullrisk.preprocess.plan import Plan, plan
from pullrisk.preprocess.replay import Replayed, RepositoryReport
from pullrisk.pulls.store import PullStore

_READERS_GRACE: Final = timedelta(hours=1)
"""How long a superseded history stays for readers of an earlier version."""

MakePlan = Callable[..., Plan]
"""`plan`, or `sketch` where the tasks compare their repositories themselves."""
Replay = Callable[[Plan, int], tuple[list[AddedFile], list[Replayed]]]
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
    replay: Replay,
    make_plan: MakePlan | None = None,
    repositories: Sequence[str] | None = None,
    full: bool = False,
) -> PreprocessReport:
    """Replay what is new in the store into the lake, in one atomic commit.

    Raises LakeError, StoreError and InputError; then the lake is as it was.
    """
    started = time.perf_counter()
    lake.check()
    todo = (make_plan or plan)(store, lake, repositories=repositories, full=full)
    run, replayed = None, list[Replayed]()
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
            done = [one.work.repository for one in replayed]
            lake.vacuum_objects([*done, *todo.gone], older_than=_READERS_GRACE)
    return PreprocessReport(
        run=run,
        version=lake.version,
        repositories=_lines(todo, replayed),
        seconds=time.perf_counter() - started,
    )


def _change(todo: Plan, files: list[AddedFile], replayed: list[Replayed], *, run: int) -> Change:
    works = [one.work for one in replayed]
    return Change(
        run=run,
        base={work.repository: work.base for work in works} | todo.gone,
        base_version=todo.base_version,
        files=files,
        histories={one.work.repository: one.saved_as for one in replayed},
        replaced=frozenset(w.repository for w in works if w.base is not None and not w.append),
        gone=frozenset(todo.gone),
        facts={
            "schema_hash": SCHEMA_HASH,
            "pulls": sum(one.pulls for one in replayed),
            "rows": sum(one.rows for one in replayed),
            "repositories": {one.work.repository: one.work.status for one in replayed},
        },
    )


def _new_run(todo: Plan) -> int:
    """A number greater than every run before it, even where the clock went back."""
    earlier = [work.base or 0 for work in todo.works] + list(todo.gone.values())
    return max(time.time_ns(), 1 + max(earlier))


def _touched(todo: Plan) -> list[str]:
    return [*(work.repository for work in todo.works), *todo.gone]


def _lines(todo: Plan, replayed: list[Replayed]) -> list[RepositoryReport]:
    lines = [one.report for one in replayed]
    same = {work.repository for work in todo.works} - {line.repository for line in lines}
    lines += [RepositoryReport(repository=n, status="unchanged") for n in same | {*todo.unchanged}]
    lines += [RepositoryReport(repository=name, status="removed") for name in todo.gone]
    return sorted(lines, key=lambda line: line.repository)
