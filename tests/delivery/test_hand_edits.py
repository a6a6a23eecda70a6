"""A folder of kustomizations and manifests that must be refused, each by the right check."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from delivery.admission import check_manifests
from delivery.admitted import admitted
from delivery.git import Repository
from delivery.render import rendered
from delivery.sources import load_tests
from delivery.stages import KUSTOMIZATION, STAGES, image_name
from support.delivery import World

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")

ROOT = Path(__file__).parents[2]
NAME = "registry.digitalocean.com/pullrisk/data-fetch"
OTHER = "registry.digitalocean.com/pullrisk/ml-training"
POD = "argo-apps/base/data-fetch.yaml"
Refused = Callable[..., None]
Edit = Callable[[str], str]


def first(text: str) -> str:
    """The first image's lines."""
    lines = text.splitlines(keepends=True)
    at = next(place for place, line in enumerate(lines) if NAME in line)
    return "".join(lines[at : at + 2])


def digest_line(text: str) -> str:
    return first(text).splitlines(keepends=True)[1]


EDITS: dict[str, tuple[Edit, str]] = {
    "a tag in the place of the digest": (
        lambda t: t.replace(digest_line(t), "    newTag: latest\n"),
        "has newTag",
    ),
    "a tag beside the digest": (
        lambda t: t.replace(digest_line(t), digest_line(t) + "    newTag: latest\n"),
        "has newTag",
    ),
    "another registry": (
        lambda t: t.replace(
            digest_line(t), digest_line(t) + "    newName: docker.io/mallory/data-fetch\n"
        ),
        "has newName",
    ),
    "another name": (
        lambda t: t.replace(NAME, "docker.io/mallory/data-fetch"),
        "docker.io/mallory/data-fetch is not an image of this pipeline",
    ),
    "one image more": (
        lambda t: t.replace("# the end", "  - name: nginx\n    digest: sha256:" + "1" * 64),
        "nginx is not an image of this pipeline",
    ),
    "one image less": (lambda t: t.replace(first(t), ""), f"{NAME} has no digest"),
    "an image twice": (lambda t: t.replace(first(t), first(t) * 2), "is listed twice"),
    "a digest twice": (
        lambda t: t.replace(digest_line(t), digest_line(t) * 2),
        "repeats digest",
    ),
    "two lists of images": (lambda t: t + "images: []\n", "repeats images"),
    "a short digest": (
        lambda t: t.replace(digest_line(t), digest_line(t)[:40] + "\n"),
        "has no sha256 digest",
    ),
    "an upper-case digest": (
        lambda t: t.replace(digest_line(t), digest_line(t).upper().replace("DIGEST", "digest")),
        "has no sha256 digest",
    ),
    "an anchor": (
        lambda t: t.replace("digest: sha256", "digest: &one sha256", 1),
        "uses an anchor",
    ),
    "no images at all": (lambda t: t.split("images:")[0], "has no list of images"),
    "what is not YAML": (lambda t: t + "\t{", "is not YAML"),
    "a patch of the image": (
        lambda t: (
            t + "patches:\n  - target: {kind: CronJob, name: data-fetch}\n    patch: |-\n"
            "      - op: replace\n        value: nginx\n"
            "        path: /spec/jobTemplate/spec/template/spec/containers/0/image\n"
        ),
        "the manifests run nginx",
    ),
    "a resource from elsewhere": (
        lambda t: t.replace("resources:\n", "resources:\n  - https://example.com/evil.yaml\n"),
        "which is not in the commit",
    ),
    "a resource from another repository": (
        lambda t: t.replace("resources:\n", "resources:\n  - github.com/mallory/evil?ref=main\n"),
        "which is not in the commit",
    ),
    "a chart": (
        lambda t: t + "helmCharts:\n  - name: evil\n    repo: oci\n",
        "uses helmCharts",
    ),
    "a file that is not there": (
        lambda t: t.replace("resources:\n", "resources:\n  - none.yaml\n"),
        "none.yaml, which is not in the commit",
    ),
}


@pytest.mark.parametrize("what", EDITS)
def test_a_kustomization_edited_by_hand_is_refused(
    world: World, refused: Refused, what: str
) -> None:
    edit, reason = EDITS[what]
    before = world.shown("staging")
    assert edit(before) != before
    world.push({KUSTOMIZATION: edit(before)}, what)
    refused(reason)


PODS: dict[str, tuple[Edit, str]] = {
    "an image of somebody else": (
        lambda t: t.replace(NAME, "nginx:1"),
        "the manifests run nginx:1",
    ),
    "a third party's by tag": (
        lambda t: t.replace(NAME, "docker.io/locustio/locust:2"),
        "the manifests run docker.io/locustio/locust:2",
    ),
    "an image named in an argument": (
        lambda t: t.replace("args: [", f"args: [--executor={OTHER}:latest, "),
        f"the manifests run {OTHER}:latest",
    ),
    "what does not render": (lambda t: t.replace("kind: CronJob", "kind: ["), "do not render"),
}


@pytest.mark.parametrize("what", PODS)
def test_a_manifest_that_runs_another_image_is_refused(
    world: World, refused: Refused, what: str
) -> None:
    edit, reason = PODS[what]
    world.push({POD: edit(world.shown("staging", POD))}, what)
    refused(reason)


LOCUST = admitted["third_party"][0]
APPLICATION = """\
kind: Application
spec:
  source:
    repoURL: https://github.com/acme/pullrisk.git
    targetRevision: {branch}
    path: argo-apps/overlays/{cluster}
"""
OVERLAY = """\
kind: Kustomization
resources: [../../base]
components: [../../components/more]
"""
COMPONENT = """\
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
resources: [more.yaml]
"""


def clusters(world: World, edit: Edit = lambda text: text, *, image: str = LOCUST) -> None:
    """The two clusters' Applications, production's edited, with a component of this image."""
    pod = world.shown("staging", POD).replace("name: data-fetch", "name: more")
    world.push(
        {
            "argo-apps/clusters/staging/application.yaml": APPLICATION.format(
                branch="staging", cluster="staging"
            ),
            "argo-apps/clusters/production/application.yaml": edit(
                APPLICATION.format(branch="main", cluster="production")
            ),
            "argo-apps/overlays/production/kustomization.yaml": OVERLAY,
            "argo-apps/components/more/kustomization.yaml": COMPONENT,
            "argo-apps/components/more/more.yaml": pod.replace(NAME, image).replace(
                "args: [fetch]", "args: [--headless]"
            ),
        }
    )


def test_a_component_that_production_opts_in_to_is_promoted_and_shown(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    clusters(world)
    capsys.readouterr()
    assert world.run("plan") == 0
    assert "+  name: more" in capsys.readouterr().out
    assert world.promote() == 0


def test_an_image_that_a_component_brings_is_refused(world: World, refused: Refused) -> None:
    clusters(world, image="docker.io/mallory/more:1")
    refused("the manifests run docker.io/mallory/more:1")


APPLICATIONS: dict[str, tuple[Edit, str]] = {
    "images of its own": (
        lambda t: t + f"    kustomize: {{images: ['{NAME}:latest']}}\n",
        "sets kustomize",
    ),
    "a patch of its own": (
        lambda t: t + "    kustomize: {patches: [{patch: x}]}\n",
        "sets kustomize",
    ),
    "a chart": (lambda t: t + "    chart: evil\n", "sets chart"),
    "two sources": (lambda t: t + "  sources: [{}]\n", "sets sources"),
    "another source, that is hydrated": (
        lambda t: t + "  sourceHydrator: {drySource: {}, syncSource: {}}\n",
        "sets sourceHydrator",
    ),
    "another branch": (lambda t: t.replace(": main", ": feature"), "on the branch main"),
    "another folder": (
        lambda t: t.replace("argo-apps/overlays/production", "evil"),
        "on the branch main",
    ),
    "another repository": (lambda t: t.replace("acme", "mallory"), "read two repositories"),
    "components, which Argo CD would add to the overlay's own kustomization": (
        lambda t: t + "    kustomize: {components: [../../components/more]}\n",
        "sets kustomize",
    ),
    "the other cluster's overlay": (
        lambda t: t.replace("production", "staging"),
        "does not read argo-apps/overlays/production",
    ),
    "no source": (lambda t: "kind: Application\n", "is not an Application"),
}


@pytest.mark.parametrize("what", APPLICATIONS)
def test_an_application_that_decides_what_runs_is_refused(
    world: World, refused: Refused, what: str
) -> None:
    edit, reason = APPLICATIONS[what]
    clusters(world, edit)
    refused(reason)


APPLIED: dict[str, str] = {
    "a patch of the Application": "patches: [{path: a.yaml}]\n",
    "an Application more": "resources: [application.yaml, project.yaml, more.yaml]\n",
    "another Application": "resources: [project.yaml, more.yaml]\n",
}


@pytest.mark.parametrize("what", APPLIED)
def test_a_cluster_s_folder_that_changes_its_application_is_refused(
    world: World, refused: Refused, what: str
) -> None:
    clusters(world)
    text = "kind: Kustomization\n" + APPLIED[what]
    if "resources" not in text:
        text += "resources: [application.yaml, project.yaml]\n"
    more = {f"argo-apps/clusters/production/{name}.yaml": "a: b\n" for name in ("a", "more")}
    project = {"argo-apps/clusters/production/project.yaml": "kind: AppProject\n"}
    world.push({"argo-apps/clusters/production/kustomization.yaml": text, **more, **project})
    refused("is more than application.yaml and project.yaml")


def test_a_third_partys_image_that_is_allowed_by_digest_is_promoted(world: World) -> None:
    pod = world.shown("staging", POD)
    more = f"            - {{name: load, image: {LOCUST}}}\n"
    world.push({POD: pod + more})
    assert world.promote() == 0


def test_a_symbolic_link_out_of_the_commit_is_refused(world: World, refused: Refused) -> None:
    link = world.clone / "argo-apps/base/evil.yaml"
    world.push({"docs/notes.md": "words"})
    link.symlink_to("/etc/passwd")
    text = world.shown("staging").replace("resources:\n", "resources:\n  - evil.yaml\n")
    world.push({KUSTOMIZATION: text}, "A link")
    refused("evil.yaml")


def test_this_repositorys_own_manifests_run_nothing_but_its_images() -> None:
    repository = Repository(ROOT)
    commit = repository.resolve("HEAD")
    if commit is None or repository.show(commit, KUSTOMIZATION) is None:
        pytest.skip("not a git repository with manifests")
    manifests = rendered(repository, commit)
    kustomization = repository.show(commit, KUSTOMIZATION) or ""
    check_manifests(manifests, kustomization, load_tests(repository, commit))
    assert all(image_name(stage) in manifests for stage in STAGES)
