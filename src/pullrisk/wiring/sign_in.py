"""From settings to the ways to sign in to the service."""

from pathlib import Path
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Final

from pullrisk.errors import SettingsError
from pullrisk.settings import Settings

if TYPE_CHECKING:
    import httpx

    from pullrisk.pulls.store import PullStore
    from pullrisk.serve.sign_in.access import SignIn
    from pullrisk.serve.sign_in.github import GitHubOAuth, Known
    from pullrisk.serve.sign_in.oidc import OpenIdProvider
    from pullrisk.wiring.provision import Current

_SHORTEST_KEY: Final = 32
KEY_FILE: Final = "session-key"


def make_sign_in(current: "Current", shared: Path) -> "SignIn":
    """The ways to sign in that the settings name; by an API key always.

    `shared` is the folder of all workers. Raises SettingsError for half a provider.
    """
    from pullrisk.fetch.github.endpoint import endpoint
    from pullrisk.serve.sign_in.access import SignIn
    from pullrisk.serve.sign_in.provider import open_http
    from pullrisk.serve.sign_in.session import Sessions

    settings = current.settings
    refuse_half(settings)
    options = settings.sign_in
    secure = options.url is None or options.url.startswith("https:")
    made = (shared / KEY_FILE).read_text()
    sessions = Sessions(
        lambda: _session_key(current.settings) or made,
        hours=options.hours,
        secure=secure and not (options.url is None and settings.serve.loopback),
    )
    http = open_http()
    host = endpoint(settings.github_url).host
    return SignIn(
        options,
        sessions,
        http=http,
        read_known=lambda store: known_repositories(store, host),
        github=_github(current, http),
        oidc=_oidc(current, http),
    )


def refuse_half(settings: Settings) -> None:
    """Raise SettingsError for a way to sign in that lacks a part, or a key that is too short."""
    options = settings.sign_in
    named = {
        "github_client_id": settings.github_client_id,
        "github_client_secret": settings.github_client_secret,
        "sign_in.oidc_issuer": options.oidc_issuer,
        "sign_in.oidc_client_id": options.oidc_client_id,
        "oidc_client_secret": settings.oidc_client_secret,
    }
    for way in ("github", "oidc"):
        own = {name: value for name, value in named.items() if way in name}
        absent = [name for name, value in own.items() if value is None]
        if absent and len(absent) < len(own):
            raise SettingsError(
                f"who signs in by {way} needs {', '.join(absent)} too", hint="see docs/serve.md"
            )
        if not absent and options.url is None:
            raise SettingsError(
                f"people sign in by {way}, and sign_in.url is not set",
                hint="set it to the address at which browsers reach the service: https://HOST",
            )
    key = settings.session_key
    if key is not None and len(key.get_secret_value().strip()) < _SHORTEST_KEY:
        raise SettingsError(
            f"session_key has fewer than {_SHORTEST_KEY} characters", hint="openssl rand -hex 32"
        )


def known_repositories(store: "PullStore", host: str) -> "Known":
    """The stored repositories, with GitHub's numbers of those that were fetched from `host`."""
    prefix = f"github:{host}:"
    numbers = {
        key.removeprefix(prefix): saved.get("repository_id")
        for key, saved in store.checkpoints().items()
        if key.startswith(prefix)
    }
    known: dict[str, int | None] = {}
    for summary in store.repositories():
        number = numbers.get(summary.repository.lower())
        known[summary.repository] = number if isinstance(number, int) else None
    return known


def _session_key(settings: Settings) -> str | None:
    key = settings.session_key
    return None if key is None else key.get_secret_value().strip()


def write_session_key(shared: Path) -> None:
    """Make a key for the workers of this start, which only this user can read."""
    file = shared / KEY_FILE
    file.touch(mode=0o600)
    file.write_text(token_urlsafe(48))


def _github(current: "Current", http: "httpx.AsyncClient") -> "GitHubOAuth | None":
    from pullrisk.fetch.github.endpoint import endpoint
    from pullrisk.serve.sign_in.github import GitHubAddresses, GitHubOAuth

    if current.settings.github_client_secret is None:
        return None

    def client() -> tuple[str, str]:
        secret = current.settings.github_client_secret
        return current.settings.github_client_id or "", secret.get_secret_value() if secret else ""

    server = endpoint(current.settings.github_url)
    return GitHubOAuth(GitHubAddresses(server.web, server.rest, server.graphql), client, http)


def _oidc(current: "Current", http: "httpx.AsyncClient") -> "OpenIdProvider | None":
    from pullrisk.serve.sign_in.oidc import OpenIdProvider

    if current.settings.oidc_client_secret is None:
        return None

    def secret() -> str:
        value = current.settings.oidc_client_secret
        return value.get_secret_value() if value else ""

    return OpenIdProvider(current.settings.sign_in, secret=secret, http=http)
