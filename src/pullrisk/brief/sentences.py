"""The sentence of each fact of `brief.facts`: the change and the code, in a person's words.

Each takes a case and returns what it says, or None if the fact has nothing unusual to tell, or
nothing that is sure. Nobody is reproached: of people, only that something is new to them, or what
wrote the change, is ever said.
"""

from collections.abc import Callable
from typing import Final

from pullrisk.brief.case import DOWN, EITHER, UP, Case, Sentence, shortest_folder
from pullrisk.brief.facts import SIZE
from pullrisk.brief.line_sentences import LINE_SENTENCES
from pullrisk.brief.past import Failure
from pullrisk.brief.size_sentence import size
from pullrisk.brief.wording import age, counted, listed, share
from pullrisk.features.schema import NEVER
from pullrisk.pulls.file_kinds import KINDS, path_facts

_FEW_MERGED: Final = 5
_FEW_PULLS: Final = 5
_MOST_FOLDERS: Final = 3
_FORGOTTEN: Final = 365.0
"""Days after which a revert somewhere in a directory is told no more."""
_MOST_FILES: Final = 50
"""Files of a pull, those most changed, whose record is looked at."""


def _token(name: str, noun: str, plural: str) -> Callable[[Case], Sentence | None]:
    def sentence(case: Case) -> Sentence | None:
        if not case.known(name) or case.row[name] <= case.usual[name]:
            return None
        return Sentence(f"adds {counted(case.row[name], noun, plural)}{case.usually(name)}", UP)

    return sentence


_KINDS_TOLD: Final = (
    ("dependency_files", "dependency", "dependency file"),
    ("ci_files", "ci", "CI or build file"),
    ("config_files", "config", "configuration file"),
    ("vendored_files", "vendored", "vendored file"),
    ("docs_files", "docs", "documentation file"),
)


def _kinds_of_files(case: Case) -> Sentence | None:
    parts: list[str] = []
    paths: list[str] = []
    for name, kind, noun in _KINDS_TOLD:
        if case.known(name) and case.row[name] > case.usual[name]:
            parts.append(counted(case.row[name], noun))
            paths += [file.path for file in case.files(kind)]
    if not parts:
        return None
    if len(paths) == 1:
        noun = parts[0].removeprefix("1 ")
        return Sentence(f"changes the {noun} {paths[0]}", EITHER, path=paths[0])
    return Sentence(f"changes {listed(parts)}", EITHER)


def _moved_files(case: Case) -> Sentence | None:
    if not case.known("files_removed", "files_renamed"):
        return None
    parts = []
    for verb, name in (("removes", "files_removed"), ("moves", "files_renamed")):
        if case.row[name] > case.usual[name]:
            parts.append(f"{verb} {counted(case.row[name], 'file')}")
    return Sentence(" and ".join(parts), EITHER) if parts else None


def _new_files(case: Case) -> Sentence | None:
    if not case.known("files_added") or case.row["files_added"] <= case.usual["files_added"]:
        return None
    paths = [file.path for file in case.files() if file.status == "added"]
    if len(paths) == 1:
        return Sentence(f"adds the file {paths[0]}", EITHER, path=paths[0])
    return Sentence(f"adds {counted(case.row['files_added'], 'new file')}", EITHER)


def _tests(case: Case) -> Sentence | None:
    if not case.known("test_files", "source_without_tests"):
        return None
    tests = round(case.row["test_files"])
    if tests:
        text = f"changes {counted(tests, 'test file')}{case.usually('test_files')}"
        return Sentence(text, DOWN)
    if not case.row["source_without_tests"]:
        return None
    path = case.files("source")[0].path
    tested, pulls, folder = case.past.pulls_with_tests(path)
    if pulls < _FEW_PULLS or tested * 2 < pulls:
        return Sentence("changes no test file", UP)
    where = f", mostly in {folder}" if folder else ""
    text = f"no test changes with {path}: {tested} of its last {pulls} changes had one{where}"
    return Sentence(text, UP, path=path)


def _commits(case: Case) -> Sentence | None:
    if not case.known("commits") or case.row["commits"] <= case.usual["commits"]:
        return None
    return Sentence(f"has {counted(case.row['commits'], 'commit')}{case.usually('commits')}", UP)


def _repaired_files(case: Case) -> Sentence | None:
    name = "days_since_file_repair"
    if not case.known("file_repair_rate_max", name):
        return None
    pasts = [case.past.file(file.path) for file in case.files()[:_MOST_FILES]]
    repaired = [each for each in pasts if each and each.last_repair]
    if not repaired:
        never = case.row[name] >= NEVER > case.usual[name]
        return Sentence("no code in its files has needed a fix yet", DOWN) if never else None
    worst = max(repaired, key=lambda each: each.repaired / (each.changes + 3))
    of = f"{worst.repaired} of the last {worst.changes} changes of {worst.path}"
    if worst.changes == 1:
        of = f"the last change of {worst.path}"
    return _said_of(case, f"{of} needed a fix", worst.path, worst.last_repair)


def _said_of(case: Case, text: str, path: str, last: Failure | None) -> Sentence:
    """A sentence about what befell earlier changes of a file, with the last who told it."""
    if last is None:
        return Sentence(text, UP, path=path)
    by = f"#{last.by}, " if last.by > 0 else ""
    number = last.by if last.by > 0 else None
    return Sentence(f"{text} (last: {by}{age(case.past.days_since(last))})", UP, path, number)


def _repaired_directories(case: Case) -> Sentence | None:
    name = "directory_repair_rate_max"
    if not case.known(name):
        return None
    folders = {path_facts(file.path).directory for file in case.files("source")}
    records = {folder: case.past.directory(folder) for folder in sorted(folders)}
    rates = {
        folder: min(1.0, record.repaired / record.written)
        for folder, record in records.items()
        if record and record.written >= _FEW_PULLS
    }
    if not rates:
        return None
    worst, usual = max(rates, key=rates.__getitem__), case.usual[name]
    rate, folder = rates[worst], shortest_folder(worst)
    text = f"{share(rate)} of the changes in {folder} needed a fix (usually {share(usual)})"
    return Sentence(text, UP if rate > usual else DOWN, path=folder if worst else None)


def _reverted_files(case: Case) -> Sentence | None:
    pasts = [case.past.file(file.path) for file in case.files()[:_MOST_FILES]]
    usual = case.usual["repository_failure_rate"]
    reverted = [each for each in pasts if each and each.reverted > 2 * usual * each.changes]
    if reverted:
        worst = max(reverted, key=lambda each: each.reverted / (each.changes + 10))
        of = f"{worst.reverted} of the last {worst.changes} changes of {worst.path}"
        were = "was" if worst.reverted == 1 else "were"
        return _said_of(case, f"{of} {were} reverted or hot-fixed", worst.path, worst.last_revert)
    name = "days_since_directory_failure"
    if case.known(name) and case.row[name] < min(_FORGOTTEN, case.usual[name]):
        return Sentence(f"a pull in these directories was reverted {age(case.row[name])}", UP)
    return None


def _busy_files(case: Case) -> Sentence | None:
    if not case.known("file_heat_max", "file_idle_min"):
        return None
    changes = {
        file.path: case.past.changes_lately(file.path) for file in case.files()[:_MOST_FILES]
    }
    path = max(changes, key=changes.__getitem__, default="")
    usual = round(case.usual["file_heat_max"])
    if _is_code(path) and changes[path] > max(1, usual):
        times = counted(changes[path], "time")
        return Sentence(f"{path} changed {times} in the last six weeks (usually {usual})", UP, path)
    if max(60.0, case.usual["file_idle_min"]) < case.row["file_idle_min"] < NEVER:
        return Sentence(f"its files last changed {age(case.row['file_idle_min'])}", DOWN)
    return None


def _shared_files(case: Case) -> Sentence | None:
    touches, authors = "file_touches_max", "file_authors_max"
    if not case.known(touches, authors):
        return None
    value, usual = case.row, case.usual
    if value[touches] > usual[touches] and value[authors] > usual[authors]:
        path = case.past.busiest()
        if path is None or not _is_code(path):
            return None
        text = (
            f"{path} was changed by {counted(value[touches], 'earlier pull')} of "
            f"{counted(value[authors], 'person', 'people')} "
            f"(usually {round(usual[touches]):,} of {round(usual[authors]):,})"
        )
        return Sentence(text, UP, path=path)
    if value[touches] < usual[touches] and value[authors] < usual[authors]:
        return Sentence("its files were changed by few pulls before", DOWN)
    return None


def _is_code(path: str) -> bool:
    """Whether it is no file that nearly every pull changes, such as a change log or a lock file."""
    return KINDS[path_facts(path).kind] in ("source", "test", "config", "ci")


def _new_to_files(case: Case) -> Sentence | None:
    folders_known, files_known = "author_known_directories", "author_known_files"
    if not case.known(folders_known, files_known) or not case.pull.files:
        return None
    folders = _new_folders(case)
    if folders:
        where = listed([shortest_folder(each) for each in folders])
        return Sentence(f"the first time this author works in {where}", UP, path=f"{folders[0]}/")
    others, files = round(case.row["files_new_to_author"]), len(case.pull.files)
    if others > case.usual["files_new_to_author"]:
        which = f"all of its {files:,}" if others == files else f"{others:,} of its {files:,}"
        text = f"{which} files are new to the author"
        return Sentence("its file is new to the author" if files == 1 else text, UP)
    if not others and case.row[files_known] >= max(0.5, case.usual[files_known]):
        return Sentence("the author has worked on these files before", DOWN)
    return None


def _new_folders(case: Case) -> list[str]:
    """Directories of source files in which others worked, and the author never."""
    folders = {path_facts(file.path).directory: None for file in case.files("source")}
    if case.row["author_known_directories"] == 0.0:
        return [folder for folder in folders if folder][:_MOST_FOLDERS]
    return [folder for folder in folders if folder and not case.past.author_works_in(folder)]


def _new_author(case: Case) -> Sentence | None:
    if not case.known("author_merged", "author_new"):
        return None
    merged = round(case.row["author_merged"])
    if case.row["author_new"]:
        return Sentence("the author's first pull here", UP)
    if merged <= _FEW_MERGED and merged < case.usual["author_merged"]:
        return Sentence("one of the author's first pulls here", UP)
    if merged > case.usual["author_merged"]:
        return Sentence(
            f"the author knows this repository ({counted(merged, 'pull')} merged)", DOWN
        )
    return None


def _flag(name: str, text: str) -> Callable[[Case], Sentence | None]:
    def sentence(case: Case) -> Sentence | None:
        return Sentence(text, EITHER) if case.row[name] >= 0.5 else None

    return sentence


def _version(case: Case) -> Sentence | None:
    if case.row["title_bump_major"] >= 0.5:
        return Sentence("changes a major version", EITHER)
    return Sentence("changes a version", EITHER) if case.row["title_bump"] >= 0.5 else None


SENTENCES: Final[dict[str, Callable[[Case], Sentence | None]]] = {
    SIZE: size,
    "error handling": _token("error_added", "error handler", "error handlers"),
    "concurrency": _token(
        "concurrency_added", "lock, thread or wait", "uses of locks, threads or waits"
    ),
    "kinds of files": _kinds_of_files,
    "moved files": _moved_files,
    "new files": _new_files,
    "tests": _tests,
    "commits": _commits,
    **LINE_SENTENCES,
    "repaired files": _repaired_files,
    "repaired directories": _repaired_directories,
    "reverted files": _reverted_files,
    "busy files": _busy_files,
    "shared files": _shared_files,
    "new to the files": _new_to_files,
    "new author": _new_author,
    "agent": _flag("author_agent", "an AI agent wrote some or all of it"),
    "robot": _flag("author_bot", "a bot wrote it"),
    "fork": _flag("from_fork", "comes from a fork"),
    "version": _version,
}
"""By fact: what says it."""
