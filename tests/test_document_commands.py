"""Every command in the documents runs: in a clone, with a home folder that knows its history."""

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import onnx
import pytest

from pullrisk.pulls.sqlite import SqliteStore
from pullrisk.train.pending import register
from support.clones import make_clone
from support.forked import TRAINING, run_forked
from support.sample import sample_pulls
from support.serving import GENERAL, opened
from support.tracking import fresh_tracking

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "sample/README.md")]
PAGES += sorted(page for page in ROOT.glob("docs/**/*.md") if page.name != "cli.md")
FENCE = re.compile(r"(?<!<!-- tested -->\n)^ *```sh\n(?P<code>.*?)^ *```", re.DOTALL | re.MULTILINE)
"""A shell block; those below that mark run in tests/deploy/test_operations.py."""
PULLS = 300
NOT_RUN = {
    r"make (demo|setup|check)\b": "makes an environment: CI runs it in a fresh clone",
    r"make dry-run-promote": "reads branches and a registry: tests/delivery",
    r"(python3 -m venv|\. \S*/bin/activate|pip install) ?": "installs: tests of the package",
    r"(doctl|kubectl|argo-apps/bootstrap\.sh) ?": "needs a cluster: make test-cluster",
    r"(vault|bao|sops|vault/install\.sh|export VAULT_ADDR) ?": "needs a Vault: tests/deploy",
    r"(gh|id=\$\(gh) ?": "asks GitHub",
    r"pullrisk fetch (?!--git)": "asks GitHub: tests/fetch/github asks a fake one",
    r"(pullrisk serve|make dashboard)\b": "serves until stopped: tests/serve, tests/dashboard",
    r"printf .*\| bao ": "needs a Vault: tests/deploy",
    r"(curl|mlflow models serve) ?": "needs a running service: tests/serve, tests/train",
    r"pullrisk deliveries repeat [0-9a-f]{8}-": "names a dead delivery: tests/app",
}
"""Lines that are not run, by how they begin, and why."""
BLOCKS_NOT_RUN = {
    "export PULLRISK_LAKE=s3://": "needs a bucket: tests/lake has one",
    "export PULLRISK_GITHUB_APP_ID": "needs the secrets of an App: tests/app",
    "export GITHUB_TOKEN": "asks GitHub: tests/fetch/github asks a fake one",
}
"""Blocks that are not run, by how they begin, and why."""


@cache
def lines(page: Path) -> tuple[str, ...]:
    """The lines of a page's shell blocks, continued ones joined, without what is not run."""
    return tuple(
        line
        for block in FENCE.finditer(page.read_text("utf-8"))
        if not block["code"].strip().startswith(tuple(BLOCKS_NOT_RUN))
        for line in _joined(block["code"])
        if not any(re.match(pattern, line) for pattern in NOT_RUN)
    )


def _joined(code: str) -> Iterator[str]:
    for line in code.replace("\\\n", " ").splitlines():
        if words := line.strip():
            yield re.sub(r"\s+#\s.*$", "", words)


@cache
def owners() -> dict[str, Path]:
    """Each line that is run, and the first page that has it: the one that runs it."""
    return {line: page for page in reversed(PAGES) for line in lines(page)}


def own_lines(page: Path) -> list[str]:
    """What this page runs: its lines that no earlier page has, and what changes the shell."""
    return [
        line for line in lines(page) if owners()[line] == page or not line.startswith("pullrisk ")
    ]


RUN_PAGES = [page for page in PAGES if any(owners()[line] == page for line in lines(page))]


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's home with a clone in src/project, in it a home folder with a lake and two models."""
    user = tmp_path_factory.mktemp("documents") / "user"
    project = user / "src" / "project"
    pulls = sorted(sample_pulls(PULLS), key=lambda pull: str(pull.merged_at))
    make_clone(project, pulls, origin="https://github.com/owner/project.git")
    (project / "open.jsonl").write_text(json.dumps(opened(PULLS + 1)), encoding="utf-8")
    home = project / ".pullrisk"
    with SqliteStore(home / "pulls.sqlite") as store:
        store.upsert(sample_pulls(60))
    shell(user, _SETUP)
    _register_models(home)
    shell(user, ["pullrisk models promote 1 --force --reason 'the first' --yes"])
    shutil.copy(home / "pulls.sqlite", user / "mongo.sqlite")
    return user


_SETUP = [
    "git checkout --quiet --force main",
    "git branch release/2.x",
    "git update-ref refs/remotes/origin/main main",
    "git symbolic-ref refs/remotes/origin/HEAD refs/remotes/origin/main",
    "git update-ref refs/remotes/origin/4.x main~1",
    "git update-ref refs/remotes/origin/release/2.x main~20",
    "git switch --quiet --create topic",
    "echo 'print(1)' > added.py",
    "git add added.py",
    "git commit --quiet --message 'Add a file'",
    "pullrisk fetch --git . --quiet",
    "pullrisk preprocess --quiet",
]


def _register_models(home: Path) -> None:
    """The general model as versions 1 and 2, by different digests, and as one that waits."""
    tracking, folder = fresh_tracking(home), home / "unregistered"
    folder.mkdir()
    for name in ("first", "second", "0f1e2d3c4b5a6978"):
        model = onnx.load(GENERAL)
        model.metadata_props.add(key="copy", value=name)
        onnx.save(model, folder / f"{name}.onnx")
    register(tracking, folder / "first.onnx")
    register(tracking, folder / "second.onnx")


def shell(user: Path, script: list[str]) -> None:
    """Run the lines as a user would, in the clone; the first that fails ends it with its output."""
    own = {
        "HOME": str(user),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "tests"),
        "MONGO_URI": str(user / "mongo.sqlite"),
        "GIT_AUTHOR_NAME": "Ann",
        "GIT_AUTHOR_EMAIL": "ann@example.org",
        "GIT_COMMITTER_NAME": "Ann",
        "GIT_COMMITTER_EMAIL": "ann@example.org",
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PULLRISK_")}
    ran = run_forked(
        [],
        env=kept | own,
        cwd=user / "src" / "project",
        text=json.dumps(script),
        target="support.document_shell:run_lines",
        preload=TRAINING,
    )
    assert ran.returncode == 0, (ran.stdout + ran.stderr)[-3000:]


@pytest.mark.parametrize("page", RUN_PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_of_a_page_run(page: Path, prepared: Path, tmp_path: Path) -> None:
    user = tmp_path / "user"
    shutil.copytree(prepared, user, symlinks=True)
    shell(user, own_lines(page))


def test_every_reason_not_to_run_a_line_is_needed() -> None:
    blocks = [block["code"] for page in PAGES for block in FENCE.finditer(page.read_text("utf-8"))]
    written = [line for code in blocks for line in _joined(code)]
    unused = [
        pattern for pattern in NOT_RUN if not any(re.match(pattern, line) for line in written)
    ]
    assert unused == []
    starts = [code.strip() for code in blocks]
    assert [s for s in BLOCKS_NOT_RUN if not any(code.startswith(s) for code in starts)] == []
