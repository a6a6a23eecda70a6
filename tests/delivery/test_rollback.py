"""Back to the image that ran before: only one that was promoted, only by the workflow, marked."""

import shutil
from collections.abc import Callable

import httpx
import pytest

from delivery.changes import decide
from delivery.git import Repository
from delivery.kustomization import digests, with_digest
from delivery.marks import Mark, dump
from delivery.records import PROMOTION, ROLLBACK, add_record
from delivery.signatures import sign, trust
from delivery.stages import KUSTOMIZATION, MARKS
from support.delivery import World
from support.repositories import git

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")

STAGE = "data-fetch"
CODE = "src/pullrisk/fetch/__init__.py"
Refused = Callable[..., None]


def runs(world: World, branch: str, stage: str = STAGE) -> str:
    return digests(world.shown(branch))[stage]


released = pytest.mark.begins("released")
rolled_back = pytest.mark.begins("rolled_back")


def first(world: World) -> str:
    """What main ran before the version that `released` promoted: a commit and the bot's ago."""
    return runs(world, "main~2")


def release(world: World, version: int) -> str:
    """A new version of the stage, promoted."""
    digest = world.release(
        STAGE, world.push({CODE: f"VERSION = {version}\n"}, f"Version {version}")
    )
    assert world.promote() == 0
    return digest


def mark(world: World, branch: str) -> str:
    """The file of marks; empty if the branch has none."""
    listed = git(world.origin, "ls-tree", "--name-only", f"refs/heads/{branch}", MARKS)
    return world.shown(branch, MARKS) if listed else ""


def forged(world: World, digest: str, *, workflow: str = "rollback", **lies: str) -> None:
    """By hand on staging, what a rollback to the digest would write, with a record of some job."""
    text = with_digest(world.shown("staging"), STAGE, digest)
    found = {STAGE: Mark(digest, (runs(world, "staging"),), "Mine")}
    commit = world.push({KUSTOMIZATION: text, MARKS: dump(found)}, "Roll back by hand")
    record(world, digest, ROLLBACK, commit, workflow=workflow, **lies)


def record(
    world: World, digest: str, kind: str, commit: str, *, workflow: str, **lies: str
) -> None:
    """Sign a record as a job of the workflow, with these lies, and attach it."""
    world.job_on_main(workflow, **lies)
    config = trust(world.sigstore.trust_config)
    with world.home(STAGE) as registry:
        content = {"commit": commit}
        add_record(registry, STAGE, digest, kind, content, lambda said: sign(said, config))


@released
def test_the_digest_that_ran_before_runs_again_and_the_commit_says_why(world: World) -> None:
    before, bad, tip = first(world), runs(world, "main"), world.branch("main")
    assert world.rollback(STAGE, "Every answer\nis 0.5") == 0
    assert runs(world, "main") == runs(world, "staging") == before
    said = git(world.origin, "show", "-s", "--format=%B", "main").splitlines()
    assert said[0] == f"Roll back {STAGE} {before[7:19]}"
    assert "Every answer is 0.5" in said
    assert git(world.origin, "diff", "--name-only", tip, "main").split() == [KUSTOMIZATION, MARKS]
    assert bad in mark(world, "main")
    assert "Every answer is 0.5" in mark(world, "main")


@rolled_back
def test_the_auditor_accepts_it_and_shows_what_is_held_back(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert world.audit() == 0
    shown = capsys.readouterr().out
    assert "ROLLED BACK" in shown
    assert f"{STAGE} runs an earlier image than its code's: It answers wrongly" in shown


@released
def test_nothing_unpromoted_comes_with_it_and_main_can_be_promoted_later(world: World) -> None:
    before = first(world)
    world.push({"docs/notes.md": "words"})
    ml = world.release("ml-training", world.push({"src/pullrisk/train/__init__.py": "A = 1\n"}))
    assert world.rollback(STAGE) == 0
    assert ml not in world.shown("main")
    assert runs(world, "staging") == before
    assert runs(world, "staging", "ml-training") == ml
    assert world.promote() == 0
    assert world.branch("main") == world.branch("staging")
    assert (runs(world, "main"), runs(world, "main", "ml-training")) == (before, ml)


@released
def test_a_newer_image_on_staging_stays_and_can_be_promoted(world: World) -> None:
    fixed = world.release(STAGE, world.push({CODE: "VERSION = 2\n"}))
    assert world.rollback(STAGE) == 0
    assert runs(world, "staging") == fixed
    assert mark(world, "staging") == ""
    assert world.promote() == 0
    assert (runs(world, "main"), mark(world, "main")) == (fixed, "")


def test_an_image_that_was_tested_and_never_promoted_is_passed_over(world: World) -> None:
    before = runs(world, "main")
    between = world.release(STAGE, world.push({CODE: "VERSION = 1\n"}))
    release(world, 2)
    assert world.rollback(STAGE) == 0
    assert runs(world, "main") == before != between


@released
def test_a_second_rollback_goes_further_back_and_never_to_what_was_bad(world: World) -> None:
    oldest, older, bad = first(world), runs(world, "main"), release(world, 2)
    assert world.rollback(STAGE) == 0
    assert runs(world, "main") == older
    assert world.rollback(STAGE) == 0
    assert runs(world, "main") == oldest
    assert all(digest in mark(world, "main") for digest in (oldest, older, bad))
    assert world.audit() == 0


def test_without_an_earlier_promotion_there_is_no_way_back(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    main = world.branch("main")
    assert world.rollback(STAGE) == 3
    assert "no other image of data-fetch was promoted" in capsys.readouterr().err
    assert world.branch("main") == main


def test_an_image_that_the_registry_lost_is_passed_over(world: World) -> None:
    before, lost = runs(world, "main"), release(world, 1)
    release(world, 2)
    gone = httpx.delete(f"{world.registry}/v2/pullrisk/{STAGE}/manifests/{lost}")
    assert gone.status_code == 202
    assert world.rollback(STAGE) == 0
    assert runs(world, "main") == before


@released
def test_without_a_reason_nothing_is_done(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    main = world.branch("main")
    assert world.rollback(STAGE, " \n") == 4
    assert "a rollback needs a reason" in capsys.readouterr().err
    assert world.branch("main") == main


@rolled_back
def test_a_stage_that_went_back_is_not_built_until_its_code_changes(world: World) -> None:
    kept = decide(Repository(world.clone), world.push({"docs/notes.md": "words"}), STAGE)
    assert (kept.build, "its code is as before" in kept.reason) == (False, True)
    changed = decide(Repository(world.clone), world.push({CODE: "VERSION = 2\n"}), STAGE)
    assert (changed.build, "its code changed since" in changed.reason) == (True, True)


@released
def test_a_late_image_of_the_same_code_does_not_undo_it(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    source = world.push({"docs/notes.md": "words"})
    late = world.image(STAGE, tag=source)
    world.attest(STAGE, late, source)
    assert world.rollback(STAGE) == 0
    assert world.update(STAGE, late, source) == 0
    assert "was rolled back from the same code" in capsys.readouterr().out
    assert late not in world.shown("staging")


@rolled_back
def test_the_image_of_changed_code_takes_the_mark_away(world: World) -> None:
    fixed = release(world, 2)
    assert (runs(world, "main"), mark(world, "main")) == (fixed, "")


@rolled_back
def test_the_mark_of_another_stage_stays(world: World) -> None:
    world.release("ml-training", world.push({"src/pullrisk/train/__init__.py": "A = 1\n"}))
    assert world.promote() == 0
    assert world.rollback("ml-training") == 0
    world.release("ml-training", world.push({"src/pullrisk/train/__init__.py": "A = 2\n"}))
    assert STAGE in mark(world, "staging")
    assert "ml-training" not in mark(world, "staging")
    assert world.promote() == 0


@rolled_back
def test_code_taken_back_runs_again_as_what_it_is(world: World) -> None:
    before = world.shown("main~3", CODE)
    source = world.push({CODE: before}, "Revert")
    assert decide(Repository(world.clone), source, STAGE).build
    assert world.update(STAGE, runs(world, "staging"), source) == 3  # it was built elsewhere
    world.release(STAGE, source)
    assert mark(world, "staging") == ""
    assert world.promote() == 0


@released
@pytest.mark.parametrize(
    "signer",
    [
        {"workflow": "promote"},
        {"workflow": "rollback", "ref": "refs/heads/staging"},
        {"workflow": "rollback", "runner_environment": "self-hosted"},
    ],
    ids=str,
)
def test_a_digest_put_back_by_hand_with_another_jobs_record_is_refused(
    world: World, refused: Refused, signer: dict[str, str]
) -> None:
    forged(world, first(world), **signer)
    refused("it was edited by hand")


@rolled_back
def test_a_record_of_another_commit_does_not_serve(world: World, refused: Refused) -> None:
    before = runs(world, "main")
    kept = {path: world.shown("staging", path) for path in (KUSTOMIZATION, MARKS)}
    release(world, 2)
    world.push(kept, "The same rollback once more, by hand")
    assert runs(world, "staging") == before
    refused("it was edited by hand")


@released
def test_a_mark_that_staging_never_took_over_cannot_be_written_there_by_hand(
    world: World, refused: Refused
) -> None:
    world.release(STAGE, world.push({CODE: "VERSION = 2\n"}))
    assert world.rollback(STAGE) == 0
    world.push({path: world.shown("main", path) for path in (KUSTOMIZATION, MARKS)}, "By hand")
    refused("it was edited by hand")


def test_an_image_that_was_never_promoted_is_refused_whatever_the_rollback_signed(
    world: World, refused: Refused
) -> None:
    never = world.release(STAGE, world.push({CODE: "VERSION = 1\n"}))
    world.release(STAGE, world.push({CODE: "VERSION = 2\n"}))
    forged(world, never)
    record(world, never, PROMOTION, world.branch("main"), workflow="rollback")
    refused("an image that was never promoted")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("data-fetch: {}\n", "is malformed"),
        ("other: {digest: a, replaced: [b], reason: c}\n", "other is not a stage"),
        ("data-fetch: {digest: latest, replaced: [], reason: c}\n", "a digest is not sha256"),
    ],
)
def test_marks_edited_by_hand_are_refused(
    world: World, refused: Refused, text: str, reason: str
) -> None:
    world.push({MARKS: text})
    refused(reason)


def test_a_mark_that_names_another_image_than_runs_is_refused(
    world: World, refused: Refused
) -> None:
    found = {STAGE: Mark("sha256:" + "1" * 64, ("sha256:" + "2" * 64,), "Mine")}
    world.push({MARKS: dump(found)})
    refused("it was edited by hand")


@released
def test_a_staging_that_moves_meanwhile_is_merged_anew(world: World) -> None:
    before = first(world)
    world.push({"docs/notes.md": "words"})
    git(world.clone, "checkout", "-q", "--detach", "origin/staging")
    other = world.commit({"docs/other.md": "words"}, "Somebody else's")
    world.hook("pre-push", f"git push -q --no-verify origin {other}:refs/heads/staging")
    assert world.rollback(STAGE) == 0
    assert world.shown("staging", "docs/other.md") == "words"
    assert runs(world, "main") == runs(world, "staging") == before


@released
def test_a_fix_on_main_alone_forbids_it_as_it_forbids_a_promotion(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    main = world.push({"docs/fix.md": "hot"}, "Hot fix", branch="main")
    assert world.rollback(STAGE) == 3
    assert "main has commits that staging has not" in capsys.readouterr().err
    assert world.branch("main") == main
