"""Tells the redactor what it must mask."""

from collections.abc import Mapping

from pydantic import SecretStr

from pullrisk.redaction import Redactor
from pullrisk.secrets.names import SECRETS
from pullrisk.secrets.port import several


def is_credential(name: str, value: SecretStr) -> bool:
    """Whether the value has to stay unseen: not an address without a user in it."""
    return not SECRETS[name].address or "@" in value.get_secret_value()


def learn(values: Mapping[str, SecretStr], redactor: Redactor) -> None:
    """Mask the credentials among these from now on."""
    for name, value in values.items():
        if not is_credential(name, value):
            continue
        redactor.learn(value.get_secret_value())
        if name in ("api_keys", "github_token"):
            for key in several(value):
                redactor.learn(key)
