"""Which of GitHub's real payloads are queued, and about what."""

import json
from typing import Any

import pytest

from pullrisk.serve.webhook_events import (
    INSTALLATION_EVENTS,
    PULL_ACTIONS,
    REPOSITORY_ACTIONS,
    command_of,
    decode,
    subject_of,
)
from support.app import EXAMPLES, INSTALLATION


def examples() -> list[tuple[str, dict[str, Any]]]:
    """Every real payload with its event, as an App gets it."""
    if not EXAMPLES.exists():
        return []
    return [
        (event["name"], {**example, "installation": {"id": INSTALLATION}})
        for event in json.loads(EXAMPLES.read_text())
        for example in event["examples"]
    ]


def expected(event: str, payload: dict[str, Any]) -> str | None:
    """The subject, from the documentation of the events."""
    action = payload.get("action")
    repository = payload.get("repository", {}).get("id")
    if event in INSTALLATION_EVENTS:
        return f"installation:{INSTALLATION}"
    if event == "repository" and action in REPOSITORY_ACTIONS:
        return f"repository:{repository}"
    if event == "merge_group" and action == "checks_requested":
        return f"merge_group:{repository}:{payload['merge_group']['head_sha']}"
    if event == "pull_request" and action in PULL_ACTIONS:
        return f"pull:{repository}:{payload['pull_request']['number']}"
    return None


@pytest.mark.skipif(not EXAMPLES.exists(), reason="npm has not installed the payloads: make")
def test_real_payloads_are_queued_by_what_they_are_about() -> None:
    subjects = set()
    for event, payload in examples():
        subject = subject_of(event, decode(json.dumps(payload).encode()))
        assert subject == expected(event, payload), (event, payload.get("action"))
        subjects.add((subject or "nothing").partition(":")[0])
    assert subjects >= {"pull", "installation", "repository", "nothing"}


def test_without_an_installation_nothing_is_queued() -> None:
    payload = {"action": "opened", "repository": {"id": 1, "full_name": "o/r"}}
    body = json.dumps({**payload, "pull_request": {"number": 1}}).encode()
    assert subject_of("pull_request", decode(body)) is None


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("/pullrisk wrong", "wrong"),
        ("  /PullRisk  Missed because", "missed"),
        ("/pullrisk", ""),
        ("/pullrisks wrong", None),
        ("see /pullrisk wrong", None),
        ("", None),
        (None, None),
    ],
)
def test_a_comment_is_a_command_if_it_begins_so(text: str | None, word: str | None) -> None:
    assert command_of(text) == word
