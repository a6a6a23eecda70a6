"""What Vault's refusals mean: waiting helps, a new login helps, or somebody has to fix it."""

import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from pullrisk.errors import SecretsError, needs_extra
from pullrisk.redaction import REDACTOR
from pullrisk.secrets.config import VaultConfig

_LOG: Final = logging.getLogger(__name__)


class VaultAwayError(SecretsError):
    """Vault is unreachable, sealed, not set up or overloaded: trying again may help."""


class DeniedError(SecretsError):
    """Vault does not accept the token, or its policies: a new login may help."""


def import_hvac() -> Any:  # noqa: ANN401  (hvac has no types)
    """Return the hvac module. Raises MissingExtraError if it is not installed."""
    with needs_extra("vault"):
        import hvac
    return hvac


def open_client(config: VaultConfig, token: str) -> Any:  # noqa: ANN401
    """hvac's client with this token. Raises MissingExtraError without hvac."""
    REDACTOR.learn(token)
    return import_hvac().Client(
        url=config.address,
        token=token,
        verify=str(config.ca_file) if config.ca_file else True,
        timeout=config.timeout,
        namespace=config.namespace,
    )


@contextmanager
def translate_errors(
    action: str, *, address: str, hint: str | Callable[[], str] | None = None
) -> Iterator[None]:
    """Raise SecretsError for what hvac raises, without the request, which holds the token.

    `action` says what was tried ("read secret/mlops/x"), `hint` what to fix if Vault refuses;
    a callable hint is only called then.
    """
    errors = import_hvac().exceptions
    try:
        yield
    except OSError as error:
        translated: SecretsError = _unreachable(error, address)
    except errors.VaultDown as error:
        translated = _down(error, address)
    except (
        errors.VaultNotInitialized,
        errors.InternalServerError,
        errors.BadGateway,
        errors.RateLimitExceeded,
        errors.UnexpectedError,
    ) as error:
        translated = VaultAwayError(
            f"Vault at {address} could not {action}: {message_of(error)}",
            hint="look at Vault's own log and status: bao status",
        )
    except (errors.Forbidden, errors.Unauthorized) as error:
        translated = DeniedError(
            f"Vault refused to {action}: {message_of(error)}", hint=_text_of(hint)
        )
    except errors.VaultError as error:
        translated = SecretsError(
            f"Vault could not {action}: {message_of(error)}", hint=_text_of(hint)
        )
    except (TypeError, KeyError, ValueError):
        translated = SecretsError(
            f"what answers at {address} is not Vault", hint="correct VAULT_ADDR"
        )
    else:
        return
    raise translated from None


def message_of(error: Any) -> str:  # noqa: ANN401
    """Vault's own message on one line, credentials masked."""
    message = "; ".join(error.errors or ()) or type(error).__name__
    plain = message.replace("1 error occurred:", "").replace("*", "")
    return REDACTOR.text(" ".join(plain.split()))


@dataclass
class Backoff:
    """Seconds to wait after each failure: doubled, with a random part, up to `longest`."""

    shortest: float = 0.25
    longest: float = 10.0
    failures: int = 0

    def next(self) -> float:
        """Count one more failure and return the seconds to wait after it."""
        delay = min(self.longest, self.shortest * 2.0 ** min(self.failures, 30))
        self.failures += 1
        return delay * random.uniform(0.75, 1.0)

    def reset(self) -> None:
        """Start again at the shortest wait, after a success."""
        self.failures = 0


def retry_while_away(work: Callable[[], None], *, seconds: float) -> None:
    """Call `work` until it succeeds, while Vault is away, for at most so many seconds.

    Says so once, at the first failure. Raises the last VaultAwayError when the time is over, and
    any other error at once.
    """
    backoff, end = Backoff(), time.monotonic() + seconds
    while True:
        try:
            work()
        except VaultAwayError as error:
            wait = backoff.next()
            if time.monotonic() + wait > end:
                raise VaultAwayError(
                    f"{error.args[0]}; gave up after {seconds:g} s and {backoff.failures} tries",
                    hint=error.hint,
                ) from None
            if backoff.failures == 1:
                _LOG.warning("%s; waiting for it, at most %g s", error.args[0], seconds)
            time.sleep(wait)
        else:
            return


def _text_of(hint: str | Callable[[], str] | None) -> str | None:
    return hint() if callable(hint) else hint


def _unreachable(error: Exception, address: str) -> SecretsError:
    import requests

    if isinstance(error, requests.exceptions.SSLError):
        return SecretsError(
            f"Vault at {address} has a certificate that is not trusted",
            hint="name its certificate authority's PEM file with VAULT_CACERT",
        )
    problem = "did not answer in time" if "imed out" in str(error) else "cannot be reached"
    return VaultAwayError(
        f"Vault at {address} {problem}",
        hint="check VAULT_ADDR, the network policy, and that Vault runs",
    )


def _down(error: Any, address: str) -> SecretsError:  # noqa: ANN401
    if "sealed" in message_of(error).lower():
        return VaultAwayError(
            f"Vault at {address} is sealed", hint="unseal it: bao operator unseal"
        )
    return VaultAwayError(
        f"Vault at {address} is not ready: {message_of(error)}",
        hint="look at it with: bao status",
    )
