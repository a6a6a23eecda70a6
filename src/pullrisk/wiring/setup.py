"""From settings to /setup: the GitHub to ask, and where the new App's secrets are kept."""

import json
import os
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pullrisk import atomic
from pullrisk.errors import SecretsError
from pullrisk.settings import Settings

if TYPE_CHECKING:
    import httpx

    from pullrisk.secrets.config import VaultConfig
    from pullrisk.serve.sign_in.app_manifest import MadeApp
    from pullrisk.serve.sign_in.session import Sessions
    from pullrisk.serve.sign_in.setup import Setup

FILE: Final = "github-app.toml"
_FETCH: Final = ("github_app_id", "github_app_key")


def make_setup(
    settings: Settings, stage: str, *, sessions: "Sessions", http: "httpx.AsyncClient"
) -> "Setup":
    """What /setup needs. Raises SettingsError."""
    from pullrisk.fetch.github.endpoint import endpoint
    from pullrisk.secrets.config import vault_config
    from pullrisk.serve.sign_in.github import GitHubAddresses
    from pullrisk.serve.sign_in.setup import Setup

    server = endpoint(settings.github_url)
    file = FileKeeper((settings.home / FILE).absolute())
    config = vault_config(os.environ, stage)
    return Setup(
        GitHubAddresses(server.web, server.rest, server.graphql),
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
        from pullrisk.secrets.operator import OperatorVault

        with closing(OperatorVault(self._config, token)) as vault:
            vault.check((self._serving, self._fetch))

    def keep(self, app: "MadeApp", token: str) -> str:
        """Write both. Raises OSError if neither Vault nor the file takes them."""
        from pullrisk.secrets.operator import OperatorVault

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
