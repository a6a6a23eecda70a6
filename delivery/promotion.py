"""The judge: may this commit of staging become main? It says yes only where all of it holds."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from delivery.errors import AwayError, DeliveryError, InputError, RefusedError
from delivery.evidence import Evidence, Verify, evidence, image_exists, why
from delivery.git import Commit, Repository
from delivery.inputs import stage_inputs
from delivery.kustomization import digests
from delivery.registry import Registry
from delivery.render import check_images, difference, rendered
from delivery.stages import KUSTOMIZATION, MAIN, STAGES, STAGING

State = Literal["tested", "refused", "unknown"]
ATTEMPTS: Final = 3
ATTENTION: Final = (".github/", "delivery/", "vault/", "argo-apps/clusters/")
"""Whoever approves looks at changes of these: they decide what later promotions may do."""


@dataclass(frozen=True)
class Judge:
    """What a judgement needs besides Git."""

    registry: Callable[[str], Registry]
    """Stage → the registry's repository of its image."""
    verify: Callable[[str], Verify]
    """Stage → who verifies a bundle of it."""


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


@dataclass(frozen=True)
class Plan:
    """What a promotion would change, and every reason against it."""

    main: str
    candidate: str
    commits: tuple[Commit, ...]
    images: tuple[Image, ...]
    problems: tuple[str, ...]
    attention: tuple[str, ...]
    manifests: str

    @property
    def allowed(self) -> bool:
        """Whether nothing speaks against it and every image is proven."""
        proven = {image.stage for image in self.images if image.state == "tested"}
        return not self.problems and proven == set(STAGES)

    @property
    def empty(self) -> bool:
        """Whether main is there already."""
        return self.main == self.candidate


@dataclass(frozen=True)
class Branches:
    """The two ends of a promotion."""

    main: str
    staging: str

    @classmethod
    def of(cls, repository: Repository, *, local: bool = False) -> "Branches":
        """As the remote has them now, or as this clone has them. Raises InputError for neither."""
        if local or not repository.has_remote():
            folder = "refs/heads"
        else:
            repository.fetch(MAIN, STAGING)
            folder = f"refs/remotes/{repository.remote}"
        found = {name: repository.resolve(f"{folder}/{name}") for name in (MAIN, STAGING)}
        if absent := [name for name, commit in found.items() if commit is None]:
            raise InputError(
                f"there is no branch {' and no branch '.join(absent)}, so nothing can be promoted",
                hint=f"images are built from {STAGING}: git branch {STAGING} {MAIN}",
            )
        return cls(str(found[MAIN]), str(found[STAGING]))


def make_plan(
    repository: Repository, branches: Branches, judge: Judge, *, candidate: str | None = None
) -> Plan:
    """Judge the candidate, the tip of staging unless another commit of it is named."""
    commit = repository.commit(candidate) if candidate else branches.staging
    problems = [*_history(repository, branches, commit)]
    try:
        images = _images(repository, branches.main, commit, judge)
    except DeliveryError as error:
        images = ()
        problems.append(why(error))
    manifests, wrong = _manifests(repository, branches.main, commit)
    changed = repository.text("diff", "--name-only", branches.main, commit).splitlines()
    return Plan(
        main=branches.main,
        candidate=commit,
        commits=tuple(repository.log(branches.main, commit)),
        images=images,
        problems=(*problems, *wrong),
        attention=tuple(path for path in changed if path.startswith(ATTENTION)),
        manifests=manifests,
    )


def promote(repository: Repository, judge: Judge, candidate: str) -> Plan:
    """Judge by the branches as they are now, then fast-forward main; judge again if it moved.

    Raises RefusedError.
    """
    for attempt in range(1, ATTEMPTS + 1):
        plan = make_plan(repository, Branches.of(repository), judge, candidate=candidate)
        if not plan.allowed:
            raise RefusedError(
                f"{plan.candidate[:12]} must not become {MAIN}",
                hint="\n  ".join(reasons(plan)),
            )
        try:
            if not plan.empty:
                repository.push(plan.candidate, MAIN)
            break
        except RefusedError:
            if attempt == ATTEMPTS:
                raise
    return plan


def reasons(plan: Plan) -> list[str]:
    """All that speaks against it, one line each."""
    unproven = [image for image in plan.images if image.state != "tested"]
    return [*plan.problems, *(f"{image.stage}: {image.problem}" for image in unproven)]


def _history(repository: Repository, branches: Branches, commit: str) -> list[str]:
    found = []
    if not repository.is_ancestor(commit, branches.staging):
        found.append(
            f"{commit[:12]} is not in {STAGING}: it was never there, or it was forced away"
        )
    if not repository.is_ancestor(branches.main, commit):
        own = repository.log(commit, branches.main)
        names = ", ".join(f"{each.sha[:12]} ({each.subject})" for each in own[:5])
        found.append(
            f"{MAIN} cannot be fast-forwarded: it has {len(own)} commits that {STAGING} has not: "
            f"{names}; bring them to {STAGING} first"
        )
    return found


def _images(repository: Repository, main: str, commit: str, judge: Judge) -> tuple[Image, ...]:
    text = repository.show(commit, KUSTOMIZATION)
    if text is None:
        raise InputError(f"{KUSTOMIZATION} is not in {commit[:12]}")
    now, before = digests(text), _running(repository, main)
    return tuple(
        _image(repository, commit, (stage, now[stage], before.get(stage)), judge)
        for stage in STAGES
    )


def _running(repository: Repository, main: str) -> dict[str, str]:
    """What main runs; nothing where it has no manifests yet, or strange ones."""
    try:
        return digests(repository.show(main, KUSTOMIZATION) or "{}")
    except DeliveryError:
        return {}


def _image(
    repository: Repository, commit: str, which: tuple[str, str, str | None], judge: Judge
) -> Image:
    stage, digest, was = which
    try:
        with judge.registry(stage) as registry:
            image_exists(registry, digest)
            found = evidence(registry, stage, digest, judge.verify(stage))
        source = _source(repository, commit, stage, found)
    except AwayError as error:
        return Image(stage, was, digest, "unknown", None, why(error))
    except DeliveryError as error:
        return Image(stage, was, digest, "refused", None, why(error))
    return Image(stage, was, digest, "tested", source)


def _source(repository: Repository, commit: str, stage: str, found: Evidence) -> str:
    """The commit that the image was tested at, whose inputs are those of the candidate."""
    refused = list(found.refused)
    for source in found.sources:
        if repository.resolve(source) is None or not repository.is_ancestor(source, commit):
            refused.append(f"{source[:12]}, which it was built from, is not in this history")
            continue
        now, then = (stage_inputs(repository, each, stage) for each in (commit, source))
        if not (changed := now.differences(then)):
            return source
        refused.append(f"{', '.join(changed[:3])} changed since {source[:12]}: not built anew yet")
    raise RefusedError("; ".join(refused) or "it was never tested on staging: nothing attests it")


def _manifests(repository: Repository, main: str, commit: str) -> tuple[str, list[str]]:
    """The difference of the renderings, and what is wrong with the new one."""
    try:
        new = rendered(repository, commit)
        check_images(new, repository.show(commit, KUSTOMIZATION) or "")
    except DeliveryError as error:
        return "", [why(error)]
    try:
        old = rendered(repository, main)
    except DeliveryError:
        old = ""
    return difference(old, new), []
