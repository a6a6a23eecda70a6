"""Answers of GitHub's REST API with all that its description requires, made of what is known."""

from typing import Any

from fake_github.world import Rest

API = "https://api.github.com"
WEB = "https://github.com"
MOMENT = "2026-01-01T00:00:00Z"
_USER_PARTS = (
    "events", "followers", "following", "gists", "organizations", "received_events", "repos",
    "starred", "subscriptions",
)  # fmt: skip


def user(login: str) -> Rest:
    """An account."""
    url = f"{API}/users/{login}"
    return {
        "login": login,
        "id": 1,
        "node_id": "U_1",
        "avatar_url": f"{WEB}/{login}.png",
        "gravatar_id": "",
        "url": url,
        "html_url": f"{WEB}/{login}",
        "type": "Bot" if login.endswith("[bot]") else "User",
        "site_admin": False,
        **{f"{part}_url": f"{url}/{part}" for part in _USER_PARTS},
    }


def app(number: int) -> Rest:
    """A GitHub App."""
    return {
        "id": number,
        "slug": "pullrisk",
        "node_id": "A_1",
        "owner": user("acme"),
        "name": "pullrisk",
        "description": None,
        "external_url": "https://pullrisk.example.org",
        "html_url": f"{WEB}/apps/pullrisk",
        "created_at": MOMENT,
        "updated_at": MOMENT,
        "permissions": {"checks": "write"},
        "events": ["pull_request"],
    }


def check_run(run: Rest) -> Rest:
    """A check run; its annotations are counted, not told."""
    url, output = f"{API}/repos/{run['repository']}/check-runs/{run['id']}", run["output"]
    annotations = output.get("annotations", [])
    return {
        "node_id": "CR_1",
        "url": url,
        "html_url": f"{WEB}/{run['repository']}/runs/{run['id']}",
        "details_url": None,
        "started_at": MOMENT,
        "completed_at": MOMENT,
        "check_suite": {"id": 1},
        "app": app(1),
        "pull_requests": [],
        **run,
        "output": {
            "title": output.get("title"),
            "summary": output.get("summary"),
            "text": None,
            "annotations_count": len(annotations),
            "annotations_url": f"{url}/annotations",
        },
    }


def comment(made: Rest) -> Rest:
    """A comment of an issue or a pull."""
    repository, name = made["repository"], made["id"]
    return {
        **made,
        "node_id": f"IC_{name}",
        "url": f"{API}/repos/{repository}/issues/comments/{name}",
        "html_url": f"{WEB}/{repository}/pull/{made['number']}#issuecomment-{name}",
        "issue_url": f"{API}/repos/{repository}/issues/{made['number']}",
        "user": user(made["user"]["login"]),
        "created_at": MOMENT,
        "updated_at": MOMENT,
    }


def label(repository: str, name: str) -> Rest:
    """A label."""
    return {
        "id": 1,
        "node_id": "LA_1",
        "url": f"{API}/repos/{repository}/labels/{name}",
        "name": name,
        "description": None,
        "color": "ededed",
        "default": False,
    }


def reaction(content: str, login: str) -> Rest:
    """A reaction to a comment."""
    return {
        "id": 1, "node_id": "RE_1", "user": user(login), "content": content, "created_at": MOMENT,
    }  # fmt: skip


def permission(login: str, held: str) -> dict[str, Any]:
    """What a person may do in a repository; `permission` knows neither triage nor maintain."""
    known = {"maintain": "write", "triage": "read"}.get(held, held)
    return {
        "permission": known, "role_name": held, "user": {**user(login), "role_name": held},
    }  # fmt: skip
