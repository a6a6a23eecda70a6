"""From settings to the ways to sign in to the service, and to /setup, which makes its App."""

import json
import os
from contextlib import closing
from pathlib import Path
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Final

from pullrisk import atomic
from pullrisk.errors import SecretsError, SettingsError
from pullrisk.settings import Settings

if TYPE_CHECKING:
    import httpx

    from pullrisk.pulls.store import PullStore
    from pullrisk.secrets.config import VaultConfig
    from pullrisk.serve.sign_in.access import SignIn
    from pullrisk.serve.sign_in.app_manifest import MadeApp
    from pullrisk.serve.sign_in.github import GitHubAddresses, GitHubOAuth, KnownRepositories
    from pullrisk.serve.sign_in.oidc import OpenIdProvider
    from pullrisk.serve.sign_in.session import Sessions
    from pullrisk.serve.sign_in.setup import Setup
    from pullrisk.wiring.provision import Current

_SHORTEST_KEY: Final = 32
KEY_FILE: Final = "session-key"
FILE: Final = "github-app.toml"
_FETCH: Final = ("github_app_id", "github_app_key")


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
    start_key = (shared / KEY_FILE).read_text()
    sessions = Sessions(
        lambda: _session_key(current.settings) or start_key,
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
    parts = {
        "github_client_id": settings.github_client_id,
        "github_client_secret": settings.github_client_secret,
        "sign_in.oidc_issuer": options.oidc_issuer,
        "sign_in.oidc_client_id": options.oidc_client_id,
        "oidc_client_secret": settings.oidc_client_secret,
    }
    for method in ("github", "oidc"):
        of_method = {name: value for name, value in parts.items() if method in name}
        absent = [name for name, value in of_method.items() if value is None]
        if absent and len(absent) < len(of_method):
            raise SettingsError(
                f"who signs in by {method} needs {', '.join(absent)} too", hint="see docs/serve.md"
            )
        if not absent and options.url is None:
            raise SettingsError(
                f"people sign in by {method}, and sign_in.url is not set",
                hint="set it to the address at which browsers reach the service: https://HOST",
            )
    key = settings.session_key
    if key is not None and len(key.get_secret_value().strip()) < _SHORTEST_KEY:
        raise SettingsError(
            f"session_key has fewer than {_SHORTEST_KEY} characters", hint="openssl rand -hex 32"
        )


def known_repositories(store: "PullStore", host: str) -> "KnownRepositories":
    """The stored repositories, with GitHub's numbers of those that were fetched from `host`."""
    prefix = f"github:{host}:"
    numbers = {
        key.removeprefix(prefix): saved.get("repository_id")
        for key, saved in store.checkpoints().items()
        if key.startswith(prefix)
    }
    repositories: dict[str, int | None] = {}
    for summary in store.repositories():
        number = numbers.get(summary.repository.lower())
        repositories[summary.repository] = number if isinstance(number, int) else None
    return repositories


def _session_key(settings: Settings) -> str | None:
    key = settings.session_key
    return None if key is None else key.get_secret_value().strip()


def write_session_key(shared: Path) -> None:
    """Make a key for the workers of this start, which only this user can read."""
    file = shared / KEY_FILE
    file.touch(mode=0o600)
    file.write_text(token_urlsafe(48))


def _github(current: "Current", http: "httpx.AsyncClient") -> "GitHubOAuth | None":
    from pullrisk.serve.sign_in.github import GitHubOAuth

    if current.settings.github_client_secret is None:
        return None

    def client() -> tuple[str, str]:
        secret = current.settings.github_client_secret
        return current.settings.github_client_id or "", secret.get_secret_value() if secret else ""

    return GitHubOAuth(_addresses(current.settings), client, http)


def _addresses(settings: Settings) -> "GitHubAddresses":
    from pullrisk.fetch.github.endpoint import endpoint
    from pullrisk.serve.sign_in.github import GitHubAddresses

    server = endpoint(settings.github_url)
    return GitHubAddresses(server.web, server.rest, server.graphql)


def _oidc(current: "Current", http: "httpx.AsyncClient") -> "OpenIdProvider | None":
    from pullrisk.serve.sign_in.oidc import OpenIdProvider

    if current.settings.oidc_client_secret is None:
        return None

    def secret() -> str:
        value = current.settings.oidc_client_secret
        return value.get_secret_value() if value else ""

    return OpenIdProvider(current.settings.sign_in, secret=secret, http=http)


def make_setup(
    settings: Settings, stage: str, *, sessions: "Sessions", http: "httpx.AsyncClient"
) -> "Setup":
    """What /setup needs. Raises SettingsError."""
    from pullrisk.secrets.config import vault_config
    from pullrisk.serve.sign_in.setup import Setup

    file = FileKeeper((settings.home / FILE).absolute())
    config = vault_config(os.environ, stage)
    return Setup(
        _addresses(settings),
        file if config is None else VaultKeeper(config, file),
        http,
        sessions,
        settings.sign_in.url,
    )


class FileKeeper:
    """Keeps the App's secrets in a file of settings that only its owner can read."""

    in_vault = False

    def __init__(self, file: Path) -> None:
        self._file = file

    def check(self, token: str) -> None:
        """Nothing can be known before."""

    def keep(self, app: "MadeApp", token: str) -> str:
        """Write the file. Raises OSError."""
        lines = [f"{name} = {json.dumps(value)}" for name, value in app.secrets().items()]
        with atomic.replacing(self._file) as draft:
            os.fchmod(draft.fileno(), 0o600)
            draft.write("".join(f"{line}\n" for line in lines).encode())
        return (
            f"Its secrets are in {self._file}, which only you can read. Start the service anew: "
            f"pullrisk --config {self._file} serve."
        )


class VaultKeeper:
    """Keeps them below the paths of data-fetch and of serving; in a file if Vault refuses then."""

    in_vault = True

    def __init__(self, config: "VaultConfig", file: FileKeeper) -> None:
        folder, _, _ = config.path.rpartition("/")
        self._config, self._file = config, file
        self._serving, self._fetch = config.path, f"{folder}/data-fetch".lstrip("/")

    def check(self, token: str) -> None:
        """Raise SecretsError if the token may not write both."""
        from pullrisk.secrets.kv import OperatorVault

        with closing(OperatorVault(self._config, token)) as vault:
            vault.check((self._serving, self._fetch))

    def keep(self, app: "MadeApp", token: str) -> str:
        """Write both. Raises OSError if neither Vault nor the file takes them."""
        from pullrisk.secrets.kv import OperatorVault

        values = app.secrets()
        try:
            with closing(OperatorVault(self._config, token)) as vault:
                vault.merge(self._serving, values)
                vault.merge(self._fetch, {name: values[name] for name in _FETCH})
        except SecretsError as error:
            return f"{error.args[0]}. {self._file.keep(app, token)} Move them to Vault by hand."
        return (
            f"Its secrets are in Vault, at {self._serving} and {self._fetch}. Restart the service: "
            "kubectl argo rollouts restart model-serving."
        )
