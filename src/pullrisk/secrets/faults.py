"""What Vault's refusals mean: a wait that helps, a login that helps, or something to fix."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pullrisk.errors import MissingExtraError, SecretsError
from pullrisk.redaction import REDACTOR


class VaultAwayError(SecretsError):
    """Vault is unreachable, sealed, not set up or overloaded: trying again may help."""


class DeniedError(SecretsError):
    """Vault does not accept the token, or its policies: a new login may help."""


def import_hvac() -> Any:  # noqa: ANN401  (hvac has no types)
    """The hvac module. Raises MissingExtraError if it is not installed."""
    try:
        import hvac
    except ImportError as error:
        raise MissingExtraError.of("hvac", "vault") from error
    return hvac


@contextmanager
def explained(
    doing: str, *, address: str, hint: str | Callable[[], str] | None = None
) -> Iterator[None]:
    """Turn what hvac raises into our errors, without the request, which holds the token.

    `doing` says what was tried ("read secret/mlops/x"), `hint` what to fix when Vault refuses;
    a callable is asked for it then.
    """
    errors = import_hvac().exceptions
    try:
        yield
    except OSError as error:
        fault: SecretsError = _unreachable(error, address)
    except errors.VaultDown as error:
        fault = _down(error, address)
    except (
        errors.VaultNotInitialized,
        errors.InternalServerError,
        errors.BadGateway,
        errors.RateLimitExceeded,
        errors.UnexpectedError,
    ) as error:
        fault = VaultAwayError(
            f"Vault at {address} could not {doing}: {told(error)}",
            hint="look at Vault's own log and status: bao status",
        )
    except (errors.Forbidden, errors.Unauthorized) as error:
        fault = DeniedError(f"Vault refused to {doing}: {told(error)}", hint=_asked(hint))
    except errors.VaultError as error:
        fault = SecretsError(f"Vault could not {doing}: {told(error)}", hint=_asked(hint))
    except (TypeError, KeyError, ValueError):
        fault = SecretsError(f"what answers at {address} is not Vault", hint="correct VAULT_ADDR")
    else:
        return
    raise fault from None


def _asked(hint: str | Callable[[], str] | None) -> str | None:
    return hint() if callable(hint) else hint


def told(error: Any) -> str:  # noqa: ANN401
    """What Vault said, in one line, masked."""
    said = "; ".join(error.errors or ()) or type(error).__name__
    return REDACTOR.text(" ".join(said.replace("1 error occurred:", "").replace("*", "").split()))


def _unreachable(error: Exception, address: str) -> SecretsError:
    import requests

    if isinstance(error, requests.exceptions.SSLError):
        return SecretsError(
            f"Vault at {address} has a certificate that is not trusted",
            hint="name its certificate authority's PEM file with VAULT_CACERT",
        )
    what = "did not answer in time" if "imed out" in str(error) else "cannot be reached"
    return VaultAwayError(
        f"Vault at {address} {what}",
        hint="check VAULT_ADDR, the network policy, and that Vault runs",
    )


def _down(error: Any, address: str) -> SecretsError:  # noqa: ANN401
    if "sealed" in told(error).lower():
        return VaultAwayError(
            f"Vault at {address} is sealed", hint="unseal it: bao operator unseal"
        )
    return VaultAwayError(
        f"Vault at {address} is not ready: {told(error)}", hint="look at it with: bao status"
    )
