"""The bot's commit on staging: one line of one file, whoever else pushes meanwhile."""

import threading
import time

import pytest

from delivery.errors import RefusedError
from delivery.git import Repository
from delivery.stages import KUSTOMIZATION
from delivery.update import Built, update
from support.delivery import World
from support.repositories import git

FETCH = {"src/pullrisk/fetch/__init__.py": "CHANGED = 1\n"}


def test_one_line_of_one_file_changes_and_comments_and_order_stay(world: World) -> None:
    before, source = world.shown("staging"), world.push(FETCH)
    digest = world.release("data-fetch", source)
    after = world.shown("staging")
    pairs = zip(before.splitlines(), after.splitlines(), strict=True)
    assert [new for old, new in pairs if old != new] == [f"    digest: {digest}"]
    assert "# of data-fetch" in after
    changed = git(world.origin, "diff", "--name-only", "staging~1", "staging")
    assert changed == KUSTOMIZATION


def test_the_commit_says_what_it_did_in_trailers(world: World) -> None:
    source = world.push(FETCH)
    digest = world.release("data-fetch", source)
    said = git(world.origin, "show", "-s", "--format=%B", "staging")
    assert said.splitlines()[0] == f"Deploy data-fetch {digest[7:19]}"
    assert said.splitlines()[2:] == [
        "Stage: data-fetch",
        f"Digest: {digest}",
        f"Source-Commit: {source}",
    ]


def test_two_bots_at_once_both_land(world: World) -> None:
    source = world.push({"src/pullrisk/errors.py": "A = 1\n"})
    built = {stage: world.image(stage, tag=source) for stage in ("data-fetch", "model-serving")}
    for stage, digest in built.items():
        world.attest(stage, digest, source)
    threads = [
        threading.Thread(target=job.update, args=(stage, digest, source))
        for job, (stage, digest) in zip((world, world.beside()), built.items(), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    text = world.shown("staging")
    assert all(digest in text for digest in built.values())


def test_a_push_between_its_fetch_and_its_push_is_kept(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    source = world.push(FETCH)
    digest = world.image("data-fetch", tag=source)
    world.attest("data-fetch", digest, source)
    other = world.commit({"docs/notes.md": "words"}, "Somebody else's")
    world.hook("pre-push", f"git push -q --no-verify origin {other}:refs/heads/staging")
    assert world.update("data-fetch", digest, source) == 0
    assert digest in world.shown("staging")
    assert world.shown("staging", "docs/notes.md") == "words"


def test_a_late_run_of_an_older_commit_does_not_go_back(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    older = world.push(FETCH)
    newer = world.push({"src/pullrisk/fetch/__init__.py": "CHANGED = 2\n"})
    late = world.image("data-fetch", tag=older)
    world.attest("data-fetch", late, older)
    digest = world.release("data-fetch", newer)
    assert world.update("data-fetch", late, older) == 0
    assert "a later build already" in capsys.readouterr().out
    assert digest in world.shown("staging")


def test_the_same_digest_twice_is_one_commit(world: World) -> None:
    source = world.push(FETCH)
    digest = world.release("data-fetch", source)
    before = world.branch("staging")
    assert world.update("data-fetch", digest, source) == 0
    assert world.branch("staging") == before


def test_a_build_of_a_commit_that_was_forced_away_is_not_written(world: World) -> None:
    before, gone = world.branch("staging"), world.push(FETCH)
    digest = world.image("data-fetch", tag=gone)
    world.attest("data-fetch", digest, gone)
    world.force(before)
    assert world.update("data-fetch", digest, gone) == 3
    assert world.branch("staging") == before


def test_a_digest_that_nothing_attests_is_not_written(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    source = world.push(FETCH)
    assert world.update("data-fetch", world.image("data-fetch", tag=source), source) == 3
    assert "nothing attests it" in capsys.readouterr().err
    assert world.branch("staging") == source


def test_a_digest_attested_for_another_commit_is_not_written(world: World) -> None:
    first = world.push(FETCH)
    second = world.push({"docs/notes.md": "words"})
    digest = world.image("data-fetch", tag=first)
    world.attest("data-fetch", digest, first)
    assert world.update("data-fetch", digest, second) == 3


def test_a_manifest_edited_by_hand_is_not_written_over(world: World) -> None:
    text = world.shown("staging").replace("# the end", "  - {name: nginx, newTag: '1'}")
    source = world.push(FETCH | {KUSTOMIZATION: text})
    with pytest.raises(RefusedError, match="nginx"):
        update(
            Repository(world.clone), Built("data-fetch", "sha256:" + "4" * 64, source), pause=0.0
        )


def test_a_branch_that_never_stands_still_is_given_up_with_nothing_written(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    source = world.push(FETCH)
    digest = world.image("data-fetch", tag=source)
    world.attest("data-fetch", digest, source)
    hook = world.origin / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    assert world.update("data-fetch", digest, source) == 5
    assert "moved 12 times" in capsys.readouterr().err
    assert world.branch("staging") == source
