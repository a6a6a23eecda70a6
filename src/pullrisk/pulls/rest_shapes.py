"""The types of GitHub's REST API that `rest.parse_rest` decodes."""

from typing import Annotated, Final, TypeAlias

import msgspec

from pullrisk.pulls.lines import Count
from pullrisk.pulls.record import Moment

# Checked by the decoder itself, whose error names the field: "… - at `$.files[3].additions`".
PullNumber: TypeAlias = Annotated[int, msgspec.Meta(gt=0, lt=2**53)]
"""The number of a pull request."""
# Wider than GitHub's own limits, and narrow enough that no field can fill the memory.
_Name: TypeAlias = Annotated[str, msgspec.Meta(max_length=256)]
_Ref: TypeAlias = Annotated[str, msgspec.Meta(max_length=1_024)]
_Path: TypeAlias = Annotated[str, msgspec.Meta(max_length=4_096)]
_Text: TypeAlias = Annotated[str, msgspec.Meta(max_length=1_000_000)]
# GitHub itself leaves out a patch of more than 1 MB.
_Patch: TypeAlias = Annotated[str, msgspec.Meta(max_length=2_000_000)]
_SEVERAL: Final = msgspec.Meta(max_length=1_000)
_MANY: Final = msgspec.Meta(max_length=100_000)


class RestUser(msgspec.Struct, gc=False):
    """A user; null if the account was deleted."""

    login: _Name | None = None
    type: _Name | None = None


class RestNamed(msgspec.Struct, gc=False):
    """Anything of which only the name matters, such as a label."""

    name: _Name | None = None


class RestRepository(msgspec.Struct, gc=False):
    """A repository; null as a head if the fork was deleted."""

    full_name: _Name | None = None
    id: Count | None = None


class RestBranch(msgspec.Struct, gc=False):
    """Head or base."""

    ref: _Ref | None = None
    sha: _Name | None = None
    repo: RestRepository | None = None


class RestFile(msgspec.Struct, gc=False):
    """A changed file, as in "list pull requests files"."""

    filename: _Path
    status: _Name | None = None
    additions: Count | None = None
    deletions: Count | None = None
    previous_filename: _Path | None = None
    patch: _Patch | None = None


class RestPull(msgspec.Struct, gc=False):
    """What pullrisk reads of a pull-request object; every other field is ignored."""

    number: PullNumber
    created_at: Moment
    updated_at: Moment
    merged_at: Moment | None = None
    closed_at: Moment | None = None
    title: _Text | None = None
    body: _Text | None = None
    user: RestUser | None = None
    author_association: _Name | None = None
    draft: bool | None = None
    head: RestBranch | None = None
    base: RestBranch | None = None
    merge_commit_sha: _Name | None = None
    labels: Annotated[list[RestNamed | None], _SEVERAL] | None = None
    assignees: Annotated[list[RestUser | None], _SEVERAL] | None = None
    requested_reviewers: Annotated[list[RestUser | None], _SEVERAL] | None = None
    commits: Count | None = None
    additions: Count | None = None
    deletions: Count | None = None
    changed_files: Count | None = None
    files: Annotated[list[RestFile], _MANY] | None = None


def rest_status(change_type: str | None) -> str:
    """What the REST API calls the kind of change to a file that GraphQL names."""
    status = (change_type or "modified").lower()
    return "removed" if status == "deleted" else status
