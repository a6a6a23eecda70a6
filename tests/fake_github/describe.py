"""Makes openapi.json of GitHub's own description of its REST API, as npm has it.

    npm install --prefix /tmp/octokit @octokit/openapi@23.0.2
    PYTHONPATH=tests python -m fake_github.describe /tmp/octokit

The package holds 385 MB. What is kept are the queries, bodies and answers of some routes, without
texts, as JSON Schema: OpenAPI 3.0 says `nullable` where that says `null`.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fake_github.openapi import DESCRIPTION

SOURCE = "node_modules/@octokit/openapi/generated/api.github.com.json"
REQUESTS = (
    "GET /repos/{owner}/{repo}",
    "GET /repos/{owner}/{repo}/pulls",
    "GET /repos/{owner}/{repo}/pulls/{pull_number}",
    "GET /repos/{owner}/{repo}/pulls/{pull_number}/files",
    "GET /repos/{owner}/{repo}/contents/{path}",
    "GET /repos/{owner}/{repo}/compare/{basehead}",
    "GET /installation/repositories",
    "GET /app/installations",
    "GET /user",
)
"""Routes of which the answers are not kept: the fake's are records of pulls, made for GraphQL."""
ROUTES = (
    "POST /repos/{owner}/{repo}/check-runs",
    "PATCH /repos/{owner}/{repo}/check-runs/{check_run_id}",
    "GET /repos/{owner}/{repo}/commits/{ref}/check-runs",
    "GET /repos/{owner}/{repo}/issues/{issue_number}/comments",
    "POST /repos/{owner}/{repo}/issues/{issue_number}/comments",
    "PATCH /repos/{owner}/{repo}/issues/comments/{comment_id}",
    "POST /repos/{owner}/{repo}/issues/comments/{comment_id}/reactions",
    "GET /repos/{owner}/{repo}/issues/{issue_number}/labels",
    "POST /repos/{owner}/{repo}/issues/{issue_number}/labels",
    "DELETE /repos/{owner}/{repo}/issues/{issue_number}/labels/{name}",
    "GET /repos/{owner}/{repo}/collaborators/{username}/permission",
    "GET /app",
    "POST /app/installations/{installation_id}/access_tokens",
)
_TEXTS = ("description", "example", "examples", "title", "externalDocs", "x-github", "deprecated")
_SHARED = "#/components/schemas/"


class Description:
    """The part of the whole that is kept, gathered route by route."""

    def __init__(self, whole: dict[str, Any]) -> None:
        self._whole = whole
        self.routes: dict[str, Any] = {}
        self.shared: dict[str, Any] = {}

    def add(self, route: str, *, answers: bool) -> None:
        """Keep a route."""
        method, path = route.split(" ")
        described = self._whole["paths"][path][method.lower()]
        self.routes[route] = {
            "query": dict(self._query(described)),
            "body": self._content(described.get("requestBody", {})),
            "answers": dict(self._answers(described)) if answers else {},
        }

    def _query(self, described: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        for parameter in map(self._resolved, described.get("parameters", [])):
            if parameter["in"] == "query":
                yield parameter["name"], self._plain(parameter["schema"])

    def _answers(self, described: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        for status, answer in described["responses"].items():
            schema = self._content(self._resolved(answer))
            if status.startswith("2") and schema is not None:
                yield status, schema

    def _content(self, part: dict[str, Any]) -> Any:
        content = part.get("content", {}).get("application/json")
        return None if content is None else self._plain(content["schema"])

    def _resolved(self, part: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in part:
            found: Any = self._whole
            for step in part["$ref"].removeprefix("#/").split("/"):
                found = found[step]
            part = found
        return part

    def _plain(self, schema: Any) -> Any:
        """JSON Schema without texts; what it refers to is kept once."""
        if isinstance(schema, list):
            return [self._plain(each) for each in schema]
        if not isinstance(schema, dict):
            return schema
        if "$ref" in schema:
            return {"$ref": f"#/$defs/{self._share(schema['$ref'].removeprefix(_SHARED))}"}
        kept = {
            key: {name: self._plain(each) for name, each in value.items()}
            if key == "properties"
            else self._plain(value)
            for key, value in schema.items()
            if key not in (*_TEXTS, "nullable")
        }
        return {"anyOf": [kept, {"type": "null"}]} if schema.get("nullable") else kept

    def _share(self, name: str) -> str:
        if name not in self.shared:
            self.shared[name] = {}  # a schema may hold itself
            self.shared[name] = self._plain(self._whole["components"]["schemas"][name])
        return name


def main() -> None:
    """Write the file."""
    whole = json.loads((Path(sys.argv[1]) / SOURCE).read_text(encoding="utf-8"))
    made = Description(whole)
    for route in REQUESTS:
        made.add(route, answers=False)
    for route in ROUTES:
        made.add(route, answers=True)
    text = json.dumps({"routes": made.routes, "$defs": made.shared}, separators=(",", ":"))
    DESCRIPTION.write_text(text.replace('},"', '},\n"') + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
