"""A repository on a fake GitHub of this process, with its clone; a test changes both."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Any

from fake_github.app import FakeGitHub, Receive, Scope, Send
from fake_github.world import FakeRepository, World, pull_like
from support.loopback import listening
from support.repositories import Repository

TEXT = b"".join(b"line_%d = 1\n" % number for number in range(10))
"""What the first pull writes."""


class Server:
    """The fake GitHub; `commands` are git's processes, seen while they asked it."""

    def __init__(self, app: FakeGitHub) -> None:
        self._app, self.commands, self.url = app, set[bytes](), ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if ".git/" in scope["path"]:
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                with suppress(OSError):  # it has ended
                    self._note(path.read_bytes())
        await self._app(scope, receive, send)

    def _note(self, command: bytes) -> None:
        if PurePath(os.fsdecode(command.partition(b"\0")[0])).name.startswith("git"):
            self.commands.add(command)


@dataclass
class GitHubProject:
    """A repository on GitHub: pull 1 wrote a.py, somebody pushed, pull 2 mends, 3 is open."""

    folder: Path
    server: Server
    github: FakeRepository
    work: Repository
    world: World
    shas: dict[int, str] = field(default_factory=dict, kw_only=True)

    def commit(self, number: int, content: bytes, *, subject: str = "") -> str:
        """A pull's commit on main, or a push (0)."""
        self.work.commit({"a.py": content})
        subject = subject or (f"Change {number} (#{number})" if number else "Pushed")
        self.work.git("commit", "-q", "--amend", "-m", subject)
        self.shas[number] = sha = self.work.git("rev-parse", "HEAD")
        if number:
            moment = datetime.fromtimestamp(int(self.work.git("log", "-1", "--format=%ct")), UTC)
            self.know(number, merge_commit_sha=sha, merged_at=iso(moment), closed_at=iso(moment))
        return sha

    def know(self, number: int, **fields: Any) -> None:
        """Let GitHub know a pull."""
        file = {"filename": "a.py", "status": "modified", "additions": 1, "deletions": 1}
        moment = fields.get("merged_at") or iso(datetime.now(UTC))
        self.github.pulls[number] = pull_like(number, created_at=moment, files=[file], **fields)
        self.github.version += 1

    def push(self, *refs: str) -> None:
        target = str(self.folder / "clones" / "o" / "r.git")
        self.work.git("push", "-q", "--force", target, *(refs or ("main",)))


def iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@contextmanager
def github_project(folder: Path) -> Iterator[GitHubProject]:
    """The repository o/r, served until the context ends."""
    bare = folder / "clones" / "o" / "r.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(bare)], check=True)
    world = World()
    server = Server(FakeGitHub(world, clones=folder / "clones"))
    with listening(server) as server.url:
        work = Repository(folder / "work")
        made = GitHubProject(folder, server, world.add("o/r"), work, world)
        made.commit(1, TEXT)
        made.commit(0, TEXT + b"pushed = 1\n")
        made.commit(2, TEXT.replace(b"line_3 = 1", b"line_3 = 2"))
        work.git("checkout", "-q", "-b", "topic")
        head = work.commit({"a.py": TEXT.replace(b"line_3 = 1", b"line_3 = 3")})
        work.git("checkout", "-q", "main")
        made.know(3, head={"ref": "topic", "sha": head})
        made.push("main", "topic:refs/pull/3/head")
        yield made
