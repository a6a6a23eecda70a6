"""A git repository made of pull requests: one squash commit each, as GitHub writes them."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from pullrisk.pulls.record import ChangedFile, Pull
from support.repositories import git

LINES = 40
"""Most lines of a file that a commit adds: enough to tell sizes apart, quick to write."""


def make_clone(path: Path, pulls: Iterable[Pull], *, origin: str = "") -> Path:
    """A repository in `path` whose branch main holds the merged `pulls` in their order."""
    path.mkdir(parents=True)
    git(path, "init", "-q", "-b", "main")
    if origin:
        git(path, "config", "remote.origin.url", origin)
    git(path, "fast-import", "--quiet", stdin="".join(_commits(pulls)).encode())
    return path


def _commits(pulls: Iterable[Pull]) -> Iterator[str]:
    contents: dict[str, list[str]] = {}
    for pull in pulls:
        if pull.merged_at is None:
            continue
        when = f"{int(pull.merged_at.timestamp())} +0000"
        opened = f"{int(min(pull.created_at, pull.merged_at).timestamp())} +0000"
        who = f"{pull.author or 'ghost'} <{pull.author or 'ghost'}@example.org>"
        message = f"{pull.title or 'Change'} (#{pull.number})\n\n{pull.body or ''}\n"
        yield "commit refs/heads/main\n"
        yield f"author {who} {opened}\ncommitter {who} {when}\n{_data(message)}"
        for file in pull.files or ():
            yield _change(contents, file, pull.number)
        yield "\n"


def _change(contents: dict[str, list[str]], file: ChangedFile, number: int) -> str:
    if file.status == "removed":
        return f'D "{file.path}"\n' if contents.pop(file.path, None) is not None else ""
    lines = contents.setdefault(file.path, [])
    del lines[: min(file.deletions or 0, LINES)]
    added = min(file.additions or 0, LINES)
    lines.extend(f"line {number} {place}" for place in range(added))
    return f'M 100644 inline "{file.path}"\n{_data(_text(lines))}'


def _data(text: str) -> str:
    return f"data {len(text.encode())}\n{text}\n"


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
