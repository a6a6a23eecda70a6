"""What a run has to replay: the store's fingerprints against the ledgers of the lake.

A repository's new pulls are appended when every pull already replayed is still the same and
all new ones come later. Otherwise its history would differ from a replay in event order, so
the repository is rebuilt from its first event.
"""

from collections.abc import Mapping, Sequence

import msgspec

from pullrisk.errors import InputError, LakeError
from pullrisk.features import SCHEMA_HASH
from pullrisk.lake import DamagedObjectError, Lake, Ledger
from pullrisk.preprocess.report import Status
from pullrisk.pulls.store import PullStore


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """One repository to replay: number → fingerprint of its `pulls`, and upon what.

    `base` is the run whose history is current (None = there is none). `append` continues from
    it; otherwise all events are replayed, and `note` says why.
    """

    repository: str
    pulls: dict[int, int]
    base: int | None = None
    append: bool = False
    note: str | None = None

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
    lake.refresh()
    foreign = lake.schema_hash not in (None, SCHEMA_HASH)
    if foreign and repositories is not None:
        raise LakeError(
            f"lake {lake.uri} was made with feature schema {lake.schema_hash}, "
            f"this pullrisk computes {SCHEMA_HASH}: all its repositories have to be rebuilt",
            hint="run again without naming repositories",
        )
    result = Plan(base_version=lake.version, works=[], unchanged=[], gone={})
    for name in _names(store, lake, repositories):
        _add(result, store, lake, name, full=full or foreign)
    return result


def _names(store: PullStore, lake: Lake, named: Sequence[str] | None) -> list[str]:
    known = {summary.repository for summary in store.repositories()} | set(lake.repositories())
    for name in named or ():
        if name not in known:
            raise InputError(
                f"repository {name} is not in the pull store",
                hint="run `pullrisk fetch` first, or correct the name",
            )
    return sorted(known if named is None else known.intersection(named))


def _add(plan: Plan, store: PullStore, lake: Lake, name: str, *, full: bool) -> None:
    pulls, base = store.fingerprints(name), lake.current_run(name)
    if base is None:
        if pulls:
            plan.works.append(Work(repository=name, pulls=pulls))
    elif not pulls:
        plan.gone[name] = base
    elif full:
        plan.works.append(Work(repository=name, pulls=pulls, base=base, note="rebuilt in full"))
    else:
        work = _difference(store, lake, Work(repository=name, pulls=pulls, base=base))
        plan.works.append(work) if work else plan.unchanged.append(name)


def _difference(store: PullStore, lake: Lake, whole: Work) -> Work | None:
    """What is new since the ledger: None, an append, or `whole` with the reason for it."""
    try:
        ledger = lake.ledger(whole.repository)
        if ledger is not None and ledger.pulls == whole.pulls:
            lake.history(whole.repository)  # read to see that it is whole
            return None
    except DamagedObjectError as error:
        return msgspec.structs.replace(whole, note=str(error.args[0]))
    if ledger is None or not ledger.pulls.items() <= whole.pulls.items():
        return msgspec.structs.replace(whole, note="pulls replayed before have changed")
    new = {number: whole.pulls[number] for number in whole.pulls.keys() - ledger.pulls.keys()}
    if _is_late(store, whole.repository, new, ledger):
        return msgspec.structs.replace(whole, note="a pull arrived after later ones")
    return msgspec.structs.replace(whole, pulls=new, append=True)


def _is_late(store: PullStore, repository: str, new: Mapping[int, int], ledger: Ledger) -> bool:
    first = next(iter(store.events(repository, numbers=new)), None)
    return (
        first is not None
        and first.event_at is not None
        and ledger.as_of is not None
        and first.event_at <= ledger.as_of
    )
