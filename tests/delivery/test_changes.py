"""What an image is made from, and when it has to be built anew."""

import pytest

from delivery.changes import Decision, decide
from delivery.cli import main
from delivery.git import Repository
from delivery.inputs import TABLE
from delivery.kustomization import with_digest
from delivery.origin import message
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


def test_a_change_of_the_declaration_builds_the_stages_that_it_names(world: World) -> None:
    table = project()[TABLE]
    narrower = table.replace('"fetch", "pulls"]', '"pulls"]')
    assert built(world, world.push({TABLE: narrower})) == {"data-fetch"}
    assert built(world, world.push({TABLE: table.replace("tests/cli", "tests")})) == set()


def test_an_image_from_before_inputs_were_declared_is_built_anew(world: World) -> None:
    source = world.push({TABLE: None})
    world.push({"docs/notes.md": "words"})
    digest = world.image("data-fetch", tag=source)
    text = with_digest(world.shown("staging"), "data-fetch", digest)
    world.push({KUSTOMIZATION: text}, message("data-fetch", digest, source))
    found = decision(world, world.push({TABLE: project()[TABLE]}))
    assert found.build
    assert "cannot be compared" in found.reason


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
    assert found.reason == "changed: src/pullrisk/fetch/__init__.py"
    assert len(found.fingerprint) == 64


@pytest.mark.parametrize(
    ("path", "text", "reason"),
    [
        ("pyproject.toml", "[project\n", "pyproject.toml is not TOML"),
        (TABLE, "[data-fetch\n", "inputs.toml is not TOML"),
        (TABLE, "[every-stage]\n", "[data-fetch] is missing"),
        (TABLE, "[every-stage]\n[data-fetch]\nfolders = []\n", "unknown keys"),
        (TABLE, None, "inputs.toml is not in"),
        ("images/data-fetch.Dockerfile", None, "is not in"),
    ],
)
def test_a_commit_that_cannot_be_read_is_an_error_that_names_the_file(
    world: World, capsys: pytest.CaptureFixture[str], path: str, text: str | None, reason: str
) -> None:
    world.push({path: text})
    assert main(["--clone", str(world.clone), "changes", "--stage", "data-fetch"]) == 4
    assert reason in capsys.readouterr().err
