"""Tells the redactor what it must mask."""

from collections.abc import Mapping

from pydantic import SecretStr

from pullrisk.redaction import Redactor
from pullrisk.secrets.names import SECRETS
from pullrisk.secrets.port import several


def learn(values: Mapping[str, SecretStr], redactor: Redactor) -> None:
    """Mask these from now on, except what is only an address without a password in it."""
    for name, value in values.items():
        bare = value.get_secret_value()
        if name in SECRETS and SECRETS[name].address and "@" not in bare:
            continue
        redactor.learn(bare)
        if name == "api_keys":
            for key in several(value):
                redactor.learn(key)
