"""The GraphQL side of the world: values that graphql-core's default resolvers read."""

import base64
import json
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import Any

from graphql import GraphQLError

from fake_github.world import FakeRepository, Rest, World

Value = dict[str, Any]
Connection = Callable[..., Value]

_CHANGES = {"removed": "DELETED"}


class Query:
    """The root. `token` is who asks; `rate` answers `rateLimit` with what this call cost."""

    def __init__(
        self, world: World, token: str, rate: Callable[[], Value], *, login: str = "somebody"
    ) -> None:
        self._world, self._token, self._rate = world, token, rate
        self.viewer = {"__typename": "User", "login": login}

    def rateLimit(self, info: object, **_: object) -> Value:  # noqa: N802
        """The budget after this call."""
        return self._rate()

    def repository(self, info: object, owner: str, name: str, **_: object) -> Value:
        """By name, also an old one."""
        full = f"{owner}/{name}"
        found = self._world.named(full)
        if found is None or not self._sees(found):
            raise _not_found(f"Could not resolve to a Repository with the name '{full}'.")
        return repository_value(self._world, found)

    def node(self, info: object, id: str) -> Value:  # noqa: A002
        """A repository or a pull by its global id."""
        kind, _, rest = id.partition("_")
        identity, _, number = rest.partition("_")
        found = self._world.repositories.get(int(identity)) if identity.isdigit() else None
        if found is None or not self._sees(found):
            raise _not_found(f"Could not resolve to a node with the global id of '{id}'")
        if kind == "PR":
            return pull_value(found, found.pulls[int(number)])
        return repository_value(self._world, found)

    def nodes(self, info: object, ids: list[str]) -> list[Value | Exception]:
        """Several at once; what is not found is an error of its own."""
        return [self._node_or_error(each) for each in ids]

    def repositoryOwner(self, info: object, login: str) -> Value | None:  # noqa: N802
        """A user or an organisation by its login."""
        mine = [each for each in self._visible() if each.name.lower().startswith(f"{login}/")]
        if not mine:
            return None
        mine.sort(key=lambda each: -each.stars)
        values = [repository_value(self._world, each) for each in mine]
        return {"__typename": "Organization", "login": login, "repositories": offset_page(values)}

    def search(self, info: object, query: str, **page: Any) -> Value:
        """Repositories by `stars:>N` or a word in the name."""
        found = self._visible()
        for word in query.split():
            if word.startswith("stars:>"):
                found = [each for each in found if each.stars > int(word[7:])]
            elif ":" not in word:
                found = [each for each in found if word in each.name]
        found.sort(key=lambda each: -each.stars)
        values = [repository_value(self._world, each) for each in found]
        return offset_page(values)(info, **{k: v for k, v in page.items() if k != "type"})

    def _node_or_error(self, identity: str) -> Value | Exception:
        try:
            return self.node(None, identity)
        except GraphQLError as error:
            return error

    def _visible(self) -> list[FakeRepository]:
        return [each for each in self._world.repositories.values() if self._sees(each)]

    def _sees(self, repository: FakeRepository) -> bool:
        return repository.private_to is None or self._token in repository.private_to


def repository_value(world: World, repository: FakeRepository) -> Value:
    """A Repository."""
    return {
        "__typename": "Repository",
        "id": f"R_{repository.id}",
        "databaseId": repository.id,
        "nameWithOwner": repository.name,
        "pullRequests": lambda info, **page: pull_page(repository, **page),
        "object": lambda info, oid: commit_value(repository, oid),
    }


def commit_value(repository: FakeRepository, oid: str) -> Value | None:
    """A Commit whose files can be blamed; null for one that nobody told of."""
    paths = repository.blames.get(oid)
    if paths is None:
        return None

    def blame(info: object, path: str) -> Value:
        if path not in paths:
            raise _not_found(f"Could not find the path '{path}' in {oid}.")
        return {"ranges": [_range(repository, *each) for each in paths[path]]}

    return {"__typename": "Commit", "oid": oid, "blame": blame}


def _range(repository: FakeRepository, first: int, last: int, oid: str) -> Value:
    pulls = [
        {"number": number, "merged": True, "repository": {"nameWithOwner": repository.name}}
        for number, pull in repository.pulls.items()
        if pull.get("merged_at") and oid in (pull.get("merge_commit_sha"), pull["head"]["sha"])
    ]
    commit = {"oid": oid, "associatedPullRequests": offset_page(pulls)}
    return {"startingLine": first, "endingLine": last, "commit": commit}


def pull_page(
    repository: FakeRepository,
    *,
    first: int,
    after: str | None = None,
    orderBy: Value,  # noqa: N803
) -> Value:
    """A page of pulls by keyset: the cursor holds the last value, not a place."""
    by = orderBy["field"].lower()
    keys = repository.ordered(by)
    if orderBy["direction"] == "ASC":
        start = bisect_right(keys, _key(after)) if after else 0
        chosen = keys[start : start + first]
        more = start + first < len(keys)
    else:
        end = bisect_left(keys, _key(after)) if after else len(keys)
        chosen = keys[max(end - first, 0) : end][::-1]
        more = end - first > 0
    return {
        "totalCount": len(keys),
        "nodes": [pull_value(repository, repository.pulls[number]) for _, number in chosen],
        "pageInfo": {"hasNextPage": more, "endCursor": _cursor(chosen[-1]) if chosen else None},
    }


def pull_value(repository: FakeRepository, pull: Rest) -> Value:
    """A PullRequest."""
    head, number = pull.get("head") or {}, pull["number"]
    fork = head.get("repo")
    commits = offset_page(
        [{"commit": {"statusCheckRollup": {"state": pull["checks"]} if pull["checks"] else None}}],
        total=pull["commits"] or 0,
    )
    return {
        "__typename": "PullRequest",
        "id": f"PR_{repository.id}_{number}",
        "number": number,
        "createdAt": pull["created_at"],
        "updatedAt": pull["updated_at"],
        "mergedAt": pull["merged_at"],
        "closedAt": pull["closed_at"],
        "title": pull["title"],
        "body": pull["body"] or "",
        "author": actor(pull["user"]),
        "authorAssociation": pull["author_association"] or "NONE",
        "isDraft": bool(pull["draft"]),
        "headRefName": head.get("ref") or "",
        "headRefOid": head.get("sha") or "0" * 40,
        "isCrossRepository": fork is not None
        and fork["full_name"] != repository.name
        and fork.get("id") != repository.id,
        "headRepository": {"nameWithOwner": fork["full_name"]} if fork else None,
        "baseRefName": pull["base"]["ref"],
        "mergeCommit": {"oid": pull["merge_commit_sha"]} if pull["merge_commit_sha"] else None,
        "additions": pull["additions"] or 0,
        "deletions": pull["deletions"] or 0,
        "changedFiles": pull["changed_files"] or 0,
        "reviewDecision": "APPROVED" if pull["reviews"] else None,
        "labels": offset_page(pull["labels"]),
        "assignees": offset_page([actor(each) for each in pull["assignees"]]),
        "reviewRequests": offset_page(
            [{"requestedReviewer": actor(each)} for each in pull["requested_reviewers"]]
        ),
        "closingIssuesReferences": offset_page(
            pull["closes"], each=lambda name: _closed(repository, name)
        ),
        "commits": commits,
        "files": offset_page(pull.get("files") or (), each=_file),
        "reviews": offset_page(pull["reviews"], each=_review),
    }


def actor(user: Rest | None) -> Value | None:
    """An Actor; GraphQL leaves out the [bot] that REST adds."""
    if user is None:
        return None
    kind = "Bot" if user.get("type") == "Bot" else "User"
    return {"__typename": kind, "login": user["login"].removesuffix("[bot]")}


def offset_page(
    items: Sequence[Any],
    *,
    total: int | None = None,
    each: Callable[[Any], Value | None] = lambda item: item,
) -> Connection:
    """A connection over a list that stands still."""

    def resolve(
        info: object,
        first: int | None = None,
        last: int | None = None,
        after: str | None = None,
        **_: object,
    ) -> Value:
        start = _key(after)[1] if after else 0
        end = len(items) if first is None else min(start + first, len(items))
        if last is not None:
            start = max(end - last, 0)
        return {
            "totalCount": len(items) if total is None else total,
            "nodes": [each(item) for item in items[start:end]],
            "pageInfo": {"hasNextPage": end < len(items), "endCursor": _cursor(("", end))},
        }

    return resolve


def _file(file: Rest) -> Value:
    status = file["status"]
    return {
        "path": file["filename"],
        "additions": file["additions"] or 0,
        "deletions": file["deletions"] or 0,
        "changeType": _CHANGES.get(status, status.upper()),
    }


def _review(review: Rest) -> Value:
    return {
        "state": review["state"],
        "submittedAt": review["submitted_at"],
        "author": actor(review["user"]),
    }


def _closed(repository: FakeRepository, name: str) -> Value | None:
    """An Issue; without labels unless the repository tells them, null if nobody may see it."""
    of, _, number = name.partition("#")
    labels = repository.issues.get(name, ())
    if labels is None:
        return None
    named = offset_page([{"name": label} for label in labels])
    return {"number": int(number), "repository": {"nameWithOwner": of}, "labels": named}


def _cursor(key: tuple[str, int]) -> str:
    return base64.b64encode(b"cursor:v2:" + json.dumps(key).encode()).decode()


def _key(cursor: str) -> tuple[str, int]:
    try:
        value, number = json.loads(base64.b64decode(cursor).removeprefix(b"cursor:v2:"))
        return str(value), int(number)
    except ValueError:
        raise GraphQLError(
            f"`{cursor}` does not appear to be a valid cursor.",
            extensions={"type": "INVALID_CURSOR_ARGUMENTS"},
        ) from None


def _not_found(message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"type": "NOT_FOUND"})
