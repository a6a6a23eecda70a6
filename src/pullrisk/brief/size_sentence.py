"""The one sentence about how large a change is: code, files and directories, beside the usual."""

from typing import Final

from pullrisk.brief.case import DOWN, UP, Case, Sentence
from pullrisk.brief.wording import counted

_FEW_LINES: Final = 3
"""Lines more than usual that are not worth a sentence."""


def size(case: Case) -> Sentence | None:
    """What is told of the size: code added if it is unusual, else the files, else code removed.

    Of what adds no code, that it removes more than usual comes first.
    """
    removed = _removed(case)
    only = removed if removed and removed.direction == UP and case.verb == "removes" else None
    return _added(case) or only or _files(case) or removed


def _added(case: Case) -> Sentence | None:
    if case.known("code_added"):
        name, noun, plural = "code_added", "line of code", "lines of code"
    elif case.known("additions"):
        name, noun, plural = "additions", "line", "lines"
    else:
        return None
    value, usual = round(case.row[name]), round(case.usual[name])
    if value < usual:
        text = f"adds {counted(value, noun, plural)}" if value else f"adds no {plural}"
        return Sentence(f"{text}{case.usually(name)}", DOWN)
    if value < usual + _FEW_LINES:
        return None
    text = f"adds {counted(value, noun, plural)}"
    path, most = _largest(case)
    if most < value / 2:
        path = None
    if path is not None and most == value:
        return Sentence(f"{text} to {path}{case.usually(name)}", UP, path=path, lines=value)
    where, usually = _where(case, usual)
    largest = f", {most:,} of them to {path}" if path is not None else ""
    return Sentence(f"{text}{where}{largest}{usually}", UP, path=path, lines=value)


def _where(case: Case, usual: int) -> tuple[str, str]:
    """` in 9 files`, and the usual of both in brackets; the files are left out if unknown.

    They are those with code, where code is counted.
    """
    name = "code_files" if case.known("code_added", "code_files") else "changed_files"
    lines = f"{usual:,}" if usual else "none"
    number = _files_with_code(case) if name == "code_files" else case.row[name]
    if not case.known(name) or number < 2:
        return "", f" (usually {lines})"
    files = f" in {counted(number, 'file')}"
    if not usual:
        return files, " (usually none)"
    return files, f" (usually {lines} in {counted(case.usual[name], 'file')})"


def _files_with_code(case: Case) -> float:
    """Files to which code is added; where nobody lists them, those of which code changes."""
    return sum(bool(file.code_added) for file in case.pull.files or ()) or case.row["code_files"]


def _largest(case: Case) -> tuple[str | None, int]:
    """The file to which most code is added, and how many lines; None if nobody knows."""
    known = case.known("code_added")
    added = {
        file.path: (file.code_added if known else file.additions) or 0
        for file in case.pull.files or ()
    }
    path = max(added, key=added.__getitem__, default=None)
    return path, 0 if path is None else added[path]


def _files(case: Case) -> Sentence | None:
    if not case.known("changed_files", "directories"):
        return None
    files, usual = round(case.row["changed_files"]), round(case.usual["changed_files"])
    folders, usually = round(case.row["directories"]), round(case.usual["directories"])
    if not case.row["source_files"] and case.usual["source_files"]:
        return Sentence("changes no source file", DOWN)
    if files < 2 * usual and folders < max(2 * usually, usually + 2):
        return None  # hardly more than usual
    where = f"{counted(files, 'file')} in {counted(folders, 'directory', 'directories')}"
    beside = f"{counted(usual, 'file')} in {counted(usually, 'directory', 'directories')}"
    return Sentence(f"changes {where} (usually {beside})", UP)


def _removed(case: Case) -> Sentence | None:
    name, noun = ("code_removed", " of code") if case.known("code_removed") else ("deletions", "")
    if not case.known(name):
        return None
    value, usual = round(case.row[name]), round(case.usual[name])
    if value == usual or usual < value < usual + _FEW_LINES:
        return None
    lines = counted(value, "line") if value else "no lines"
    verb = "removes" if case.verb == "removes" else "removes or rewrites"
    text = f"{verb} {lines}{noun}{case.usually(name)}"
    return Sentence(text, UP if value > usual else DOWN, lines=value)
