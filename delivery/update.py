"""The bot's commit: one digest on staging, over whatever else moved there meanwhile."""

import time
from dataclasses import dataclass
from typing import Final

from delivery.errors import AwayError, InputError, RefusedError
from delivery.git import Repository
from delivery.inputs import stage_inputs
from delivery.kustomization import with_digest
from delivery.marks import dump, marks, same_code
from delivery.origin import message, origin
from delivery.stages import KUSTOMIZATION, MARKS, STAGING

ATTEMPTS: Final = 12


@dataclass(frozen=True)
class Built:
    """An image: its stage, its digest, the commit it was built from."""

    stage: str
    digest: str
    source: str


@dataclass(frozen=True)
class Outcome:
    """The bot's commit, None if there was nothing to do, and the reason."""

    commit: str | None
    reason: str


def update(
    repository: Repository, built: Built, *, branch: str = STAGING, pause: float = 1.0
) -> Outcome:
    """Write the digest into the branch's manifest and push it; try again if others push meanwhile.

    Raises RefusedError if the branch no longer contains the commit that was built.
    """
    for attempt in range(ATTEMPTS):
        repository.fetch(branch)
        tip = repository.commit(f"refs/remotes/{repository.remote}/{branch}")
        if reason := _nothing_to_do(repository, built, tip):
            return Outcome(None, reason)
        commit = _commit(repository, built, tip)
        try:
            repository.push({branch: commit})
        except RefusedError:
            time.sleep(pause * (1 + attempt % 4))
            continue
        return Outcome(commit, f"{built.stage} runs {built.digest[:19]} on {branch}")
    raise AwayError(
        f"{branch} moved {ATTEMPTS} times while the digest of {built.stage} was written",
        hint="run the workflow again; nothing was changed",
    )


def _nothing_to_do(repository: Repository, built: Built, tip: str) -> str | None:
    """The reason to write nothing, or None. Raises RefusedError for what must never be written."""
    if not repository.is_ancestor(built.source, tip):
        raise RefusedError(
            f"{built.source[:12]}, which {built.stage} was built from, is no longer in the branch",
            hint="the branch was forced to another history; the push that did it builds anew",
        )
    running, mark = origin(repository, tip, built.stage), marks(repository, tip).get(built.stage)
    if mark and (given_up := same_code(repository, tip, built.stage, mark, built.source)):
        return f"{built.stage} was rolled back from the same code, {given_up[:19]}: {mark.reason}"
    if running.digest == built.digest and mark is None:
        return f"{built.stage} runs {built.digest[:19]} already"
    if running.source and _is_newer(repository, built, running.source):
        return f"{built.stage} runs a later build already, of {running.source[:12]}"
    return None


def _is_newer(repository: Repository, built: Built, running: str) -> bool:
    """Whether what runs was built from a later commit; the same inputs make it no later."""
    if running == built.source or not repository.is_ancestor(built.source, running):
        return False
    before, after = (
        stage_inputs(repository, each, built.stage) for each in (built.source, running)
    )
    return bool(after.differences(before))


def _commit(repository: Repository, built: Built, tip: str) -> str:
    """A commit on top of the tip that writes the digest and takes the stage's mark away."""
    text = repository.show(tip, KUSTOMIZATION)
    if text is None:
        raise InputError(f"{KUSTOMIZATION} is not in {tip[:12]}")
    files: dict[str, str | None] = {KUSTOMIZATION: with_digest(text, built.stage, built.digest)}
    left = marks(repository, tip)
    if left.pop(built.stage, None):
        files[MARKS] = dump(left)
    said = message(built.stage, built.digest, built.source)
    return repository.commit_with(files, said, parents=[tip])
