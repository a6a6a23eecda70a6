"""The registry's token: from Vault, for this job's OIDC identity; stored nowhere on GitHub."""

from os import environ

from delivery.errors import AwayError, InputError


def registry_token() -> str:
    """CI's `registry_token`, read as the role `ci` (vault/roles/jwt/ci.json).

    Raises InputError without VAULT_ADDR, AwayError if Vault cannot be reached or refuses.
    """
    from pullrisk.errors import PullriskError
    from pullrisk.secrets import open_secrets

    if not environ.get("VAULT_ADDR"):
        raise InputError("VAULT_ADDR is not set", hint="it is a variable of the GitHub environment")
    try:
        secrets = open_secrets("ci")
        try:
            return secrets.snapshot().values["registry_token"].get_secret_value()
        finally:
            secrets.close()
    except PullriskError as error:
        raise AwayError(str(error.args[0]), hint=error.hint) from None
