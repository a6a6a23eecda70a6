"""Copy one pull store into another; they may be of different kinds."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

import msgspec

from pullrisk.errors import InputError, StoreError
from pullrisk.progress import Progress, Silent, Task
from pullrisk.pulls.record import Pull
from pullrisk.pulls.store import PullStore, RepositorySummary, Written
from pullrisk.redaction import redacted

BATCH: Final = 1_000
"""Pulls in one write."""
OWN: Final = "copy:"
"""Prefix of the checkpoints that a copy itself keeps in the target; they are not copied."""


class CopyReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a copy did; `whole` is how many repositories were already complete in the target."""

    repositories: int
    whole: int
    pulls: int
    written: Written
    checkpoints: int


def copy_store(
    source: PullStore, target: PullStore, *, name: str, progress: Progress | None = None
) -> CopyReport:
    """Copy all pulls, open ones too, and pushes, then all checkpoints; `name` is the source's.

    It may be repeated: a pull that is newer in the target stays, and repositories that are
    complete are skipped. Checkpoints come last, since they say what is stored. Raises InputError
    if the source is empty, StoreError if the target has fewer pulls at the end.
    """
    summaries = source.repositories()
    if not summaries:
        raise InputError(f"{redacted(name)} holds no pull requests", hint="correct its path or URI")
    key = OWN + redacted(name)
    whole = _whole(summaries, target) if target.checkpoint(key) else set()
    target.upsert([], checkpoint=(key, {"unfinished": True}))
    written, total = Written(), sum(summary.pulls for summary in summaries)
    with (progress or Silent()).task("Copying pull requests", total=total, unit="pulls") as task:
        for summary in summaries:
            if summary.repository in whole:
                task.advance(summary.pulls)
            else:
                written += _copy_repository(summary.repository, source, target, task)
    checkpoints = _copy_checkpoints(source, target)
    _verify(summaries, target)
    target.upsert([], checkpoint=(key, {}))
    return CopyReport(
        repositories=len(summaries),
        whole=len(whole),
        pulls=total,
        written=written,
        checkpoints=checkpoints,
    )


def _whole(summaries: Iterable[RepositorySummary], target: PullStore) -> set[str]:
    """The repositories with the same counts and times in both stores."""
    copied = {summary.repository: summary for summary in target.repositories()}
    return {
        summary.repository for summary in summaries if copied.get(summary.repository) == summary
    }


def _copy_repository(name: str, source: PullStore, target: PullStore, task: Task) -> Written:
    written = Written()
    task.describe(f"Copying {name}")
    for batch in _batches(source.pulls(name)):
        written += target.upsert(batch)
        task.advance(len(batch))
    for batch in _batches(source.pushes(name)):
        target.upsert(batch)
    return written


def _copy_checkpoints(source: PullStore, target: PullStore) -> int:
    theirs = {key: value for key, value in source.checkpoints().items() if not key.startswith(OWN)}
    for checkpoint in theirs.items():
        target.upsert([], checkpoint=checkpoint)
    return len(theirs)


def _verify(summaries: Iterable[RepositorySummary], target: PullStore) -> None:
    copied = {summary.repository: summary for summary in target.repositories()}
    for summary in summaries:
        copy = copied.get(summary.repository)
        expected = summary.pulls + summary.pushes
        actual = copy.pulls + copy.pushes if copy else 0
        if actual < expected:
            raise StoreError(
                f"{summary.repository} has {expected:,} pull requests and pushes "
                f"in the source and {actual:,} in the target",
                hint="run the same copy again; if that does not help, something deletes there",
            )


def _batches(pulls: Iterator[Pull]) -> Iterator[list[Pull]]:
    while batch := list(islice(pulls, BATCH)):
        yield batch
