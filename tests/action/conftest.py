"""A repository with history, a pull in it, and the runner that scores it."""

import copy
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from action.forked import PRELOAD
from action.runner import MiniRunner
from fake_github.app import FakeGitHub
from fake_github.world import World, pull_like
from support.app import EXAMPLES
from support.clones import make_clone
from support.forked import fork_server
from support.loopback import listening
from support.repositories import git
from support.sample import sample_pulls

NAME = "acme/shop"
PULLS = 300
BIG = "\n".join(f"value_{n} = compute({n})" for n in range(400))


def examples(event: str) -> list[dict[str, Any]]:
    """GitHub's own payloads of an event."""
    if not EXAMPLES.is_file():
        pytest.skip("the payloads are not installed: make setup (needs npm)")
    found = json.loads(EXAMPLES.read_text(encoding="utf-8"))
    payloads: list[dict[str, Any]] = next(e["examples"] for e in found if e["name"] == event)
    return copy.deepcopy(payloads)


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bare repository with the sample's first pulls on main."""
    pulls = sorted(sample_pulls(PULLS), key=lambda each: str(each.merged_at))
    made = make_clone(tmp_path_factory.mktemp("origin") / "made", pulls)
    bare = made.parent / "origin.git"
    git(made.parent, "clone", "-q", "--bare", str(made), str(bare))
    git(bare, "config", "uploadpack.allowAnySHA1InWant", "true")
    return bare


class Scene:
    """An origin of the test's own with an open pull, a checkout of it, GitHub, and a runner."""

    def __init__(
        self, folder: Path, history: Path, url: str, github: FakeGitHub, program: Path
    ) -> None:
        self.folder, self.github = folder, github
        self.origin, self.work = folder / "origin.git", folder / "work"
        git(folder, "clone", "-q", "--bare", str(history), str(self.origin))
        git(self.origin, "config", "uploadpack.allowAnySHA1InWant", "true")
        git(folder, "clone", "-q", str(self.origin), str(self.work))
        self.checkout = folder / "checkout"
        self.runner = MiniRunner(
            folder / "runner",
            self.checkout,
            {"GITHUB_API_URL": f"{url}/api/v3", "GITHUB_SERVER_URL": "https://github.com"},
            program=program,
        )
        self.github.published.conversations.login = "github-actions[bot]"
        self.number = 900
        self.base = "main"

    def commit(self, path: str, text: str, *, branch: str, message: str = "Change it") -> str:
        """Commit a file on a branch of origin, made from main if it is new."""
        if git(self.work, "branch", "--list", branch):
            git(self.work, "checkout", "-q", branch)
        else:
            git(self.work, "checkout", "-q", "-b", branch, "origin/main")
        file = self.work / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        git(self.work, "add", "-A", "-f")
        git(self.work, "commit", "-q", "-m", message)
        git(self.work, "push", "-q", "-f", "origin", branch)
        return git(self.work, "rev-parse", "HEAD")

    def check_out(self, *, depth: int | None = None) -> None:
        """As actions/checkout does on a pull: its commit, detached."""
        subprocess.run(["rm", "-rf", str(self.checkout)], check=True)
        shallow = [] if depth is None else [f"--depth={depth}"]
        git(self.folder, "clone", "-q", "-n", *shallow, self.origin.as_uri(), str(self.checkout))

    def payload(self, sha: str, branch: str, **fields: object) -> Path:
        """The payload of the pull, of GitHub's own example."""
        payload = examples("pull_request")[0]
        repository = payload["repository"] | {"full_name": NAME, "default_branch": "main"}
        pull = payload["pull_request"]
        pull |= {"number": self.number, "title": "Change it", "draft": False, **fields}
        pull["head"] |= {"ref": branch, "sha": sha, "repo": repository}
        base = git(self.origin, "rev-parse", self.base)
        pull["base"] |= {"ref": self.base, "sha": base, "repo": repository}
        git(self.origin, "update-ref", f"refs/pull/{self.number}/head", sha)
        return self.write(payload | {"repository": repository, "number": self.number})

    def write(self, payload: dict[str, Any]) -> Path:
        path = self.folder / "event.json"
        path.write_text(json.dumps(payload))
        return path

    @property
    def comments(self) -> list[str]:
        return [each["body"] for each in self.github.published.conversations.comments]

    @property
    def labels(self) -> list[str]:
        return self.github.published.conversations.labels.get((NAME, self.number), [])


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What stands in for `pullrisk`, and starts at once."""
    path = tmp_path_factory.mktemp("forked") / "pullrisk"
    return fork_server().program(path, target="action.forked:main", preload=PRELOAD)


@pytest.fixture
def scene(tmp_path: Path, history: Path, program: Path) -> Iterator[Scene]:
    world = World()
    world.add(NAME, [pull_like(900)])
    github = FakeGitHub(world)
    with listening(github) as url:
        yield Scene(tmp_path, history, url, github, program)
    assert not github.undescribed
