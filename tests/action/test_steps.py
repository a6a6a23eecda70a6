"""The steps of action.yml, run as a runner runs them."""

import json
import sys
from pathlib import Path

import pytest

from action.conftest import BIG, NAME, Scene, examples
from fake_github.faults import Faults
from support.repositories import git

TOKEN = "fake-token"
ALL_HIGH = "bands: {high: 0.98, elevated: 0.01}\n"


def configure(scene: Scene, text: str) -> None:
    git(scene.work, "checkout", "-q", "main")
    scene.commit(".github/pullrisk.yml", text, branch="main", message="Configure")


def test_a_pull_is_scored_cold_and_warm_and_told_in_one_comment(scene: Scene) -> None:
    scene.runner.program = Path(sys.executable).with_name("pullrisk")
    configure(scene, ALL_HIGH + "labels: {prefix: 'risk: '}\n")
    sha = scene.commit("kedro/new.py", BIG, branch="feature")
    scene.check_out()
    inputs = {"token": TOKEN, "comment": "always"}
    first = scene.runner.run("pull_request", scene.payload(sha, "feature"), **inputs)
    assert first.code == 0, first.log
    assert first.outputs["scored"] == "true", first.log
    assert 0 < float(first.outputs["risk"]) < 1
    assert first.outputs["band"] == "high"
    assert json.loads(first.outputs["brief-json"])["brief"]["number"] == 900
    assert "acme/shop" in first.summary
    assert len(scene.comments) == 1
    assert scene.labels == ["risk: high"]
    scene.github.published.conversations.labels[NAME, 900] += ["risk: low", "risk: other", "bug"]
    after = scene.commit("kedro/new.py", "x = 1\n", branch="feature")
    scene.check_out()
    second = scene.runner.run("pull_request", scene.payload(after, "feature"), **inputs)
    assert second.outputs["scored"] == "true", second.log
    assert len(scene.comments) == 1, "the comment is updated in place"
    assert sha[:7] in scene.comments[0]
    assert f"`{sha[:7]}`" in second.summary
    assert scene.labels == ["risk: high", "risk: other", "bug"]
    assert any("cache" not in each.name for each in scene.runner.caches.iterdir())


def test_links_lead_to_the_server_of_github_enterprise(scene: Scene) -> None:
    sha = scene.commit("kedro/new.py", BIG, branch="feature")
    scene.check_out()
    scene.runner.variables["GITHUB_SERVER_URL"] = "https://git.example.org"
    payload = scene.payload(sha, "feature")
    done = scene.runner.run("pull_request", payload, token=TOKEN, comment="always")
    brief = json.loads(done.outputs["brief-json"])["brief"]
    assert brief["url"] == f"https://git.example.org/{NAME}/pull/900"
    assert f"](https://git.example.org/{NAME}/" in done.summary
    assert f"](https://git.example.org/{NAME}/" in scene.comments[0]


def test_a_check_run_is_written_if_asked_for(scene: Scene) -> None:
    sha = scene.commit("kedro/new.py", BIG, branch="feature")
    scene.check_out()
    payload = scene.payload(sha, "feature")
    done = scene.runner.run("pull_request", payload, token=TOKEN, check_run="true")
    (run,) = scene.github.published.checks
    assert (run["head_sha"], run["conclusion"]) == (sha, "neutral"), done.log
    assert scene.comments == []


def test_a_shallow_checkout_is_deepened(scene: Scene) -> None:
    sha = scene.commit("kedro/new.py", BIG, branch="feature")
    scene.check_out(depth=1)
    done = scene.runner.run("pull_request", scene.payload(sha, "feature"))
    assert done.outputs["scored"] == "true", done.log
    assert done.code == 0


def test_a_shallow_checkout_that_cannot_be_deepened_is_said_and_fails_nothing(scene: Scene) -> None:
    sha = scene.commit("kedro/new.py", BIG, branch="feature")
    scene.check_out(depth=1)
    payload = scene.payload(sha, "feature")
    scene.origin.rename(scene.folder / "gone")
    done = scene.runner.run("pull_request", payload, fail_on="high")
    assert (done.outputs["scored"], done.code) == ("false", 0)
    assert "fetch-depth: 0" in done.log
    assert "Not scored" in done.summary


def test_a_commit_that_was_pushed_over_is_not_scored(scene: Scene) -> None:
    scene.commit("kedro/new.py", BIG, branch="feature")
    scene.check_out()
    payload = scene.payload(git(scene.work, "rev-parse", "HEAD"), "feature")
    event = json.loads(payload.read_text())
    event["pull_request"]["head"]["sha"] = "ab" * 20
    done = scene.runner.run("pull_request", scene.write(event))
    assert (done.outputs["scored"], done.code) == ("false", 0)
    assert "pushed again" in done.outputs["reason"]


def test_a_stacked_pull_holds_its_own_part_only(scene: Scene) -> None:
    scene.commit("kedro/below.py", BIG, branch="below")
    git(scene.work, "checkout", "-q", "-b", "above", "below")
    sha = scene.commit("kedro/above.py", "x = 1\n", branch="above")
    scene.check_out()
    scene.base = "below"
    done = scene.runner.run("pull_request", scene.payload(sha, "above"))
    assert done.outputs["scored"] == "true", done.log
    assert "below.py" not in done.outputs["brief-json"]


def test_fail_on_fails_after_everything_was_told(scene: Scene) -> None:
    configure(scene, ALL_HIGH)
    sha = scene.commit("kedro/new.py", BIG, branch="feature")
    scene.check_out()
    done = scene.runner.run("pull_request", scene.payload(sha, "feature"), fail_on="high")
    assert done.code == 13
    assert "::error" in done.log
    assert "acme/shop" in done.summary


def test_a_wrong_configuration_is_a_notice_with_its_line_and_the_defaults(scene: Scene) -> None:
    configure(scene, "exclude: []\ncomment: often\n")
    sha = scene.commit("kedro/new.py", BIG, branch="feature")
    scene.check_out()
    done = scene.runner.run("pull_request", scene.payload(sha, "feature"))
    assert done.outputs["scored"] == "true", done.log
    assert "::notice file=.github/pullrisk.yml,line=2" in done.log


def test_the_configuration_is_the_base_branchs_and_nothing_of_the_checkout_counts(
    scene: Scene,
) -> None:
    hostile = {
        ".github/pullrisk.yml": "skip: {titles: ['*']}\n",
        "pullrisk.toml": "home = '/nonexistent'\n",
        "pullrisk/__init__.py": "raise SystemExit(99)\n",
        "venv.py": "raise SystemExit(99)\n",
        "sitecustomize.py": "raise SystemExit(99)\n",
    }
    for path, text in hostile.items():
        sha = scene.commit(path, text, branch="feature")
    scene.check_out()
    git(scene.checkout, "checkout", "-q", sha)
    done = scene.runner.run("pull_request", scene.payload(sha, "feature"))
    assert done.outputs["scored"] == "true", done.log


def test_excluded_paths_count_nowhere(scene: Scene) -> None:
    configure(scene, "exclude: ['generated/']\n")
    scene.commit("generated/big.py", BIG, branch="feature")
    sha = scene.commit("kedro/small.py", "x = 1\n", branch="feature")
    scene.check_out()
    done = scene.runner.run("pull_request", scene.payload(sha, "feature"))
    assert done.outputs["scored"] == "true", done.log
    assert "generated" not in done.outputs["brief-json"]


@pytest.mark.parametrize(
    "title",
    [
        "::error::x\n::set-output name=risk::0",
        "x\nscored<<end\ntrue\nend",
        "--> <script>alert(1)</script> @everyone #1 ![x](http://evil.example/x)",
        "\u202e\x1b[31m\x00 ${{ github.token }} $(touch /tmp/pwned) `id`",
    ],
)
def test_a_hostile_title_does_nothing(scene: Scene, title: str) -> None:
    sha = scene.commit("kedro/a b;$(id).py", BIG, branch="feature")
    scene.check_out()
    payload = scene.payload(sha, "feature", title=title)
    done = scene.runner.run("pull_request", payload, token=TOKEN, comment="always")
    assert done.outputs["scored"] == "true", done.log
    lines = done.log.splitlines()
    assert not [line for line in lines if line.startswith("::")], done.log
    (text,) = scene.comments
    assert "<script>" not in text
    assert "@everyone" not in text
    assert "](http://evil" not in text
    assert "<script>" not in done.summary


def test_the_comment_of_somebody_else_with_the_marker_is_left_alone(scene: Scene) -> None:
    fake = "<!-- pullrisk: brief -->\nI am low risk"
    scene.github.published.conversations.comment(NAME, 900, fake, login="mallory")
    sha = scene.commit("kedro/new.py", BIG, branch="feature")
    scene.check_out()
    done = scene.runner.run(
        "pull_request", scene.payload(sha, "feature"), token=TOKEN, comment="always"
    )
    assert done.code == 0, done.log
    assert scene.comments[0] == fake
    assert len(scene.comments) == 2


@pytest.mark.parametrize("down", ["no connection", "503"])
def test_github_down_costs_the_comment_and_not_the_job(scene: Scene, down: str) -> None:
    sha = scene.commit("kedro/new.py", BIG, branch="feature")
    scene.check_out()
    if down == "503":
        scene.github.rest_faults = Faults(rates={"503": 1.0})
    else:
        scene.runner.variables["GITHUB_API_URL"] = "http://127.0.0.1:9"
    done = scene.runner.run(
        "pull_request", scene.payload(sha, "feature"), token=TOKEN, comment="always"
    )
    assert (done.code, done.outputs["scored"]) == (0, "true")
    assert "::warning title=pullrisk::the score is in the summary only" in done.log
    assert "acme/shop" in done.summary
    assert scene.github.rest_requests == (4 if down == "503" else 0), "it is tried again"


def test_what_fails_for_a_moment_is_tried_again(scene: Scene) -> None:
    sha = scene.commit("kedro/new.py", BIG, branch="feature")
    scene.check_out()
    scene.github.rest_faults = Faults(script=["502", "", "secondary", "", "503", "503"])
    done = scene.runner.run(
        "pull_request", scene.payload(sha, "feature"), token=TOKEN, comment="always"
    )
    assert "::warning" not in done.log
    assert len(scene.comments) == 1


def test_a_base_branch_that_vanished_is_scored_against_its_last_commit(scene: Scene) -> None:
    git(scene.work, "push", "-q", "origin", "origin/main:refs/heads/release")
    sha = scene.commit("kedro/new.py", BIG, branch="feature")
    scene.base = "release"
    payload = scene.payload(sha, "feature")
    git(scene.origin, "update-ref", "-d", "refs/heads/release")
    scene.check_out()
    done = scene.runner.run("pull_request", payload, fail_on="high")
    assert (done.outputs["scored"], done.code) == ("true", 0), done.log


def test_a_base_branch_that_vanished_with_its_commits_is_said(scene: Scene) -> None:
    sha = scene.commit("kedro/new.py", BIG, branch="feature")
    payload = scene.payload(sha, "feature")
    event = json.loads(payload.read_text())
    event["pull_request"]["base"] |= {"ref": "release", "sha": "ab" * 20}
    scene.check_out()
    done = scene.runner.run("pull_request", scene.write(event), fail_on="high")
    assert (done.outputs["scored"], done.code) == ("false", 0), done.log
    assert "release" in done.outputs["reason"]
    assert "not there any more" in done.summary
    assert "::warning title=pullrisk::not scored" in done.log


@pytest.mark.parametrize("gone", [False, True])
def test_a_push_over_the_branch_in_mid_run_is_not_scored_or_scored_as_it_was(
    scene: Scene, gone: bool
) -> None:
    sha = scene.commit("kedro/new.py", BIG, branch="feature")
    payload = scene.payload(sha, "feature")
    if not gone:
        scene.check_out()
    git(scene.work, "commit", "-q", "--amend", "-m", "Change it otherwise")
    git(scene.work, "push", "-q", "-f", "origin", "feature")
    head = git(scene.work, "rev-parse", "HEAD")
    git(scene.origin, "update-ref", f"refs/pull/{scene.number}/head", head)
    git(scene.origin, "reflog", "expire", "--expire=now", "--all")
    git(scene.origin, "gc", "-q", "--prune=now")
    if gone:
        scene.check_out()
    done = scene.runner.run("pull_request", payload, fail_on="high")
    assert (done.outputs["scored"], done.code) == ("false" if gone else "true", 0), done.log
    if gone:
        assert "pushed again" in done.outputs["reason"]
        assert "pushed again" in done.summary


def test_a_pull_of_3000_files_is_scored(scene: Scene) -> None:
    git(scene.work, "checkout", "-q", "-b", "feature", "origin/main")
    for number in range(3_000):
        path = scene.work / "kedro" / f"part{number % 60}" / f"made{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"value = {number}\n")
    sha = scene.commit("kedro/last.py", BIG, branch="feature")
    scene.check_out()
    done = scene.runner.run(
        "pull_request", scene.payload(sha, "feature"), token=TOKEN, comment="always"
    )
    assert (done.outputs["scored"], done.code) == ("true", 0), done.log
    assert len(done.outputs["brief-json"]) < 100_000
    assert len(scene.comments[0]) < 60_000
    assert len(done.summary) < 60_000


@pytest.mark.parametrize("how", ["damaged", "empty", "other files", "a link"])
def test_a_corrupt_cache_is_read_anew(scene: Scene, how: str) -> None:
    sha = scene.commit("kedro/new.py", BIG, branch="feature")
    scene.check_out()
    payload = scene.payload(sha, "feature")
    first = scene.runner.run("pull_request", payload)
    for file in [each for each in scene.runner.caches.rglob("*") if each.is_file()]:
        if how == "damaged":
            file.write_bytes(b"damaged")
        elif how == "empty":
            file.write_bytes(b"")
        elif how == "other files":
            file.rename(file.with_name(f"other-{file.name}"))
        else:
            file.unlink()
            file.symlink_to("/etc/hostname")
    second = scene.runner.run("pull_request", payload)
    assert second.outputs["scored"] == "true", second.log
    assert second.code == 0
    assert first.outputs["band"] == second.outputs["band"]


@pytest.mark.parametrize("draft", [True, False])
def test_a_draft_is_left_out_unless_asked_for(scene: Scene, draft: bool) -> None:
    sha = scene.commit("kedro/new.py", "x = 1\n", branch="feature")
    scene.check_out()
    payload = scene.payload(sha, "feature", draft=True)
    done = scene.runner.run("pull_request", payload, drafts="true" if draft else "")
    assert done.outputs["scored"] == ("true" if draft else "false"), done.log
    assert done.code == 0


@pytest.mark.parametrize("event", ["merge_group", "pull_request_target", "release"])
def test_an_event_without_a_pull_to_score_ends_at_once(scene: Scene, event: str) -> None:
    name = "merge_group" if event == "merge_group" else "pull_request"
    payload = scene.write(examples(name)[0])
    done = scene.runner.run(event, payload, fail_on="high")
    assert (done.outputs["scored"], done.code) == ("false", 0), done.log


def test_a_push_keeps_the_history_for_the_pulls_that_follow(scene: Scene) -> None:
    scene.check_out()
    push = {"repository": {"full_name": NAME, "default_branch": "main"}, "ref": "refs/heads/main"}
    done = scene.runner.run("push", scene.write(push))
    assert done.code == 0
    assert "up to date" in done.log
    assert len(list(scene.runner.caches.iterdir())) == 1


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"repository": 3}', "{" * 5_000, "\x00"])
def test_a_payload_that_is_none_is_one_line_and_no_failure(scene: Scene, text: str) -> None:
    scene.check_out()
    path = scene.folder / "event.json"
    path.write_text(text)
    done = scene.runner.run("pull_request", path, fail_on="high")
    assert (done.outputs["scored"], done.code) == ("false", 0)
    assert done.log.count("::warning") >= 1
    assert "Traceback" not in done.log


def run_payload(scene: Scene, sha: str, fork: str = "mallory/shop") -> Path:
    payload = examples("workflow_run")[0]
    payload["repository"]["full_name"] = NAME
    payload["workflow_run"] |= {"head_sha": sha, "head_branch": "feature"}
    payload["workflow_run"]["head_repository"]["full_name"] = fork
    return scene.write(payload)


def artifact(scene: Scene, document: dict[str, object]) -> str:
    folder = scene.checkout / "result"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pullrisk.json").write_text(json.dumps(document))
    return "result"


def scored(scene: Scene, sha: str) -> dict[str, object]:
    brief = {
        "repository": NAME, "number": 1, "title": "T", "author": "mallory", "state": "open",
        "verdict": "Fine", "risk": 0.9, "band": "high", "basis": "history",
        "url": "https://evil.example/x",
    }  # fmt: skip
    return {"repository": NAME, "number": 1, "head_sha": sha, "brief": brief}


def from_fork(scene: Scene, sha: str) -> None:
    repository = scene.github.world.named(NAME)
    assert repository is not None
    head = {"ref": "feature", "sha": sha, "repo": {"full_name": "mallory/shop"}}
    repository.pulls[900]["head"] = head
    repository.pulls[900]["base"] = {"ref": "main", "sha": "0" * 40}


def test_the_second_workflow_posts_for_a_fork_what_the_first_found(scene: Scene) -> None:
    sha = "cd" * 20
    from_fork(scene, sha)
    folder = artifact(scene, scored(scene, sha))
    done = scene.runner.run(
        "workflow_run", run_payload(scene, sha), token=TOKEN, comment="always", artifact=folder
    )
    assert done.code == 0, done.log
    (text,) = scene.comments
    assert "evil.example" not in text
    assert "own workflow" in text
    assert scene.github.published.conversations.comments[0]["number"] == 900


@pytest.mark.parametrize("case", ["pushed since", "other commit", "garbage", "huge", "missing"])
def test_the_second_workflow_posts_nothing_that_does_not_fit(scene: Scene, case: str) -> None:
    sha = "cd" * 20
    from_fork(scene, "ef" * 20 if case == "pushed since" else sha)
    document = scored(scene, "ef" * 20 if case == "other commit" else sha)
    folder = artifact(scene, document)
    file = scene.checkout / folder / "pullrisk.json"
    if case == "garbage":
        file.write_text('{"brief": []}')
    elif case == "huge":
        file.write_bytes(b" " * 1_000_000)
    elif case == "missing":
        file.unlink()
    done = scene.runner.run(
        "workflow_run", run_payload(scene, sha), token=TOKEN, comment="always", artifact=folder
    )
    assert done.code == 0, done.log
    assert scene.comments == []
