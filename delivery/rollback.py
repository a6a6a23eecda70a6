"""Back to the image that ran before: one commit on main, and in staging's history."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from delivery.errors import AwayError, InputError, RefusedError
from delivery.git import Repository
from delivery.judgement import Judge, promoted
from delivery.kustomization import digests, with_digest
from delivery.marks import Mark, dump, marks
from delivery.origin import built_from, message
from delivery.promotion import Branches, make_plan, reasons
from delivery.records import ROLLBACK, Sign, add_record
from delivery.stages import KUSTOMIZATION, MAIN, MARKS, STAGING

ATTEMPTS: Final = 5
_FARTHEST: Final = 200
"""Changes of the manifest's images that are searched for the digest that ran before."""


@dataclass(frozen=True)
class Rollback:
    """One stage's way back: what main runs, what ran before, and why."""

    stage: str
    mark: Mark

    @property
    def text(self) -> str:
        """For a terminal."""
        now, before = self.mark.replaced[0][7:19], self.mark.digest[7:19]
        return f"{self.stage} went back from {now} to {before} on {MAIN}: {self.mark.reason}"


def rollback(
    repository: Repository, judge: Judge, stage: str, reason: str, *, sign: Sign, pause: float = 1.0
) -> Rollback:
    """Write the digest that ran before; tries again if a branch moves meanwhile.

    The commit is made on top of main, so that nothing unpromoted comes with it, and merged into
    staging, so that main can still be fast-forwarded. It is judged like any candidate.

    Raises RefusedError if no promoted image ran before, or if the judge refuses the commit.
    """
    for _ in range(ATTEMPTS):
        branches = Branches.of(repository)
        found = Rollback(stage, _mark(repository, judge, branches, stage, _one_line(reason)))
        written = _commit(repository, branches.main, found)
        merged = _merge(repository, branches, written, found)
        _record(judge, found, written, sign)
        _check(repository, judge, Branches(branches.main, merged), written)
        try:
            repository.push({STAGING: merged, MAIN: written})
        except RefusedError:
            time.sleep(pause)
            continue
        return found
    raise AwayError(
        f"{MAIN} or {STAGING} moved {ATTEMPTS} times while the rollback was written",
        hint="run it again; nothing was changed",
    )


def _one_line(reason: str) -> str:
    """The reason without line breaks, which could pass for trailers of the commit."""
    line = " ".join(reason.split())
    if not line:
        raise InputError("a rollback needs a reason", hint="say it with --reason")
    return line


def _mark(
    repository: Repository, judge: Judge, branches: Branches, stage: str, reason: str
) -> Mark:
    """Main's next mark: the latest promoted digest that the registry has and that was not bad."""
    main = branches.main
    if not repository.is_ancestor(main, branches.staging):
        raise RefusedError(f"{MAIN} has commits that {STAGING} has not", hint="merge them first")
    running, mark = _digest(repository, main, stage), marks(repository, main).get(stage)
    replaced = (running, *(mark.replaced if mark else ()))
    with judge.registry(stage) as registry:
        for digest in _earlier(repository, main, stage):
            if digest in replaced or registry.manifest(digest) is None:
                continue
            if promoted(registry, stage, digest, judge):
                return Mark(digest, replaced, reason)
    raise RefusedError(
        f"no other image of {stage} was promoted before {running[:19]}",
        hint="revert the code on staging: the image that is built of it can be promoted",
    )


def _earlier(repository: Repository, main: str, stage: str) -> Iterator[str]:
    """Digests that main's history names for the stage, the latest first, each once."""
    span = ["rev-list", f"--max-count={_FARTHEST}", "--first-parent", main, "--", KUSTOMIZATION]
    seen: set[str] = set()
    for commit in repository.text(*span).split():
        try:
            digest = _digest(repository, commit, stage)
        except (InputError, RefusedError):
            continue  # a manifest of the past that was edited by hand
        if digest not in seen:
            seen.add(digest)
            yield digest


def _digest(repository: Repository, commit: str, stage: str) -> str:
    return digests(repository.show(commit, KUSTOMIZATION) or "{}")[stage]


def _commit(repository: Repository, main: str, found: Rollback) -> str:
    """The commit on top of main."""
    mark = found.mark
    source = built_from(repository, main, found.stage, mark.digest) or "unknown"
    said = message(found.stage, mark.digest, source, reason=mark.reason)
    return repository.commit_with(_files(repository, main, found), said, parents=[main])


def _merge(repository: Repository, branches: Branches, written: str, found: Rollback) -> str:
    """Staging's new tip: the commit itself, or a merge where staging is ahead of main.

    Staging goes back too, unless it runs another image than main's already.
    """
    if branches.staging == branches.main:
        return written
    running = _digest(repository, branches.staging, found.stage)
    same = running == found.mark.replaced[0]
    files = _files(repository, branches.staging, found) if same else {}
    said = f"Merge the rollback of {found.stage}\n\n{found.mark.reason}\n"
    return repository.commit_with(files, said, parents=[branches.staging, written])


def _record(judge: Judge, found: Rollback, written: str, sign: Sign) -> None:
    """Sign that this workflow wrote the commit, before anybody can see it."""
    mark = found.mark
    content = {"commit": written, "replaced": mark.replaced, "reason": mark.reason}
    with judge.registry(found.stage) as registry:
        add_record(registry, found.stage, mark.digest, ROLLBACK, content, sign)


def _check(repository: Repository, judge: Judge, branches: Branches, written: str) -> None:
    """Judge the commit as a candidate. Raises RefusedError with every reason against it."""
    plan = make_plan(repository, branches, judge, candidate=written)
    if not plan.allowed:
        raise RefusedError("the rollback is refused", hint="\n  ".join(reasons(plan)))


def _files(repository: Repository, commit: str, found: Rollback) -> dict[str, str | None]:
    """The commit's manifest with the digest, its marks with this one."""
    text = repository.show(commit, KUSTOMIZATION) or ""
    return {
        KUSTOMIZATION: with_digest(text, found.stage, found.mark.digest),
        MARKS: dump(marks(repository, commit) | {found.stage: found.mark}),
    }
