"""How this process proves itself to an MLflow server, without a variable that children inherit."""

import os
from dataclasses import dataclass
from typing import Any, Final

from pydantic import SecretStr

NAME: Final = "pullrisk"
_VARIABLE: Final = "MLFLOW_TRACKING_AUTH"


@dataclass(frozen=True, slots=True)
class MlflowLogin:
    """A user with a password, or a bearer token."""

    username: str | None = None
    password: SecretStr | None = None
    token: SecretStr | None = None


def authenticate(login: MlflowLogin) -> None:
    """Send this login with every request of MLflow from now on.

    MLflow's own variables for passwords would be inherited by every child process; this one
    names a provider of credentials, which is registered here, and holds none.
    """
    from mlflow.tracking.request_auth import registry
    from mlflow.tracking.request_auth.abstract_request_auth_provider import RequestAuthProvider
    from requests.auth import HTTPBasicAuth

    def bearer(request: Any) -> Any:  # noqa: ANN401
        if login.token is not None:
            request.headers["Authorization"] = f"Bearer {login.token.get_secret_value()}"
        return request

    def basic(request: Any) -> Any:  # noqa: ANN401
        password = "" if login.password is None else login.password.get_secret_value()
        return HTTPBasicAuth(login.username or "", password)(request)

    class Provider(RequestAuthProvider):  # type: ignore[misc]
        def get_name(self) -> str:
            return NAME

        def get_auth(self) -> Any:  # noqa: ANN401
            return basic if login.token is None else bearer

    known = registry._request_auth_provider_registry
    known._registry[:] = [each for each in known if each.get_name() != NAME]
    known.register(Provider)
    os.environ[_VARIABLE] = NAME
