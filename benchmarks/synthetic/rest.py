"""A record as GitHub's REST object."""

from typing import Final

import msgspec

from pullrisk.pulls.record import ChangedFile, Pull

_encoder: Final = msgspec.json.Encoder()


def rest_line(pull: Pull) -> bytes:
    """One line of JSON, without its newline, that `record.parse_rest` reads back as `pull`.

    Source: https://docs.github.com/en/rest/pulls/pulls. The field `synthetic` is ours.
    """
    return _encoder.encode(
        {
            "number": pull.number,
            "state": "closed" if pull.closed_at else "open",
            "synthetic": True,
            "title": pull.title,
            "body": pull.body,
            "user": {"login": pull.author, "type": "Bot" if pull.bot else "User"},
            "author_association": pull.author_association,
            "created_at": pull.created_at,
            "updated_at": pull.updated_at,
            "merged_at": pull.merged_at,
            "closed_at": pull.closed_at,
            "base": {"repo": {"full_name": pull.repository}},
            "additions": pull.additions,
            "deletions": pull.deletions,
            "changed_files": pull.changed_files,
            "commits": pull.commits,
            "files": [_file(file) for file in pull.files or ()],
        }
    )


def _file(file: ChangedFile) -> dict[str, object]:
    return {
        "filename": file.path,
        "status": file.status,
        "additions": file.additions,
        "deletions": file.deletions,
    }
