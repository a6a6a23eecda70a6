"""GitHub's REST object of a pull request as a record, and a record as one.

The parser accepts what GitHub really sends (null author = a deleted account, unknown enum values,
missing counts) and requires what nothing works without: repository, number, created_at,
updated_at. Patches that come with the files are counted; who wrote the lines, they do not tell.
"""

import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from pullrisk.pulls import lone_surrogates
from pullrisk.pulls.code import LineCounter, language_of
from pullrisk.pulls.lines import ChangedLines
from pullrisk.pulls.people import NO_NAMES, Account, BotNames, author_facts
from pullrisk.pulls.record import (
    MAX_BODY,
    MAX_FILES,
    MAX_TITLE,
    ChangedFile,
    Pull,
    repository_name,
    utc,
)
from pullrisk.pulls.rest_shapes import RestBranch, RestFile, RestPull, RestUser

_rest_decoder: Final = msgspec.json.Decoder(RestPull)
_rest_list_decoder: Final = msgspec.json.Decoder(list[RestPull])
_NO_USER: Final = RestUser()
_UNDESCRIBED: Final = ("description",)
_NO_BRANCH: Final = RestBranch()
# Neighbouring lines that go and come, between the lines that stay.
_CHANGE: Final = re.compile(
    rb"^(?=[-+])((?:-[^\n]*\n)*+)(?:\\[^\n]*\n)?((?:\+[^\n]*\n)*+)", re.MULTILINE
)

CodeLines = tuple[int, int] | tuple[None, None]
"""Code lines that a file gains and loses, if they are known."""


def parse_rest(
    data: bytes | str, *, repository: str | None = None, names: BotNames = NO_NAMES
) -> Pull:
    """Parse one REST pull-request object from JSON.

    `repository` is used if the object does not name its own (`base.repo.full_name`), `names` are
    the accounts that the settings call bots or persons. Raises ValueError (msgspec's errors are
    ValueErrors), which names the field that is wrong.
    """
    try:
        return from_rest(lone_surrogates.decode(_rest_decoder, data), repository, names)
    except RecursionError:
        raise ValueError("JSON is nested too deeply") from None


def parse_rest_list(data: bytes, *, most: int, names: BotNames = NO_NAMES) -> list[Pull] | None:
    """Parse a JSON list of REST pull-request objects, in a third less time than one by one.

    Returns None if there are more than `most`. Raises ValueError, which does not say which one
    is wrong.
    """
    objects = lone_surrogates.decode(_rest_list_decoder, data)
    return None if len(objects) > most else [from_rest(rest, None, names) for rest in objects]


def from_rest(rest: RestPull, repository: str | None, names: BotNames) -> Pull:
    """The record of a REST object, of `repository` if it names none. Raises ValueError."""
    base, head, user = rest.base or _NO_BRANCH, rest.head or _NO_BRANCH, rest.user or _NO_USER
    account = Account(login=user.login or "", type=user.type)
    name = (base.repo.full_name if base.repo else None) or repository
    files, lines = _files(rest)
    return Pull(
        repository=repository_name(name),
        repository_id=base.repo.id if base.repo else None,
        number=rest.number,
        created_at=utc(rest.created_at),
        updated_at=utc(rest.updated_at),
        merged_at=utc(rest.merged_at) if rest.merged_at else None,
        closed_at=utc(rest.closed_at) if rest.closed_at else None,
        title=(rest.title or "")[:MAX_TITLE],
        body=(rest.body or "")[:MAX_BODY],
        author=user.login or None,
        author_association=rest.author_association,
        **author_facts(account, names, head_ref=head.ref, text=rest.body or ""),
        draft=bool(rest.draft),
        head_ref=head.ref,
        head_sha=head.sha,
        head_repository=_head_repository(head, base),
        base_ref=base.ref,
        merge_sha=rest.merge_commit_sha if rest.merged_at else None,
        labels=tuple(label.name for label in rest.labels or () if label and label.name),
        assignees=_logins(rest.assignees),
        reviewers=_logins(rest.requested_reviewers),
        commits=rest.commits,
        additions=rest.additions,
        deletions=rest.deletions,
        # A list cut below would otherwise lose how many there were.
        changed_files=len(rest.files)
        if rest.changed_files is None and rest.files
        else rest.changed_files,
        files=files,
        lines=lines,
        unknown=_UNDESCRIBED if rest.body is None else (),
    )


def _head_repository(head: RestBranch, base: RestBranch) -> str | None:
    """The repository of the branch; its own under one name, since a rename keeps the id."""
    if head.repo is None:
        return None
    same = base.repo is not None and head.repo.id is not None and head.repo.id == base.repo.id
    return base.repo.full_name if base.repo and same else head.repo.full_name


def _logins(users: Sequence[RestUser | None] | None) -> tuple[str, ...]:
    return tuple(user.login for user in users or () if user and user.login)


def _files(rest: RestPull) -> tuple[tuple[ChangedFile, ...] | None, ChangedLines | None]:
    """The files and what their patches say, both None if there is no list."""
    if rest.files is None:
        return None, None
    complete = rest.changed_files in (None, len(rest.files)) and len(rest.files) <= MAX_FILES
    files = rest.files[:MAX_FILES]
    code_lines, counts = count_patches(files, complete=complete)
    return tuple(map(_file, files, code_lines)), counts


def _file(file: RestFile, code_lines: CodeLines) -> ChangedFile:
    return ChangedFile(
        file.filename,
        file.status or "modified",
        file.additions,
        file.deletions,
        file.previous_filename,
        *code_lines,
    )


def count_patches(
    files: Sequence[RestFile], *, complete: bool
) -> tuple[list[CodeLines], ChangedLines | None]:
    """The code lines of each file, and the counts of all; origins are not in a patch.

    The counts are None if no file has a patch, if the list is not `complete`, or if a source
    file lacks its patch or has a part of it (GitHub leaves out or cuts large ones).
    """
    counter = LineCounter()
    by_file = [_count(file, counter) for file in files]
    known = complete and any(file.patch is not None for file in files)
    known = known and not any(
        lines == (None, None) and _needs_patch(file)
        for file, lines in zip(files, by_file, strict=True)
    )
    return by_file, counter.counts() if known else None


def _needs_patch(file: RestFile) -> bool:
    """Whether the file has changed lines of a known language."""
    changed = (file.additions, file.deletions) != (0, 0)
    return changed and language_of(file.filename) is not None


def _count(file: RestFile, counter: LineCounter) -> CodeLines:
    language = language_of(file.filename)
    if language is None or file.patch is None:
        return None, None
    text = file.patch.encode(errors="replace") + b"\n"
    changes = [match.groups() for match in _CHANGE.finditer(text)]
    lines = tuple(sum(change[side].count(b"\n") for change in changes) for side in (1, 0))
    if lines != (_or(file.additions, lines[0]), _or(file.deletions, lines[1])):
        return None, None
    code_added = code_removed = 0
    for removed, added in changes:
        counter.count_hunk(removed=len(removed), added=len(added))
        code_removed += counter.remove(removed, language).count(1)
        code_added += counter.add(added, language)
    return code_added, code_removed


def _or(count: int | None, other: int) -> int:
    return other if count is None else count


def rest_object_of(pull: Pull) -> dict[str, Any]:
    """The REST object of a pull, of types that JSON knows, which `parse_rest` reads back.

    GitHub has no fields for names of the author, own commits and lines: they are left out.
    Source: https://docs.github.com/en/rest/pulls/pulls
    """
    named: dict[str, Any] = msgspec.to_builtins(
        {
            "number": pull.number,
            "state": "closed" if pull.closed_at else "open",
            "draft": pull.draft,
            "title": pull.title,
            "body": pull.body or None if "description" in pull.unknown else pull.body,
            "user": _rest_user(pull),
            "author_association": pull.author_association,
            "created_at": pull.created_at,
            "updated_at": pull.updated_at,
            "merged_at": pull.merged_at,
            "closed_at": pull.closed_at,
            "merge_commit_sha": pull.merge_sha,
            "labels": [{"name": name} for name in pull.labels],
            "assignees": [{"login": login} for login in pull.assignees],
            "requested_reviewers": [{"login": login} for login in pull.reviewers],
            "head": {
                "ref": pull.head_ref,
                "sha": pull.head_sha,
                "repo": pull.head_repository and {"full_name": pull.head_repository},
            },
            "base": {
                "ref": pull.base_ref,
                "repo": {"full_name": pull.repository, "id": pull.repository_id},
            },
            "commits": pull.commits,
            "additions": pull.additions,
            "deletions": pull.deletions,
            "changed_files": pull.changed_files,
            "files": None if pull.files is None else list(map(_rest_file, pull.files)),
        }
    )
    return named


def _rest_user(pull: Pull) -> dict[str, str] | None:
    if pull.author is None:
        return None
    return {"login": pull.author, "type": "Bot" if pull.bot else "User"}


def _rest_file(file: ChangedFile) -> dict[str, object]:
    return {
        "filename": file.path,
        "status": file.status,
        "additions": file.additions,
        "deletions": file.deletions,
        "previous_filename": file.previous_path,
    }
