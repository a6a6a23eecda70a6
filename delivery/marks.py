"""The marks that rollbacks leave in Git: stages that run an earlier image than their code's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

from delivery.errors import InputError, RefusedError
from delivery.git import Repository
from delivery.inputs import stage_inputs
from delivery.kustomization import DIGEST
from delivery.origin import built_from
from delivery.stages import MARKS, STAGES

_HEAD: Final = """\
# Stages that run an earlier image than their code's, written by `python -m delivery rollback`.
# The next image of a stage's changed code takes its mark away.
"""


@dataclass(frozen=True)
class Mark:
    """One stage's rollback."""

    digest: str
    """The image that runs."""
    replaced: tuple[str, ...]
    """Images that must not run again, the latest first."""
    reason: str


def marks(repository: Repository, commit: str) -> dict[str, Mark]:
    """Stage to mark at the commit. Raises RefusedError if the file is malformed."""
    text = repository.show(commit, MARKS)
    return {} if text is None else parse(text)


def parse(text: str) -> dict[str, Mark]:
    """Read the file. Raises RefusedError if it is malformed."""
    try:
        document = yaml.safe_load(text) or {}
        return {_stage(stage): _mark(**fields) for stage, fields in document.items()}
    except (yaml.YAMLError, AttributeError, TypeError, ValueError) as error:
        raise RefusedError(f"{MARKS} is malformed: {error}") from None


def dump(found: Mapping[str, Mark]) -> str | None:
    """The file's text; None if there is no mark, and so no file."""
    if not found:
        return None
    entries = {
        stage: {"digest": mark.digest, "replaced": list(mark.replaced), "reason": mark.reason}
        for stage, mark in sorted(found.items())
    }
    text: str = yaml.safe_dump(entries, sort_keys=False, allow_unicode=True, width=1000)
    return _HEAD + text


def same_code(
    repository: Repository, commit: str, stage: str, mark: Mark, source: str
) -> str | None:
    """The replaced image that was built from the same inputs as `source` has; None if none was."""
    now = stage_inputs(repository, source, stage)
    for digest in mark.replaced:
        before = built_from(repository, commit, stage, digest)
        try:
            if before and not now.differences(stage_inputs(repository, before, stage)):
                return digest
        except InputError:
            continue  # it was built before inputs were declared
    return None


def _stage(name: object) -> str:
    if name not in STAGES:
        raise ValueError(f"{name} is not a stage")
    return str(name)


def _mark(digest: Any, replaced: Any, reason: Any) -> Mark:  # noqa: ANN401
    mark = Mark(str(digest), tuple(map(str, replaced)), str(reason))
    if not mark.replaced or not all(map(DIGEST.fullmatch, (mark.digest, *mark.replaced))):
        raise ValueError("a digest is not sha256")
    return mark
