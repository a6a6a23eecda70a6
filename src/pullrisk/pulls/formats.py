"""The formats in which a file may hold a pull request: GitHub's REST object, a webhook's payload
around one, what `gh pr list --json` and `gh pr view --json` print, and the record itself as
`pullrisk store export` writes it.
"""

import re
from typing import Any, Final

import msgspec

from pullrisk.pulls import lone_surrogates
from pullrisk.pulls.lines import Count
from pullrisk.pulls.people import NO_NAMES, BotNames
from pullrisk.pulls.record import Moment, Pull, Review, utc
from pullrisk.pulls.record_json import decode_line, is_record
from pullrisk.pulls.rest import from_rest, parse_rest, rest_object_of
from pullrisk.pulls.rest_shapes import (
    PullNumber,
    RestBranch,
    RestFile,
    RestNamed,
    RestPull,
    RestRepository,
    RestUser,
    rest_status,
)

GH_FIELDS: Final = (
    "number,title,body,url,author,createdAt,updatedAt,mergedAt,closedAt,isDraft,baseRefName,"
    "headRefName,headRefOid,headRepository,headRepositoryOwner,mergeCommit,labels,assignees,"
    "additions,deletions,changedFiles,files"
)
"""What to ask the gh program for."""


class _Hook(msgspec.Struct, gc=False):
    pull_request: msgspec.Raw
    repository: RestRepository | None = None


class _User(msgspec.Struct, gc=False):
    login: str | None = None
    is_bot: bool | None = None


class _Commit(msgspec.Struct, gc=False):
    oid: str | None = None


class _File(msgspec.Struct, rename="camel", gc=False):
    path: str
    additions: Count | None = None
    deletions: Count | None = None
    change_type: str | None = None


class _Review(msgspec.Struct, rename="camel", gc=False):
    author: _User | None = None
    state: str = ""
    submitted_at: Moment | None = None


class _Repository(msgspec.Struct, rename="camel", gc=False):
    name: str | None = None
    name_with_owner: str | None = None


class _GhPull(msgspec.Struct, rename="camel", gc=False):
    """The fields of `gh pr list --json` that pullrisk reads; every other one is ignored."""

    number: PullNumber
    created_at: Moment
    updated_at: Moment
    merged_at: Moment | None = None
    closed_at: Moment | None = None
    state: str | None = None
    title: str | None = None
    body: str | None = None
    url: str | None = None
    author: _User | None = None
    is_draft: bool | None = None
    head_ref_name: str | None = None
    head_ref_oid: str | None = None
    head_repository: _Repository | None = None
    head_repository_owner: _User | None = None
    base_ref_name: str | None = None
    merge_commit: _Commit | None = None
    labels: list[RestNamed | None] | None = None
    assignees: list[_User | None] | None = None
    review_requests: list[_User | None] | None = None
    reviews: list[_Review] | None = None
    review_decision: str | None = None
    commits: list[msgspec.Raw] | None = None
    additions: Count | None = None
    deletions: Count | None = None
    changed_files: Count | None = None
    files: list[_File] | None = None


_GH_KEYS: Final = frozenset(
    ("createdAt", "updatedAt", "mergedAt", "baseRefName", "headRefName", "isDraft", "changedFiles")
)
"""Fields that only what gh prints has."""
_hook: Final = msgspec.json.Decoder(_Hook)
_dict: Final = msgspec.json.Decoder(dict[str, Any])
_gh: Final = msgspec.json.Decoder(_GhPull)
_URL: Final = re.compile(r"https?://[^/]+/([^/]+/[^/]+)/pull/\d+")
_APP: Final = "app/"


def parse_pull(data: bytes, *, repository: str | None = None, names: BotNames = NO_NAMES) -> Pull:
    """Parse one pull request in any format, `repository` being its name where it names none.

    `names` are the accounts that the settings call bots or persons. Only a record may be a direct
    push. Raises ValueError, which names the field that is wrong.
    """
    if is_record(data):
        return decode_line(data, names)
    try:
        return parse_rest(data, repository=repository, names=names)
    except ValueError as error:
        try:
            keys = lone_surrogates.decode(_dict, data).keys()
        except (ValueError, RecursionError):
            raise error from None
        if "pull_request" in keys and "created_at" not in keys:
            return _from_hook(lone_surrogates.decode(_hook, data), repository, names)
        if not _GH_KEYS.isdisjoint(keys):
            return _from_gh(lone_surrogates.decode(_gh, data), repository, names)
        raise


def rest_object(data: bytes) -> dict[str, Any] | None:
    """The REST object itself, out of a webhook's payload if it stands in one; a record as one.

    None for a direct push, which is no pull request. Raises ValueError.
    """
    if is_record(data):
        pull = decode_line(data)
        return None if pull.is_push else rest_object_of(pull)
    rest = lone_surrogates.decode(_dict, data)
    inner = rest.get("pull_request")
    if isinstance(inner, dict) and "created_at" not in rest:
        rest = inner
    if "createdAt" in rest:
        raise ValueError("expected GitHub's REST object: gh api repos/OWNER/NAME/pulls/N")
    return rest


def _from_hook(hook: _Hook, repository: str | None, names: BotNames) -> Pull:
    own = hook.repository.full_name if hook.repository else None
    return parse_rest(bytes(hook.pull_request), repository=own or repository, names=names)


def _from_gh(gh: _GhPull, repository: str | None, names: BotNames) -> Pull:
    if gh.state == "MERGED" and gh.merged_at is None:
        raise ValueError("it is MERGED, but the field `mergedAt` is missing")
    named = _URL.match(gh.url or "")
    if named is None and repository is None:
        raise ValueError("the field `url` is missing, and --repository names no repository either")
    return msgspec.structs.replace(
        from_rest(_rest(gh), named[1] if named else repository, names),
        reviews=None if gh.reviews is None else tuple(_reviews(gh.reviews)),
        review_decision=gh.review_decision.lower() if gh.review_decision else None,
    )


def _rest(gh: _GhPull) -> RestPull:
    """The same pull in the words of the REST API."""
    return RestPull(
        number=gh.number,
        created_at=gh.created_at,
        updated_at=gh.updated_at,
        merged_at=gh.merged_at,
        closed_at=gh.closed_at,
        title=gh.title,
        body=gh.body,
        user=_user(gh.author),
        draft=gh.is_draft,
        head=RestBranch(gh.head_ref_name, gh.head_ref_oid, RestRepository(_head_repository(gh))),
        base=RestBranch(gh.base_ref_name),
        merge_commit_sha=gh.merge_commit.oid if gh.merge_commit else None,
        labels=gh.labels,
        assignees=[_user(user) for user in gh.assignees or ()],
        requested_reviewers=[_user(user) for user in gh.review_requests or ()],
        commits=None if gh.commits is None else len(gh.commits),
        additions=gh.additions,
        deletions=gh.deletions,
        changed_files=gh.changed_files,
        files=None if gh.files is None else list(map(_file, gh.files)),
    )


def _head_repository(gh: _GhPull) -> str | None:
    """`owner/name` of the fork, which gh tells in two fields."""
    head, owner = gh.head_repository, gh.head_repository_owner
    if head is None:
        return None
    if head.name_with_owner:
        return head.name_with_owner
    return f"{owner.login}/{head.name}" if owner and owner.login and head.name else None


def _user(user: _User | None) -> RestUser | None:
    """The account as in the REST API, where a bot's login ends in [bot]; gh writes app/NAME."""
    if user is None or not user.login:
        return None
    app = user.login.startswith(_APP)
    login = f"{user.login.removeprefix(_APP)}[bot]" if app else user.login
    return RestUser(login, "Bot" if user.is_bot else None)


def _file(file: _File) -> RestFile:
    return RestFile(file.path, rest_status(file.change_type), file.additions, file.deletions)


def _reviews(reviews: list[_Review]) -> list[Review]:
    return [
        Review(
            author.login if (author := _user(review.author)) else None,
            review.state.lower(),
            utc(review.submitted_at) if review.submitted_at else None,
        )
        for review in reviews
        if review.state != "PENDING"
    ]
