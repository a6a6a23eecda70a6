"""Comments and labels at pull requests, and files of branches, as an App or Action sees them."""

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from fake_github import shapes
from fake_github.world import FakeRepository, Rest

Answer = tuple[int, Any]

_MOST_BODY = 65_536


@dataclass
class Conversations:
    """Comments by id; labels by repository and number; files by repository, branch and path.

    `login` is who writes: the App's own account, or that of a workflow.
    """

    login: str = "pullrisk[bot]"
    comments: list[Rest] = field(default_factory=list)
    labels: dict[tuple[str, int], list[str]] = field(default_factory=dict)
    files: dict[tuple[str, str, str], bytes] = field(default_factory=dict)
    writes: int = 0

    def about(
        self, repository: FakeRepository, method: str, parts: list[str],
        query: dict[str, str], body: bytes,
    ) -> Answer | None:  # fmt: skip
        """Status and JSON (or a file's bytes), or None if this is no route of these."""
        match method, *parts:
            case "GET", "contents", *path:
                held = self.files.get((repository.name, query.get("ref", ""), "/".join(path)))
                return (404, {"message": "Not Found"}) if held is None else (200, held)
            case "GET", "issues", number, "comments":
                own = map(shapes.comment, self._of(repository, int(number)))
                return 200, _page(list(own), query)
            case "POST", "issues", number, "comments":
                return self._comment(repository, int(number), json.loads(body))
            case "PATCH", "issues", "comments", name:
                return self._edit(int(name), json.loads(body))
            case _, "issues", number, "labels", *name:
                return self._label(repository, method, int(number), name, body)
        return None

    def comment(self, repository: str, number: int, text: str, *, login: str) -> Rest:
        """Somebody comments."""
        made = {
            "id": len(self.comments) + 1,
            "repository": repository,
            "number": number,
            "body": text,
            "user": {"login": login, "type": "Bot" if login.endswith("[bot]") else "User"},
        }
        self.comments.append(made)
        return made

    def _of(self, repository: FakeRepository, number: int) -> list[Rest]:
        own = repository.name, number
        return [each for each in self.comments if (each["repository"], each["number"]) == own]

    def _comment(self, repository: FakeRepository, number: int, body: Rest) -> Answer:
        if len(body["body"]) > _MOST_BODY:
            return 422, {"message": "body is too long (maximum is 65536 characters)"}
        self.writes += 1
        made = self.comment(repository.name, number, body["body"], login=self.login)
        return 201, shapes.comment(made)

    def _edit(self, name: int, body: Rest) -> Answer:
        held = next((each for each in self.comments if each["id"] == name), None)
        if held is None:
            return 404, {"message": "Not Found"}
        if held["user"]["login"] != self.login:
            return 403, {"message": "Resource not accessible by integration"}
        self.writes += 1
        held["body"] = body["body"]
        return 200, shapes.comment(held)

    def _label(
        self, repository: FakeRepository, method: str, number: int, name: list[str], body: bytes
    ) -> Answer | None:
        held = self.labels.setdefault((repository.name, number), [])
        if method == "POST":
            self.writes += 1
            held += [each for each in json.loads(body)["labels"] if each not in held]
        elif method == "DELETE":
            if unquote(name[0]) not in held:
                return 404, {"message": "Label does not exist"}
            self.writes += 1
            held.remove(unquote(name[0]))
        elif method != "GET":
            return None
        return 200, [shapes.label(repository.name, each) for each in held]


def _page(items: list[Any], query: dict[str, str]) -> list[Any]:
    size, number = int(query.get("per_page", 30)), int(query.get("page", 1))
    return items[(number - 1) * size : number * size]
