"""What a GitHub App publishes, kept and refused as GitHub does: check runs and reactions here."""

import json
import threading
from dataclasses import dataclass, field
from typing import Any

from fake_github.conversations import Conversations
from fake_github.openapi import UndescribedError, check
from fake_github.world import FakeRepository, Rest, World

Answer = tuple[int, Any]

_REACTIONS = frozenset(("+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"))
_CONCLUSIONS = frozenset(("action_required", "cancelled", "failure", "neutral", "success"))
_LEVELS = frozenset(("notice", "warning", "failure"))
_MOST_ANNOTATIONS = 50
_MOST_TEXT = 65_535


class RefusedError(Exception):
    """GitHub answers 422."""


@dataclass
class Published:
    """Check runs and reactions of all repositories; `permissions` are those of logins.

    `installed` are the repositories of the installation that asks, None for all of the world;
    `forbidden` are parts of paths for which it has no permission.
    """

    world: World
    permissions: dict[str, str] = field(default_factory=dict)
    installed: list[str] | None = None
    checks: list[Rest] = field(default_factory=list)
    reactions: list[Rest] = field(default_factory=list)
    writes: int = 0
    forbidden: tuple[str, ...] = ()
    conversations: Conversations = field(default_factory=Conversations)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, method: str, path: str, query: dict[str, str], body: bytes) -> Answer | None:
        """Status and JSON, or None if this is no route of these; 422 for what none describes."""
        try:
            check(method, path, query, body)
        except UndescribedError as error:
            return 422, {"message": str(error)}
        if path == "/installation/repositories":
            return self._repositories(query)
        if any(part in path for part in self.forbidden):
            return 403, {"message": "Resource not accessible by integration"}
        parts = path.strip("/").split("/")
        if parts[0] != "repos" or len(parts) < 4:
            return None
        repository = self.world.named("/".join(parts[1:3]))
        if repository is None:
            return 404, {"message": "Not Found"}
        try:
            with self._lock:
                return self._about(repository, method, parts[3:], query, body)
        except RefusedError as error:
            return 422, {"message": str(error)}

    def _about(
        self, repository: FakeRepository, method: str, parts: list[str],
        query: dict[str, str], body: bytes,
    ) -> Answer | None:  # fmt: skip
        match method, *parts:
            case "POST", "check-runs":
                return self._create(repository, json.loads(body))
            case "PATCH", "check-runs", number:
                return self._update(repository, int(number), json.loads(body))
            case "GET", "commits", sha, "check-runs":
                return self._list(repository, sha, query)
            case "POST", "issues", "comments", number, "reactions":
                return self._react(repository, int(number), json.loads(body))
            case "GET", "collaborators", login, "permission":
                return 200, {"permission": self.permissions.get(login, "read")}
        return self.conversations.about(repository, method, parts, query, body)

    def _create(self, repository: FakeRepository, body: Rest) -> Answer:
        for name in ("name", "head_sha"):
            if not body.get(name):
                raise RefusedError(f"{name} is missing")
        run = {"id": len(self.checks) + 1, "repository": repository.name, "output": {}}
        self.checks.append(run)
        self._write(run, body)
        return 201, _shown(run)

    def _update(self, repository: FakeRepository, number: int, body: Rest) -> Answer:
        run = next((run for run in self.checks if run["id"] == number), None)
        if run is None or run["repository"] != repository.name:
            return 404, {"message": "Not Found"}
        self._write(run, body)
        return 200, _shown(run)

    def _write(self, run: Rest, body: Rest) -> None:
        _check(body)
        output = dict(body.get("output") or {})
        # GitHub adds the annotations of an update to those that are there.
        known = run["output"].get("annotations", [])
        output["annotations"] = [*known, *output.get("annotations", [])]
        run.update(body, output=output)
        self.writes += 1

    def _list(self, repository: FakeRepository, sha: str, query: dict[str, str]) -> Answer:
        own = [
            run
            for run in self.checks
            if (run["repository"], run["head_sha"]) == (repository.name, sha)
            and query.get("check_name") in (None, run["name"])
        ]
        return 200, {"total_count": len(own), "check_runs": [*map(_shown, _page(own, query))]}

    def _react(self, repository: FakeRepository, comment: int, body: Rest) -> Answer:
        if body.get("content") not in _REACTIONS:
            raise RefusedError(f"content is {body.get('content')!r}")
        reaction = {"repository": repository.name, "comment": comment, "content": body["content"]}
        known = reaction in self.reactions
        if not known:
            self.reactions.append(reaction)
        return 200 if known else 201, {"id": 1, **reaction}

    def _repositories(self, query: dict[str, str]) -> Answer:
        names = self.installed
        own = [
            {"id": each.id, "full_name": each.name, "node_id": f"R_{each.id}"}
            for each in self.world.repositories.values()
            if names is None or each.name in names
        ]
        return 200, {"total_count": len(own), "repositories": _page(own, query)}


def _check(body: Rest) -> None:
    output = body.get("output") or {}
    annotations = output.get("annotations", [])
    if len(annotations) > _MOST_ANNOTATIONS:
        raise RefusedError("no more than 50 annotations")
    if output and not (output.get("title") and output.get("summary")):
        raise RefusedError("output needs a title and a summary")
    if len(output.get("summary", "")) > _MOST_TEXT:
        raise RefusedError("summary is too long")
    if "conclusion" in body and body["conclusion"] not in _CONCLUSIONS:
        raise RefusedError(f"conclusion is {body['conclusion']!r}")
    for each in annotations:
        if each["annotation_level"] not in _LEVELS or each["start_line"] > each["end_line"]:
            raise RefusedError(f"annotation {each}")


def _shown(run: Rest) -> Rest:
    output = run["output"]
    shown = {"title": output.get("title"), "summary": output.get("summary")}
    return {**run, "output": {**shown, "annotations_count": len(output.get("annotations", []))}}


def _page(items: list[Any], query: dict[str, str]) -> list[Any]:
    size, number = int(query.get("per_page", 30)), int(query.get("page", 1))
    return items[(number - 1) * size : number * size]
