"""What a run has to replay: the store's fingerprints against those that the lake has consumed.

A repository's new pulls are appended when every pull already replayed is still the same and
all new ones come later. Otherwise its history would differ from a replay in event order, so
the repository is rebuilt from its first event.
"""

from collections.abc import Iterable, Sequence
from typing import Final, Literal

import msgspec

from pullrisk.errors import InputError, LakeError, StoreError
from pullrisk.lake import DamagedObjectError, Lake
from pullrisk.lake.objects import Objects
from pullrisk.pulls.store import PullStore

Status = Literal["new", "appended", "rebuilt", "unchanged", "removed"]


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """One repository to replay: number → fingerprint of its `pulls`, and upon what.

    `base` is the run whose history is current (None = there is none). `append` continues from
    it; otherwise all events are replayed, and `note` says why. A sketch has no `pulls` yet, only
    how many are `closed`; `full` says that they will all be replayed.
    """

    repository: str
    pulls: dict[int, int]
    base: int | None = None
    append: bool = False
    note: str | None = None
    closed: int | None = None
    full: bool = False

    @property
    def size(self) -> int:
        """How many pulls it is about."""
        return len(self.pulls) if self.closed is None else self.closed

    @property
    def status(self) -> Status:
        """How the report calls it."""
        if self.base is None:
            return "new"
        return "appended" if self.append else "rebuilt"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A run over the lake at `base_version`; `gone` repositories are no longer in the store."""

    base_version: int | None
    works: list[Work]
    unchanged: list[str]
    gone: dict[str, int]


def plan(
    store: PullStore, lake: Lake, *, repositories: Sequence[str] | None = None, full: bool = False
) -> Plan:
    """Compare store and lake; `full` rebuilds every repository.

    Raises InputError for a named repository that neither knows.
    """
    result = sketch(store, lake, repositories=repositories, full=full)
    works, unchanged = [], []
    for sketched in result.works:
        work = compared(store, lake.objects, sketched)
        if work is None:
            unchanged.append(sketched.repository)
        else:
            works.append(work)
    return msgspec.structs.replace(result, works=works, unchanged=unchanged)


def sketch(
    store: PullStore, lake: Lake, *, repositories: Sequence[str] | None = None, full: bool = False
) -> Plan:
    """Like `plan`, from the store's counts alone: each work is a sketch, still to be `compared`.

    An empty store is taken for a wrong one where the lake holds anything: InputError.
    """
    lake.refresh()
    misfit = lake.misfit
    full = full or misfit is not None
    if misfit and repositories is not None:
        raise LakeError(
            f"lake {lake.uri} was made with {misfit}: all its repositories have to be rebuilt",
            hint="run again without naming repositories",
        )
    closed = {summary.repository: summary.events for summary in store.repositories()}
    if not closed and lake.repositories():
        raise InputError(
            f"the pull store is empty, and lake {lake.uri} is not: nothing was changed",
            hint="name the store that the lake was made from (PULLRISK_STORE); "
            "to start anew, move the lake away",
        )
    result = Plan(base_version=lake.version, works=[], unchanged=[], gone={})
    for name in _names(closed, lake, repositories):
        base, pulls = lake.current_run(name), closed.get(name, 0)
        if pulls:
            result.works.append(
                Work(
                    repository=name,
                    pulls={},
                    base=base,
                    closed=pulls,
                    full=full,
                )
            )
        elif base is not None:
            result.gone[name] = base
    return result


def compared(store: PullStore, objects: Objects, sketched: Work) -> Work | None:
    """What a sketched repository has to replay, None if nothing is new.

    Raises StoreError if this store has fewer pulls than the one that was sketched.
    """
    pulls = store.fingerprints(sketched.repository)
    if len(pulls) < sketched.size:
        raise StoreError(
            f"found {len(pulls)} of the {sketched.size} closed pulls of {sketched.repository}",
            hint="every worker has to reach the store that the run was planned on: use mongodb://, "
            "or an SQLite file on a path that all share; or run again",
        )
    work = Work(repository=sketched.repository, pulls=pulls, base=sketched.base)
    if work.base is None:
        return work
    if sketched.full:
        return msgspec.structs.replace(work, note="rebuilt in full")
    return _difference(store, objects, work, work.base)


def _names(stored: Iterable[str], lake: Lake, requested: Sequence[str] | None) -> list[str]:
    known = set(stored) | set(lake.repositories())
    for name in requested or ():
        if name not in known:
            raise InputError(
                f"repository {name} is not in the pull store",
                hint="run `pullrisk fetch` first, or correct the name",
            )
    return sorted(known if requested is None else known.intersection(requested))


def _difference(store: PullStore, objects: Objects, work: Work, base: int) -> Work | None:
    """What is new since the history: None, an append, or `work` with the reason for it."""
    try:
        consumed = objects.consumed(work.repository, base)
        if consumed.pulls == work.pulls:
            objects.history(work.repository, base)  # read to see that it is whole
            return None
    except DamagedObjectError as error:
        return msgspec.structs.replace(work, note=str(error.args[0]))
    rest = consumed.rest(store, work.repository, work.pulls)
    if isinstance(rest, str):
        return msgspec.structs.replace(work, note=rest)
    return msgspec.structs.replace(work, pulls=rest, append=True)


TASKS_PER_SLOT: Final = 4
"""Tasks for each core: enough to even out their lengths, few enough to cost nothing."""
LEAST_PULLS: Final = 2_000
"""A task of fewer pulls than this costs more than it replays."""


def pack(works: list[Work], *, slots: int) -> list[list[Work]]:
    """The tasks, the longest first, so that none starts late and runs on alone.

    A repository is never divided: its replay is a fold.
    """
    total = sum(work.size for work in works)
    target = max(LEAST_PULLS, total // (slots * TASKS_PER_SLOT))
    tasks: list[list[Work]] = []
    room = 0
    for work in sorted(works, key=lambda work: work.size, reverse=True):
        size = work.size
        if not tasks or size > room:
            tasks.append([])
            room = target
        tasks[-1].append(work)
        room -= size
    return tasks
