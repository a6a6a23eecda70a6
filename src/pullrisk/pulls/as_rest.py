"""A record as GitHub's REST object, for whoever takes nothing else."""

from typing import Any

import msgspec

from pullrisk.pulls.record import ChangedFile, Pull


def rest_object_of(pull: Pull) -> dict[str, Any]:
    """The REST object of a pull, of types that JSON knows, which `record.parse_rest` reads back.

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
            "user": _user(pull),
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
            "files": None if pull.files is None else list(map(_file, pull.files)),
        }
    )
    return named


def _user(pull: Pull) -> dict[str, str] | None:
    if pull.author is None:
        return None
    return {"login": pull.author, "type": "Bot" if pull.bot else "User"}


def _file(file: ChangedFile) -> dict[str, object]:
    return {
        "filename": file.path,
        "status": file.status,
        "additions": file.additions,
        "deletions": file.deletions,
        "previous_filename": file.previous_path,
    }
