"""The types of GitHub's REST API that `record.parse_rest` decodes."""

from datetime import datetime
from typing import Annotated, TypeAlias

import msgspec

# Checked by the decoder itself, whose error names the field: "… - at `$.files[3].additions`".
_Moment: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]
_Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]
_Number: TypeAlias = Annotated[int, msgspec.Meta(gt=0, lt=2**53)]


class RestUser(msgspec.Struct, gc=False):
    """A user; null if the account was deleted."""

    login: str | None = None
    type: str | None = None


class RestNamed(msgspec.Struct, gc=False):
    """Anything of which only the name matters, such as a label."""

    name: str | None = None


class RestRepository(msgspec.Struct, gc=False):
    """A repository; null as a head if the fork was deleted."""

    full_name: str | None = None
    id: _Count | None = None


class RestBranch(msgspec.Struct, gc=False):
    """Head or base."""

    ref: str | None = None
    sha: str | None = None
    repo: RestRepository | None = None


class RestFile(msgspec.Struct, gc=False):
    """A changed file, as in "list pull requests files"."""

    filename: str
    status: str | None = None
    additions: _Count | None = None
    deletions: _Count | None = None
    previous_filename: str | None = None


class RestPull(msgspec.Struct, gc=False):
    """What pullrisk reads of a pull-request object; every other field is ignored."""

    number: _Number
    created_at: _Moment
    updated_at: _Moment
    merged_at: _Moment | None = None
    closed_at: _Moment | None = None
    title: str | None = None
    body: str | None = None
    user: RestUser | None = None
    author_association: str | None = None
    draft: bool | None = None
    head: RestBranch | None = None
    base: RestBranch | None = None
    merge_commit_sha: str | None = None
    labels: list[RestNamed | None] | None = None
    assignees: list[RestUser | None] | None = None
    requested_reviewers: list[RestUser | None] | None = None
    commits: _Count | None = None
    additions: _Count | None = None
    deletions: _Count | None = None
    changed_files: _Count | None = None
    files: list[RestFile] | None = None
