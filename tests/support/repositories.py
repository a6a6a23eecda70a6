"""A git repository that a test fills with contents, commit by commit."""

import subprocess
from pathlib import Path


class Repository:
    """A repository in a folder, on the branch main."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self.git("init", "-q", "-b", "main")
        for key, value in (("name", "Ann"), ("email", "ann@x.org")):
            self.git("config", f"user.{key}", value)

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(self.path), *arguments], capture_output=True, check=True
        )
        return done.stdout.decode().strip()

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
