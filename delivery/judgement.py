"""Whether a stage's digest may run at a commit: tested for its code, or put back by a rollback."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from delivery.errors import AwayError, DeliveryError, RefusedError
from delivery.evidence import Evidence, Verify, evidence, image_exists, why
from delivery.git import Repository
from delivery.inputs import stage_inputs
from delivery.kustomization import digests
from delivery.marks import Mark, marks
from delivery.records import PROMOTION, ROLLBACK, recorded_commits
from delivery.registry import Registry
from delivery.stages import KUSTOMIZATION, MARKS

State = Literal["tested", "rolled back", "refused", "unknown"]


@dataclass(frozen=True)
class Judge:
    """What a judgement needs besides Git."""

    registry: Callable[[str], Registry]
    """Stage → the registry's repository of its image."""
    verify: Callable[[str], Verify]
    """Stage → who verifies an attestation of its image."""
    verify_record: Callable[[str], Verify]
    """Kind of record → who verifies one."""


@dataclass(frozen=True)
class Image:
    """One stage's digest: on main, in the candidate, and what is proven of the latter."""

    stage: str
    was: str | None
    digest: str
    state: State
    source: str | None
    """The commit that it was built from and tested at."""
    problem: str = ""
    """Why it is refused or unknown; the reason of a rollback."""

    @property
    def accepted(self) -> bool:
        """Whether it may run."""
        return self.state in {"tested", "rolled back"}


def judge_image(
    repository: Repository, commit: str, which: tuple[str, str, str | None], judge: Judge
) -> Image:
    """Judge a stage's digest at the commit; `which` is stage, digest, and the digest on main."""
    stage, digest, was = which
    try:
        with judge.registry(stage) as registry:
            image_exists(registry, digest)
            found = evidence(registry, stage, digest, judge.verify(stage))
            mark = marks(repository, commit).get(stage)
            if mark is not None and mark.digest != digest:
                raise RefusedError(
                    f"{MARKS} says that {mark.digest[:19]} runs: it was edited by hand"
                )
            if mark is None:
                return Image(
                    stage, was, digest, "tested", _source(repository, commit, stage, found)
                )
            _check_rollback(repository, commit, stage, registry, judge)
            source = _tested_at(repository, commit, found)
        return Image(stage, was, digest, "rolled back", source, mark.reason)
    except AwayError as error:
        return Image(stage, was, digest, "unknown", None, why(error))
    except DeliveryError as error:
        return Image(stage, was, digest, "refused", None, why(error))


def promoted(registry: Registry, stage: str, digest: str, judge: Judge) -> bool:
    """Whether a promotion left its record beside the image."""
    verify = judge.verify_record(PROMOTION)
    return bool(recorded_commits(registry, stage, digest, PROMOTION, verify))


def _source(repository: Repository, commit: str, stage: str, found: Evidence) -> str:
    """The commit that the image was tested at, whose inputs are those of the candidate."""
    refused = list(found.refused)
    for source in found.sources:
        if not _contains(repository, commit, source):
            refused.append(f"{source[:12]}, which it was built from, is not in this history")
            continue
        now, then = (stage_inputs(repository, each, stage) for each in (commit, source))
        if not (changed := now.differences(then)):
            return source
        refused.append(f"{', '.join(changed[:3])} changed since {source[:12]}: not built anew yet")
    raise RefusedError("; ".join(refused) or "it was never tested on staging: nothing attests it")


def _tested_at(repository: Repository, commit: str, found: Evidence) -> str:
    """A commit of this history that the image was tested at, whatever changed since."""
    for source in found.sources:
        if _contains(repository, commit, source):
            return source
    raise RefusedError("; ".join(found.refused) or "it was never tested in this history")


def _check_rollback(
    repository: Repository, commit: str, stage: str, registry: Registry, judge: Judge
) -> None:
    """Raises RefusedError unless the rollback workflow put the image there, and it stayed since."""
    mark, verify = marks(repository, commit)[stage], judge.verify_record(ROLLBACK)
    if not promoted(registry, stage, mark.digest, judge):
        raise RefusedError(f"{MARKS} names an image that was never promoted")
    written = recorded_commits(registry, stage, mark.digest, ROLLBACK, verify)
    if not any(_stayed(repository, each, commit, stage, mark) for each in written):
        raise RefusedError(f"no rollback wrote what {MARKS} says: it was edited by hand")


def _stayed(repository: Repository, written: str, commit: str, stage: str, mark: Mark) -> bool:
    """Whether mark and digest are the same at every commit from the rollback's to this one.

    A mark that was taken away and written again by hand must not be believed. With --full-history
    Git also lists a merge that left the mark out.
    """
    if not _contains(repository, commit, written):
        return False
    span = ["--full-history", "--ancestry-path", f"{written}..{commit}"]
    later = repository.text("rev-list", *span, "--", KUSTOMIZATION, MARKS).split()
    return all(
        marks(repository, each).get(stage) == mark
        and digests(repository.show(each, KUSTOMIZATION) or "")[stage] == mark.digest
        for each in (written, *later)
    )


def _contains(repository: Repository, commit: str, old: str) -> bool:
    return repository.resolve(old) == old and repository.is_ancestor(old, commit)
