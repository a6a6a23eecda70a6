"""Decide whether a stage has to be built: compare its inputs with those of the running image."""

from dataclasses import asdict, dataclass

from delivery.errors import InputError, RefusedError
from delivery.git import Repository
from delivery.inputs import Inputs, stage_inputs
from delivery.marks import marks, same_code
from delivery.origin import Origin, origin

_SHOWN = 5


@dataclass(frozen=True)
class Decision:
    """What was decided, and why."""

    stage: str
    build: bool
    reason: str
    fingerprint: str
    changed: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """For programs."""
        return asdict(self)


def decide(repository: Repository, commit: str, stage: str) -> Decision:
    """Compare with the commit that the running image was built from, never with the last push.

    So the next push makes up for a failed build, and a force-push hides nothing.
    """
    now = stage_inputs(repository, commit, stage)
    build, reason, changed = _judged(repository, commit, now)
    return Decision(stage, build, reason, now.fingerprint, tuple(changed))


def _judged(repository: Repository, commit: str, now: Inputs) -> tuple[bool, str, list[str]]:
    """Whether to build, why, and what changed."""
    try:
        running = origin(repository, commit, now.stage)
        mark = marks(repository, commit).get(now.stage)
    except RefusedError as error:
        return True, f"the manifest names no image: {error.args[0]}", []
    if mark is None:
        return _since(repository, commit, running, now)
    if same_code(repository, commit, now.stage, mark, commit):
        return False, f"it was rolled back, and its code is as before: {mark.reason}", []
    return True, f"it was rolled back, and its code changed since: {mark.reason}", []


def _since(
    repository: Repository, commit: str, running: Origin, now: Inputs
) -> tuple[bool, str, list[str]]:
    """As `_judged`, for a running image that no rollback put there."""
    source = running.source
    if source is None:
        return True, f"no commit of the workflow wrote {running.digest[:19]}", []
    if not repository.is_ancestor(source, commit):
        return True, f"{source[:12]}, which it was built from, is not in this history", []
    try:
        changed = now.differences(stage_inputs(repository, source, running.stage))
    except InputError as error:
        return True, f"what it was built from cannot be compared: {error.args[0]}", []
    if not changed:
        return False, f"nothing it is made from changed since {source[:12]}", []
    more = f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
    return True, f"changed: {', '.join(changed[:_SHOWN])}{more}", changed
