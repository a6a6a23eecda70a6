"""Git as tests run it, and a repository that a test fills with contents, commit by commit."""

import os
import subprocess
from pathlib import Path
from typing import Final

_PERSON: Final = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Ann"), ("EMAIL", "ann@x.org"))
}


def git_bytes(
    folder: Path, *arguments: str | Path, stdin: bytes = b"", **environment: str
) -> bytes:
    """What git prints in a folder, run as Ann, without the settings of this machine's user."""
    own = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, **_PERSON, **environment}
    # After a commit it would start another program, to see whether it should tidy up.
    command = ["git", "-C", folder, "-c", "maintenance.auto=false", *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, env=own)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def git(folder: Path, *arguments: str | Path, stdin: bytes = b"", **environment: str) -> str:
    """The same as text, without the white space around it."""
    output = git_bytes(folder, *arguments, stdin=stdin, **environment)
    return output.decode(errors="replace").strip()


class Repository:
    """A repository in a folder, on the branch main."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments: str) -> str:
        return git(self.path, *arguments)

    def commit(self, files: dict[str | bytes, bytes | None]) -> str:
        """Commit contents by path (None removes a file): returns the sha."""
        for name, content in files.items():
            path = self.path / (
                name.decode(errors="surrogateescape") if isinstance(name, bytes) else name
            )
            if content is None:
                path.unlink()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "c")
        return self.git("rev-parse", "HEAD")
