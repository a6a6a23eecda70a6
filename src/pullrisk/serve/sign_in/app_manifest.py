"""The manifest that GitHub makes the App from, and the secrets that it gives for it, once.

Source: docs.github.com, "Registering a GitHub App from a manifest".
"""

from typing import Any, Final

import httpx
import msgspec

from pullrisk.serve.sign_in.github import GitHubAddresses
from pullrisk.serve.sign_in.provider import SignInError, ask, decoded

_PERMISSIONS: Final = {
    "checks": "write",
    "contents": "read",
    "issues": "read",
    "merge_queues": "read",
    "metadata": "read",
    "pull_requests": "write",
}
_EVENTS: Final = ("pull_request", "issue_comment", "merge_group", "repository")


class MadeApp(msgspec.Struct, frozen=True):
    """An App that GitHub has made; `html_url` is its page there."""

    id: int
    html_url: str
    client_id: str
    client_secret: str
    webhook_secret: str
    pem: str

    def __repr__(self) -> str:
        return f"MadeApp({self.id})"

    def secrets(self) -> dict[str, str]:
        """Its secrets by their names; data-fetch needs the first two, serving all."""
        return {
            "github_app_id": str(self.id),
            "github_app_key": self.pem,
            "github_webhook_secret": self.webhook_secret,
            "github_client_id": self.client_id,
            "github_client_secret": self.client_secret,
        }


def manifest(*, hook: str, pages: str, here: str) -> dict[str, Any]:
    """What to post to GitHub: the service gets webhooks at `hook`, people use it at `pages`, and
    the browser comes back to `here`; all are addresses without a path.
    """
    return {
        "name": "pullrisk",
        "url": pages,
        "redirect_url": f"{here}/setup/callback",
        "callback_urls": [f"{pages}/sign-in/github/callback"],
        "hook_attributes": {"url": f"{hook}/webhooks/github", "active": True},
        "public": False,
        "default_permissions": _PERMISSIONS,
        "default_events": list(_EVENTS),
    }


def form_address(web: str, organization: str, state: str) -> str:
    """Where the form with the manifest goes; an empty organization means the person's own."""
    owner = f"organizations/{organization}/" if organization else ""
    return f"{web}/{owner}settings/apps/new?state={state}"


async def exchange(code: str, addresses: GitHubAddresses, http: httpx.AsyncClient) -> MadeApp:
    """The App of a code, which works once. Raises SignInError."""
    answer = await ask(http, "POST", f"{addresses.rest}/app-manifests/{code}/conversions")
    if not answer.is_success:
        status = answer.status_code
        raise SignInError(f"GitHub answers {status}: the code is too old, or was used.")
    return decoded(answer, MadeApp)
