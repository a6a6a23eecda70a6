"""What a GitHub App publishes, kept and refused as GitHub does: check runs and reactions here."""

import json
import threading
from dataclasses import dataclass, field
from typing import Any

from fake_github import shapes
from fake_github.conversations import Conversations
from fake_github.world import FakeRepository, Rest, World

Answer = tuple[int, Any]


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
        """Status and JSON, or None if this is no route of these."""
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
                return 200, shapes.permission(login, self.permissions.get(login, "read"))
        return self.conversations.about(repository, method, parts, query, body)

    def _create(self, repository: FakeRepository, body: Rest) -> Answer:
        run = {"id": len(self.checks) + 1, "repository": repository.name, "output": {}}
        self.checks.append(run)
        self._write(run, body)
        return 201, shapes.check_run(run)

    def _update(self, repository: FakeRepository, number: int, body: Rest) -> Answer:
        run = next((run for run in self.checks if run["id"] == number), None)
        if run is None or run["repository"] != repository.name:
            return 404, {"message": "Not Found"}
        self._write(run, body)
        return 200, shapes.check_run(run)

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
        return 200, {
            "total_count": len(own),
            "check_runs": [*map(shapes.check_run, _page(own, query))],
        }

    def _react(self, repository: FakeRepository, comment: int, body: Rest) -> Answer:
        reaction = {"repository": repository.name, "comment": comment, "content": body["content"]}
        known = reaction in self.reactions
        if not known:
            self.reactions.append(reaction)
        answer = shapes.reaction(body["content"], self.conversations.login)
        return 200 if known else 201, answer

    def _repositories(self, query: dict[str, str]) -> Answer:
        names = self.installed
        own = [
            {"id": each.id, "full_name": each.name, "node_id": f"R_{each.id}"}
            for each in self.world.repositories.values()
            if names is None or each.name in names
        ]
        return 200, {"total_count": len(own), "repositories": _page(own, query)}


def _check(body: Rest) -> None:
    """What GitHub's description does not tell."""
    for each in body.get("output", {}).get("annotations", []):
        if each["start_line"] > each["end_line"]:
            raise RefusedError(f"annotation {each}")


def _page(items: list[Any], query: dict[str, str]) -> list[Any]:
    size, number = int(query.get("per_page", 30)), int(query.get("page", 1))
    return items[(number - 1) * size : number * size]
