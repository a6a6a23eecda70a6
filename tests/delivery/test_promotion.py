"""Whole promotions: histories, races and forced branches; main is only ever fast-forwarded."""

import json
import shutil
import threading
from collections.abc import Callable

import pytest

from delivery.stages import STAGES
from support.delivery import World
from support.repositories import git

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")

FETCH = {"src/pullrisk/fetch/__init__.py": "from pullrisk.pulls import *\n\nCHANGED = 1\n"}
Refused = Callable[..., None]


def test_a_tested_change_reaches_main_as_the_same_commit(world: World) -> None:
    digest = world.release("data-fetch", world.push(FETCH, "Fetch more"))
    assert world.promote() == 0
    assert world.branch("main") == world.branch("staging")
    assert digest in world.shown("main")


def test_several_stages_and_commits_are_promoted_together(world: World) -> None:
    world.push({"notes.txt": "one"})
    source = world.push({"src/pullrisk/errors.py": "class E(Exception): ...\n"})
    for stage in STAGES:
        world.release(stage, source)
    assert world.promote() == 0
    assert world.branch("main") == world.branch("staging")


def test_a_change_that_no_image_is_made_from_is_promoted_with_the_old_images(world: World) -> None:
    world.push({"docs/notes.md": "words"})
    assert world.promote() == 0
    assert world.branch("main") == world.branch("staging")


def test_promoting_what_main_has_already_changes_nothing(world: World) -> None:
    before = world.branch("main")
    assert world.promote() == 0
    assert world.branch("main") == before


def test_a_tested_commit_is_promoted_while_a_later_one_is_still_being_built(world: World) -> None:
    world.release("data-fetch", world.push(FETCH))
    ready = world.branch("staging")
    world.push({"src/pullrisk/fetch/__init__.py": "CHANGED = 2\n"})
    assert world.promote(ready) == 0
    assert world.branch("main") == ready


def test_code_that_is_not_built_yet_is_refused(world: World, refused: Refused) -> None:
    world.push(FETCH)
    refused("data-fetch: src/pullrisk/fetch/__init__.py changed since")


def test_a_roll_back_by_revert_is_promoted_with_the_image_built_anew(world: World) -> None:
    world.release("data-fetch", world.push(FETCH))
    assert world.promote() == 0
    undone = world.push({"src/pullrisk/fetch/__init__.py": "from pullrisk.pulls import *\n"})
    world.release("data-fetch", undone)
    assert world.promote() == 0
    assert world.branch("main") == world.branch("staging")


def test_a_roll_back_of_code_and_digest_together_is_promoted_at_once(world: World) -> None:
    old = {name: world.shown("main", name) for name in FETCH}
    old |= {"argo-apps/base/kustomization.yaml": world.shown("main")}
    world.release("data-fetch", world.push(FETCH))
    assert world.promote() == 0
    world.push(old, "Roll back")
    assert world.promote() == 0


def test_a_roll_back_of_the_digest_alone_is_refused(world: World, refused: Refused) -> None:
    old = world.shown("main")
    world.release("data-fetch", world.push(FETCH))
    world.push({"argo-apps/base/kustomization.yaml": old}, "Roll back the image only")
    refused("not built anew yet")


def test_a_fix_made_on_main_alone_is_refused_until_staging_has_it(
    world: World, refused: Refused
) -> None:
    world.push({"docs/fix.md": "hot"}, "Hot fix", branch="main")
    world.push({"docs/notes.md": "words"})
    refused("main cannot be fast-forwarded: it has 1 commits that staging has not")


def test_a_merge_commit_of_the_button_on_main_is_refused_ever_after(
    world: World, refused: Refused
) -> None:
    world.push({"docs/notes.md": "words"})
    git(world.clone, "checkout", "-q", "--detach", "origin/main")
    git(world.clone, "merge", "-q", "--no-ff", "-m", "Merge staging", "origin/staging")
    git(world.clone, "push", "-q", "origin", "HEAD:refs/heads/main")
    world.push({"docs/more.md": "words"})
    refused("Merge staging")


def test_a_commit_of_another_branch_is_refused(world: World, refused: Refused) -> None:
    own = world.push({"docs/notes.md": "words"}, branch="feature")
    refused("is not in staging", own)


def test_a_commit_that_was_forced_away_from_staging_is_refused(
    world: World, refused: Refused
) -> None:
    before = world.branch("staging")
    world.release("data-fetch", world.push(FETCH))
    gone = world.branch("staging")
    world.force(before)
    refused("is not in staging: it was never there, or it was forced away", gone)


def test_a_staging_forced_to_a_history_without_main_is_refused(
    world: World, refused: Refused
) -> None:
    git(world.clone, "checkout", "-q", "--detach", "origin/staging~1")
    world.force(world.commit({"docs/notes.md": "words"}, "Another history"))
    refused("main cannot be fast-forwarded")


def test_a_staging_forced_to_new_roots_is_refused(world: World, refused: Refused) -> None:
    git(world.clone, "checkout", "-q", "--orphan", "fresh")
    world.force(world.commit({}, "All of it squashed"))
    refused("main cannot be fast-forwarded")


def test_a_main_that_moves_while_it_is_judged_takes_no_push(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.push({"docs/notes.md": "words"})
    git(world.clone, "checkout", "-q", "--detach", "origin/main")
    other = world.commit({"docs/other.md": "words"}, "Somebody else's")
    world.hook("pre-push", f"git push -q --no-verify origin {other}:refs/heads/main")
    assert world.promote() == 3
    assert "main cannot be fast-forwarded" in capsys.readouterr().err
    assert world.branch("main") == other


def test_a_staging_forced_while_it_is_judged_still_promotes_only_what_was_judged(
    world: World,
) -> None:
    world.release("data-fetch", world.push(FETCH))
    judged, bad = world.branch("staging"), world.image("data-fetch", tag="bad")
    good = world.shown("staging")
    text = good.replace(good.split("digest: ")[1][:71], bad)
    edited = world.commit({"argo-apps/base/kustomization.yaml": text}, "Untested")
    world.hook("pre-push", f"git push -q --no-verify --force origin {edited}:refs/heads/staging")
    assert world.promote() == 0
    assert world.branch("main") == judged


def test_two_promotions_at_once_leave_main_at_a_commit_that_was_judged(world: World) -> None:
    first = world.push({"docs/one.md": "1"})
    second = world.push({"docs/two.md": "2"})
    codes: dict[str, int] = {}
    threads = [
        threading.Thread(target=lambda job=job, each=each: codes.update({each: job.promote(each)}))
        for job, each in ((world, first), (world.beside(), second))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes[second] == 0
    assert codes[first] in {0, 3}  # refused where the second was faster
    assert world.branch("main") == second


def test_an_older_commit_is_refused_once_main_is_past_it(world: World, refused: Refused) -> None:
    first = world.push({"docs/one.md": "1"})
    world.push({"docs/two.md": "2"})
    assert world.promote() == 0
    refused("main cannot be fast-forwarded", first)


def test_the_plan_shows_commits_digests_and_manifests_and_changes_nothing(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    before = world.branch("main")
    digest = world.release("data-fetch", world.push(FETCH, "Fetch more"))
    capsys.readouterr()
    assert world.run("plan", "--json") == 0
    plan = json.loads(capsys.readouterr().out)
    assert (plan["allowed"], plan["reasons"]) == (True, [])
    assert [each["subject"] for each in plan["commits"]][1:] == ["Fetch more"]
    by_stage = {each["stage"]: each for each in plan["images"]}
    assert by_stage["data-fetch"]["digest"] == digest
    assert {each["state"] for each in plan["images"]} == {"tested"}
    changed = [line[1:].strip() for line in plan["manifests"].splitlines() if line[:1] == "+"]
    assert f"image: registry.digitalocean.com/pullrisk/data-fetch@{digest}" in changed
    assert world.branch("main") == before


def test_the_plan_names_what_later_promotions_depend_on(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.push({".github/workflows/stage.yml": "on: push\n", "delivery/evidence.py": "\n"})
    assert world.run("plan", "--strict") == 0
    shown = capsys.readouterr().out
    assert "look at these" in shown
    assert "delivery/evidence.py" in shown


def test_a_plan_that_is_refused_says_every_reason_and_its_exit_code(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.push({"docs/fix.md": "hot"}, branch="main")
    world.push(FETCH)
    assert world.run("plan", "--strict") == 3
    shown = capsys.readouterr().out
    assert "Must not be promoted." in shown
    assert "main cannot be fast-forwarded" in shown
    assert "data-fetch: src/pullrisk/fetch/__init__.py changed" in shown
