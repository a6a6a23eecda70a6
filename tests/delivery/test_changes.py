"""What an image is made from, and when it has to be built anew."""

import pytest

from delivery.changes import Decision, decide
from delivery.cli import main
from delivery.git import Repository
from delivery.inputs import stage_inputs
from delivery.stages import KUSTOMIZATION, STAGES
from support.delivery import World
from support.project import project


def decision(world: World, commit: str, stage: str = "data-fetch") -> Decision:
    return decide(Repository(world.clone), commit, stage)


def built(world: World, commit: str) -> set[str]:
    return {stage for stage in STAGES if decision(world, commit, stage).build}


@pytest.mark.parametrize(
    ("path", "text", "stages"),
    [
        ("src/pullrisk/fetch/__init__.py", "A = 1\n", {"data-fetch"}),
        ("src/pullrisk/train/__init__.py", "A = 1\n", {"ml-training"}),
        ("src/pullrisk/serve/pages/page.html", "<p>new\n", {"model-serving"}),
        ("src/pullrisk/pulls/schema.json", "[]\n", {"data-fetch", "model-serving"}),
        ("src/pullrisk/errors.py", "A = 1\n", {"data-fetch", "model-serving"}),
        ("src/pullrisk/cli/app.py", "A = 1\n", set(STAGES)),
        ("images/base.env", "BASE=python@sha256:2\n", set(STAGES)),
        ("images/build.py", "import engine\n", set(STAGES)),
        ("images/ml-training.Dockerfile", "FROM ${BASE}\n", {"ml-training"}),
        ("images/install.py", "import os\n", set(STAGES)),
        ("images/unused.py", "import os\n", set()),
        ("constraints.txt", "httpx==2\n", set(STAGES)),
        ("README.md", "# other words\n", set()),
        ("docs/notes.md", "words\n", set()),
        ("tests/test_fetch.py", "def test_it(): ...\n", set()),
        ("argo-apps/base/other.yaml", "kind: ConfigMap\n", set()),
    ],
)
def test_a_change_builds_the_stages_whose_images_it_reaches_and_no_other(
    world: World, path: str, text: str, stages: set[str]
) -> None:
    assert built(world, world.push({path: text})) == stages


@pytest.mark.parametrize(
    ("old", "new", "stages"),
    [
        ('"pyspark"', '"pyspark>=4"', {"spark-preprocess"}),
        ('lake = ["deltalake"]', 'lake = ["deltalake>=1"]', set(STAGES) - {"data-fetch"}),
        ("line-length = 100", "line-length = 99", set()),
        ('version = "1"', 'version = "2"', set(STAGES)),
    ],
)
def test_of_pyproject_only_what_the_stage_installs_counts(
    world: World, old: str, new: str, stages: set[str]
) -> None:
    text = project()["pyproject.toml"]
    assert old in text
    assert built(world, world.push({"pyproject.toml": text.replace(old, new)})) == stages


@pytest.mark.parametrize(
    "line", ["import engine", "from images import bases, engine", "from images.engine import find"]
)
def test_a_module_that_a_builder_imports_counts_with_it(world: World, line: str) -> None:
    world.push({"images/build.py": f"{line}\n", "images/engine.py": "A = 1\n"})
    repository, commit = Repository(world.clone), world.tip("HEAD")
    assert "images/engine.py" in stage_inputs(repository, commit, "data-fetch").parts


def test_a_command_that_a_manifest_runs_counts_with_the_images_own(world: World) -> None:
    pod = world.shown("staging", "argo-apps/base/data-fetch.yaml")
    commit = world.push({"argo-apps/base/data-fetch.yaml": pod.replace("[fetch]", "[train]")})
    assert "src/pullrisk/train/__init__.py" in decision(world, commit).changed


def test_an_image_that_runs_no_command_it_says_is_made_from_all_of_the_package(
    world: World,
) -> None:
    dockerfile = project()["images/data-fetch.Dockerfile"].replace('CMD ["fetch"]', "")
    pod = world.shown("staging", "argo-apps/base/data-fetch.yaml").replace("[fetch]", "[]")
    files = {"images/data-fetch.Dockerfile": dockerfile, "argo-apps/base/data-fetch.yaml": pod}
    parts = stage_inputs(Repository(world.clone), world.push(files), "data-fetch").parts
    assert set(parts) >= {path for path in project() if path.startswith("src/")}


def test_the_bots_own_commit_builds_nothing(world: World) -> None:
    source = world.push({"src/pullrisk/errors.py": "A = 1\n"})
    assert built(world, source) == {"data-fetch", "model-serving"}
    world.release("data-fetch", source)
    world.release("model-serving", source)
    assert built(world, world.branch("staging")) == set()


def test_a_build_that_failed_is_made_up_for_by_the_next_push(world: World) -> None:
    world.push({"src/pullrisk/fetch/__init__.py": "A = 1\n"})  # and its build fails
    after = world.push({"docs/notes.md": "words"})
    assert built(world, after) == {"data-fetch"}


def test_a_change_taken_back_builds_nothing(world: World) -> None:
    before = world.shown("staging", "src/pullrisk/fetch/__init__.py")
    world.push({"src/pullrisk/fetch/__init__.py": "A = 1\n"})
    assert built(world, world.push({"src/pullrisk/fetch/__init__.py": before})) == set()


def test_a_digest_carried_over_to_a_forced_history_is_built_anew(world: World) -> None:
    source = world.push({"src/pullrisk/fetch/__init__.py": "A = 1\n"})
    world.release("data-fetch", source)
    now = world.shown("staging")
    world.force(world.branch("main"))
    forced = world.push({KUSTOMIZATION: now}, "The digest without its history")
    assert "no commit of the workflow wrote" in decision(world, forced).reason


def test_a_digest_rolled_back_by_revert_is_known_again(world: World) -> None:
    before, kept = world.shown("staging", "src/pullrisk/fetch/__init__.py"), world.shown("staging")
    world.release("data-fetch", world.push({"src/pullrisk/fetch/__init__.py": "A = 1\n"}))
    files = {"src/pullrisk/fetch/__init__.py": before, KUSTOMIZATION: kept}
    assert built(world, world.push(files, "Revert")) == set()


def test_a_bot_commit_that_lies_of_its_digest_is_not_believed(world: World) -> None:
    text = world.shown("staging")
    digest = text.split("digest: ")[1][:71]
    edited = text.replace(digest, "sha256:" + "3" * 64)
    lie = f"Deploy\n\nStage: data-fetch\nDigest: {digest}\nSource-Commit: {world.branch('main')}"
    commit = world.push({KUSTOMIZATION: edited}, lie)
    assert decision(world, commit).build


def test_a_manifest_that_was_broken_by_hand_builds(world: World) -> None:
    commit = world.push({KUSTOMIZATION: "resources: []\n"})
    assert "names no image" in decision(world, commit).reason
    world.push(project() | {KUSTOMIZATION: world.shown("main")})


def test_the_reason_names_what_changed(world: World) -> None:
    commit = world.push({"src/pullrisk/fetch/__init__.py": "A = 1\n"})
    found = decision(world, commit)
    assert found.reason == "changed: src/pullrisk/errors.py, src/pullrisk/fetch/__init__.py, " + (
        "src/pullrisk/pulls/__init__.py, src/pullrisk/pulls/schema.json"
    )
    assert len(found.fingerprint) == 64


@pytest.mark.parametrize(
    ("path", "text", "reason"),
    [
        ("src/pullrisk/fetch/__init__.py", "def\n", "pullrisk.fetch is no Python"),
        ("pyproject.toml", "[project\n", "pyproject.toml is no TOML"),
        ("argo-apps/base/data-fetch.yaml", "kind: [\n", "data-fetch.yaml is no YAML"),
        ("images/data-fetch.Dockerfile", 'FROM a\nCOPY "b ./\n', "cannot be read"),
        ("images/data-fetch.Dockerfile", None, "is not in"),
    ],
)
def test_a_commit_that_cannot_be_read_is_an_error_that_names_the_file(
    world: World, capsys: pytest.CaptureFixture[str], path: str, text: str | None, reason: str
) -> None:
    world.push({path: text})
    assert main(["--clone", str(world.clone), "changes", "--stage", "data-fetch"]) == 4
    assert reason in capsys.readouterr().err
