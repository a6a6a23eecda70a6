"""What each secret is called, and which stage needs which: the list that policies are made for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel, Field, SecretStr

from pullrisk.errors import SettingsError
from pullrisk.redaction import REDACTOR


@dataclass(frozen=True, slots=True)
class Secret:
    """One secret: its name in Vault, what it is, its usual variables, the setting that holds it.

    `address` marks what is not a credential in itself, so that logs may show it; the password in
    a URI is masked all the same. A `setting` with a dot is a nested one; if empty, the setting
    has the secret's name.
    """

    name: str
    sentence: str
    variables: tuple[str, ...] = ()
    address: bool = False
    setting: str = ""

    @property
    def place(self) -> tuple[str, ...]:
        """The setting's name, split at its dots."""
        return tuple((self.setting or self.name).split("."))

    @property
    def variable(self) -> str:
        """The environment variable of the setting."""
        return "PULLRISK_" + "__".join(self.place).upper()


@dataclass(frozen=True, slots=True)
class Needs:
    """What a stage reads: all `required`, one complete group of `either`, any `optional`."""

    required: tuple[str, ...] = ()
    either: tuple[tuple[str, ...], ...] = ()
    optional: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that the stage may ask for."""
        groups = (name for group in self.either for name in group)
        return tuple(dict.fromkeys((*self.required, *groups, *self.optional)))

    def missing(self, present: Iterable[str]) -> tuple[str, ...]:
        """The needed names that are not present.

        If no group of `either` is complete: what the first incomplete one lacks, or else the
        first group.
        """
        have = set(present)
        absent = [name for name in self.required if name not in have]
        if self.either and not any(have.issuperset(group) for group in self.either):
            incomplete = (group for group in self.either if have.intersection(group))
            group = next(incomplete, self.either[0])
            absent += [name for name in group if name not in have]
        return tuple(absent)


_ALL: Final = (
    Secret("mongo_uri", "URI of the pull store on MongoDB", setting="store"),
    Secret("github_token", "token that reads pull requests", ("GITHUB_TOKEN", "GH_TOKEN")),
    Secret(
        "github_app_id", "id of the GitHub App that reads pull requests, or pushes", address=True
    ),
    Secret("github_app_key", "the App's private key, PEM"),
    Secret("github_app_installation_id", "the App's installation, if several", address=True),
    Secret("github_webhook_secret", "secret with which GitHub signs the App's webhooks"),
    Secret("github_client_id", "client id of the App, with which people sign in", address=True),
    Secret("github_client_secret", "client secret of the App, with which people sign in"),
    Secret("oidc_client_secret", "client secret at the OpenID Connect provider"),
    Secret("session_key", "encrypts the cookies of people who are signed in"),
    Secret(
        "do_spaces_endpoint",
        "https://<region>.digitaloceanspaces.com, or any S3",
        ("AWS_ENDPOINT_URL",),
        address=True,
        setting="s3.endpoint",
    ),
    Secret("do_spaces_bucket", "bucket of the lake", address=True, setting="lake"),
    Secret("do_spaces_key", "access key", ("AWS_ACCESS_KEY_ID",), setting="s3.access_key"),
    Secret("do_spaces_secret", "secret key", ("AWS_SECRET_ACCESS_KEY",), setting="s3.secret_key"),
    Secret("mlflow_uri", "MLflow's tracking server", address=True),
    Secret("mlflow_username", "user at MLflow", ("MLFLOW_TRACKING_USERNAME",), address=True),
    Secret("mlflow_password", "password at MLflow", ("MLFLOW_TRACKING_PASSWORD",)),
    Secret("mlflow_token", "bearer token at MLflow", ("MLFLOW_TRACKING_TOKEN",)),
    Secret("api_keys", "keys that the scoring API accepts, one a line"),
    Secret("admin_keys", "keys of operators, one a line: load the model anew, make the GitHub App"),
    Secret("registry_token", "reads images in the container registry; CI's writers' pushes them"),
)
SECRETS: Final[Mapping[str, Secret]] = {secret.name: secret for secret in _ALL}
"""Every secret by its name."""

_SPACES: Final = ("do_spaces_endpoint", "do_spaces_bucket", "do_spaces_key", "do_spaces_secret")
_MLFLOW: Final = ("mlflow_username", "mlflow_password", "mlflow_token")
_APP: Final = ("github_app_id", "github_app_key")
_SIGN_IN: Final = (
    "github_client_id", "github_client_secret", "oidc_client_secret", "session_key",
    "admin_keys",
)  # fmt: skip

STAGES: Final[Mapping[str, Needs]] = {
    "data-fetch": Needs(
        required=("mongo_uri",),
        either=(("github_token",), _APP),
        optional=("github_app_installation_id",),
    ),
    "spark-preprocess": Needs(required=("mongo_uri", *_SPACES)),
    "ml-training": Needs(required=(*_SPACES, "mlflow_uri"), optional=(*_MLFLOW, "mongo_uri")),
    "model-serving": Needs(
        required=(*_SPACES, "mlflow_uri", "api_keys"),
        optional=(
            *_MLFLOW,
            "github_token",
            "mongo_uri",
            *_APP,
            "github_webhook_secret",
            *_SIGN_IN,
        ),
    ),
    "serving-analysis": Needs(required=("api_keys",)),
    "monitor": Needs(required=(*_SPACES, "mlflow_uri"), optional=(*_MLFLOW, "mongo_uri")),
    "ci-read": Needs(required=("registry_token",)),
    "ci-build": Needs(required=("registry_token", *_APP)),
    "ci-promote": Needs(required=("registry_token", *_APP)),
}
"""What each stage, the jobs that judge a roll-out, the drift monitor and CI's jobs read.

Each has a policy and a role in vault/.
"""


def needs_of(stage: str) -> Needs:
    """What a stage needs. Raises SettingsError if the stage is unknown."""
    if stage not in STAGES:
        raise SettingsError(f"unknown stage: {stage}", hint=f"stages are: {', '.join(STAGES)}")
    return STAGES[stage]


class Credentials(BaseModel):
    """Settings that are credentials and belong to no other group; with Vault, it holds them."""

    mlflow_username: str | None = Field(default=None, description="user at MLflow")
    mlflow_password: SecretStr | None = Field(default=None, description="password at MLflow")
    mlflow_token: SecretStr | None = Field(default=None, description="bearer token at MLflow")
    api_keys: SecretStr | None = Field(
        default=None, description="keys that the scoring API accepts, with commas between"
    )
    admin_keys: SecretStr | None = Field(
        default=None,
        description="keys of operators, with commas between: load the model anew, make the App",
    )
    oidc_client_secret: SecretStr | None = Field(
        default=None, description="client secret at the OpenID Connect provider of `sign_in`"
    )
    session_key: SecretStr | None = Field(
        default=None,
        description="encrypts the cookies of people who are signed in: 32 characters or more; made "
        "at each start unless set",
    )
    allow_local_secrets: bool = Field(
        default=False, description="take credentials from the settings even inside Kubernetes"
    )


def is_credential(name: str, value: SecretStr) -> bool:
    """Whether the value has to be masked: it is not an address, or a URI with a user in it."""
    return not SECRETS[name].address or "@" in value.get_secret_value()


def split_values(value: SecretStr) -> tuple[str, ...]:
    """The values of a secret that holds several: one a line, or separated by commas."""
    return tuple(value.get_secret_value().replace(",", " ").split())


def mask_credentials(values: Mapping[str, SecretStr]) -> None:
    """Mask the credentials among these values in all output from now on."""
    for name, value in values.items():
        if not is_credential(name, value):
            continue
        REDACTOR.learn(value.get_secret_value())
        if name in ("api_keys", "admin_keys", "github_token", "github_webhook_secret"):
            for part in split_values(value):
                REDACTOR.learn(part)
