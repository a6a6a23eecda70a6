"""Decide whether a stage has to be built: compare its inputs with those of the running image."""

from dataclasses import asdict, dataclass

from delivery.errors import InputError, RefusedError
from delivery.git import Repository
from delivery.inputs import stage_inputs
from delivery.marks import marks, same_code
from delivery.origin import origin

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

    def found(build: bool, reason: str, *changed: str) -> Decision:
        return Decision(stage, build, reason, now.fingerprint, changed)

    try:
        running = origin(repository, commit, stage)
    except RefusedError as error:
        return found(True, f"the manifest names no image: {error.args[0]}")
    mark = marks(repository, commit).get(stage)
    if mark and same_code(repository, commit, stage, mark, commit):
        return found(False, f"it was rolled back, and its code is as before: {mark.reason}")
    if mark:
        return found(True, f"it was rolled back, and its code changed since: {mark.reason}")
    if running.source is None:
        return found(True, f"no commit of the workflow wrote {running.digest[:19]}")
    if not repository.is_ancestor(running.source, commit):
        return found(
            True, f"{running.source[:12]}, which it was built from, is not in this history"
        )
    try:
        before = stage_inputs(repository, running.source, stage)
    except InputError as error:
        return found(True, f"what it was built from cannot be compared: {error.args[0]}")
    changed = now.differences(before)
    if changed:
        more = f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
        return found(True, f"changed: {', '.join(changed[:_SHOWN])}{more}", *changed)
    return found(False, f"nothing it is made from changed since {running.source[:12]}")
