"""The fake GitHub refuses what GitHub does not describe, and answers as it describes."""

import json
from typing import Any

import pytest

from fake_github import shapes
from fake_github.openapi import UndescribedError, check_answer, check_request

RUN = {
    "id": 1, "repository": "o/r", "head_sha": "a" * 40, "name": "pullrisk", "external_id": "x",
    "status": "completed", "conclusion": "neutral", "output": {},
}  # fmt: skip
COMMENT = {
    "id": 1, "repository": "o/r", "number": 2, "body": "text", "user": {"login": "pullrisk[bot]"},
}  # fmt: skip
ANSWERS: list[tuple[str, str, int, Any]] = [
    ("PATCH", "/repos/o/r/check-runs/1", 200, shapes.check_run(RUN)),
    ("POST", "/repos/o/r/issues/2/comments", 201, shapes.comment(COMMENT)),
    ("GET", "/repos/o/r/issues/2/labels", 200, [shapes.label("o/r", "bug")]),
    ("POST", "/repos/o/r/issues/comments/1/reactions", 201, shapes.reaction("+1", "mara")),
    ("GET", "/repos/o/r/collaborators/mara/permission", 200, shapes.permission("mara", "write")),
    ("GET", "/app", 200, shapes.app(4711)),
    ("POST", "/app/installations/77/access_tokens", 201, {"token": "t", "expires_at": "2026"}),
]


@pytest.mark.parametrize(("method", "path", "status", "value"), ANSWERS)
def test_answers_are_as_described_and_no_required_part_may_be_missing(
    method: str, path: str, status: int, value: Any
) -> None:
    check_answer(method, path, status, value)
    part = value[0] if isinstance(value, list) else value
    required = next(name for name in ("role_name", "expires_at", "node_id") if name in part)
    damaged = {key: each for key, each in part.items() if key != required}
    with pytest.raises(UndescribedError, match=required):
        check_answer(method, path, status, [damaged] if isinstance(value, list) else damaged)
    with pytest.raises(UndescribedError, match="is not answered by 202"):
        check_answer(method, path, 202, value)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/repos/o/r/check-runs", {"name": "pullrisk"}),
        ("/repos/o/r/check-runs", {"name": "p", "head_sha": "a", "conclusion": "good"}),
        ("/repos/o/r/check-runs", {"name": "p", "head_sha": "a", "output": {"title": "t"}}),
        ("/repos/o/r/issues/2/comments", {"text": "body is missing"}),
        ("/repos/o/r/issues/comments/1/reactions", {"content": "shrug"}),
    ],
)
def test_what_github_would_refuse_is_refused(path: str, body: dict[str, Any]) -> None:
    with pytest.raises(UndescribedError):
        check_request("POST", path, {}, json.dumps(body).encode())


def test_more_than_50_annotations_are_refused() -> None:
    note = {
        "path": "a.py", "start_line": 1, "end_line": 1, "annotation_level": "notice", "message": "m"
    }  # fmt: skip
    output = {"title": "t", "summary": "s", "annotations": [note] * 51}
    body = json.dumps({"name": "p", "head_sha": "a" * 40, "output": output}).encode()
    with pytest.raises(UndescribedError):
        check_request("POST", "/repos/o/r/check-runs", {}, body)


def test_a_parameter_that_github_does_not_know_is_refused() -> None:
    with pytest.raises(UndescribedError, match="no parameter"):
        check_request("GET", "/repos/o/r/contents/.github/pullrisk.yml", {"branch": "main"}, b"")
