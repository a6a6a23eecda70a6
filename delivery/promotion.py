"""Promotion: judge whether a commit of staging may become main, then fast-forward main to it."""

from dataclasses import dataclass
from typing import Final

from delivery.admission import check_manifests
from delivery.errors import DeliveryError, InputError, RefusedError
from delivery.evidence import why
from delivery.git import Commit, Repository
from delivery.judgement import Image, Judge, judge_image, promoted
from delivery.kustomization import digests
from delivery.records import PROMOTION, Sign, add_record
from delivery.render import difference, rendered
from delivery.sources import load_tests, shown
from delivery.stages import KUSTOMIZATION, MAIN, STAGES, STAGING

ATTEMPTS: Final = 3
DECIDE: Final = (
    ".github/",
    "delivery/",
    "vault/",
    "argo-apps/bootstrap.sh",
    "argo-apps/clusters/",
    "argo-apps/components/",
    "argo-apps/overlays/",
    "argo-apps/platform/",
    "constraints.txt",  # with the next one: what the judge itself is installed from
    "pyproject.toml",
    "images/",  # with these, a job that may write images says which one was tested
    "src/pullrisk/__init__.py",  # with the next ones: what a job logs in to Vault and GitHub with
    "src/pullrisk/errors.py",
    "src/pullrisk/fetch/__init__.py",
    "src/pullrisk/fetch/github/__init__.py",
    "src/pullrisk/fetch/github/app_token.py",
    "src/pullrisk/redaction.py",
    "src/pullrisk/secret_forms.py",
    "src/pullrisk/secrets/",
    "tests/performance/",  # code that the manifests bring as it is
)
"""Files and folders that decide what later promotions may do."""
_BY_NAME: Final = (".gitattributes", ".gitmodules", "CODEOWNERS")


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
        proven = {image.stage for image in self.images if image.accepted}
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
    return Plan(
        main=branches.main,
        candidate=commit,
        commits=tuple(repository.log(branches.main, commit)),
        images=images,
        problems=(*problems, *wrong),
        attention=tuple(attention(repository, branches.main, commit)),
        manifests=manifests,
    )


def attention(repository: Repository, main: str, commit: str) -> list[str]:
    """Changed files that whoever approves looks at: they decide what later promotions may do."""
    return [
        shown(path)
        for path in repository.changed(main, commit)
        if path.startswith(DECIDE) or path.rpartition("/")[2] in _BY_NAME or shown(path) != path
    ]


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
                repository.push({MAIN: plan.candidate})
            break
        except RefusedError:
            if attempt == ATTEMPTS:
                raise
    return plan


def record_promotion(judge: Judge, plan: Plan, sign: Sign) -> None:
    """Leave a record beside each image that has none, so that a rollback may go back to it."""
    for image in plan.images:
        with judge.registry(image.stage) as registry:
            if not promoted(registry, image.stage, image.digest, judge):
                content = {"commit": plan.candidate}
                add_record(registry, image.stage, image.digest, PROMOTION, content, sign)


def reasons(plan: Plan) -> list[str]:
    """All that speaks against it, one line each."""
    unproven = [image for image in plan.images if not image.accepted]
    return [*plan.problems, *(f"{image.stage}: {image.problem}" for image in unproven)]


def _history(repository: Repository, branches: Branches, commit: str) -> list[str]:
    commits = []
    if not repository.is_ancestor(commit, branches.staging):
        commits.append(
            f"{commit[:12]} is not in {STAGING}: it was never there, or it was forced away"
        )
    if not repository.is_ancestor(branches.main, commit):
        own = repository.log(commit, branches.main)
        names = ", ".join(f"{each.sha[:12]} ({each.subject})" for each in own[:5])
        commits.append(
            f"{MAIN} cannot be fast-forwarded: it has {len(own)} commits that {STAGING} has not: "
            f"{names}; bring them to {STAGING} first"
        )
    return commits


def _images(repository: Repository, main: str, commit: str, judge: Judge) -> tuple[Image, ...]:
    text = repository.show(commit, KUSTOMIZATION)
    if text is None:
        raise InputError(f"{KUSTOMIZATION} is not in {commit[:12]}")
    now, before = digests(text), _running(repository, main)
    return tuple(
        judge_image(repository, commit, (stage, now[stage], before.get(stage)), judge)
        for stage in STAGES
    )


def _running(repository: Repository, main: str) -> dict[str, str]:
    """What main runs; nothing if it has no manifests yet, or malformed ones."""
    try:
        return digests(repository.show(main, KUSTOMIZATION) or "{}")
    except DeliveryError:
        return {}


def _manifests(repository: Repository, main: str, commit: str) -> tuple[str, list[str]]:
    """The difference of the renderings, and what is wrong with the new one."""
    try:
        new = rendered(repository, commit)
        kustomization = repository.show(commit, KUSTOMIZATION) or ""
        check_manifests(new, kustomization, load_tests(repository, commit))
    except DeliveryError as error:
        return "", [why(error)]
    try:
        old = rendered(repository, main)
    except DeliveryError:
        old = ""
    return difference(old, new), []
