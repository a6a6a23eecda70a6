"""The groups of settings, each a parameter of the stage that it steers.

Apart from `settings`, which reads them, so that a stage can name its own and nothing else.
"""

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

_Positive = Annotated[int, Field(ge=1)]
_Above0 = Annotated[float, Field(gt=0)]
_Share = Annotated[float, Field(gt=0, lt=1)]


def is_loopback(host: str) -> bool:
    """Whether a host is this machine's loopback: a literal address of it, or `localhost`."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


class BandOptions(BaseModel):
    """Which share of a repository's pull requests falls into each band of risk."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    high: _Share = Field(
        default=0.05, description="the riskiest share of a repository's pull requests"
    )
    elevated: _Share = Field(default=0.15, description="the share that follows it")

    @model_validator(mode="after")
    def _leave_some_low(self) -> Self:
        if self.high + self.elevated >= 1:
            raise ValueError("high and elevated together must stay below 1")
        return self


class BotOptions(BaseModel):
    """Accounts whose names do not tell that they are bots, or tell it wrongly.

    Each is a login, or what a clone's commits have: a name or an address. `[bots]` in the file,
    PULLRISK_BOTS__ADD='["release-team"]' in the environment. They count for what is read from
    then on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    add: tuple[str, ...] = Field(default=(), description="names of bots that do not look like one")
    remove: tuple[str, ...] = Field(default=(), description="names of people who look like bots")


class FetchOptions(BaseModel):
    """How `pullrisk fetch` learns from GitHub which lines pull requests change.

    `[fetch]` in the file, PULLRISK_FETCH__CLONE in the environment.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    clone: str | None = Field(
        default=None,
        description="folder of bare clones from which lines are read, or off; unless set, the "
        "home folder where git is installed and the pull store is a file, else off",
    )


class GateOptions(BaseModel):
    """What a trained model has to do to become champion."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    margin: Annotated[float, Field(ge=0, le=0.1)] = Field(
        default=0.0,
        description="by how much AUC the interval's lower end may fall short of an opponent; "
        "above 0, a newer model that is as good may take over",
    )
    least_positives: Annotated[int, Field(ge=1)] = Field(
        default=20, description="matured reverts that a window needs to decide anything"
    )


class MonitorOptions(BaseModel):
    """The thresholds of `pullrisk monitor`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    days: Annotated[int, Field(ge=1)] = Field(
        default=90, description="how many days up to the latest merge are recent"
    )
    least_pulls: Annotated[int, Field(ge=20)] = Field(
        default=100, description="fewer recent pull requests of a repository are not compared"
    )
    index: _Above0 = Field(
        default=0.25,
        description="population stability index from which a feature may have drifted",
    )
    usual: Annotated[float, Field(ge=1)] = Field(
        default=3.0, description="how many times the index of the repository's own windows"
    )
    significance: _Share = Field(default=0.01, description="largest corrected p-value of a drift")
    drifted_share: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.05, description="share of a repository's features that may drift without alarm"
    )
    calibration_ratio: Annotated[float, Field(gt=1)] = Field(
        default=1.5, description="how many times more or fewer outcomes than predicted"
    )
    least_auc: Annotated[float, Field(ge=0.5, lt=1)] = Field(
        default=0.55, description="AUC that the risk must be able to have"
    )
    outcome_days: Annotated[int, Field(ge=1)] = Field(
        default=365, description="how many days of matured outcomes are judged"
    )
    data_age_days: _Above0 = Field(
        default=7.0, description="oldest that the latest merge of all may be"
    )
    model_age_days: _Above0 | None = Field(
        default=None, description="oldest that the end of the training data may be, where set"
    )


class S3(BaseModel):
    """How the bucket of a lake at s3://BUCKET/PREFIX is reached; shows no key.

    `[s3]` in the file, PULLRISK_S3__NAME in the environment. Without keys, those of the environment
    (AWS_ACCESS_KEY_ID) or of the machine's role count. Without `conditional_put` the user answers
    for there being one writer at a time.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    endpoint: str | None = Field(
        default=None,
        description="URL of the service without the bucket, "
        "https://fra1.digitaloceanspaces.com; AWS unless set",
    )
    region: str = Field(default="us-east-1", description="region of the bucket; Spaces takes any")
    path_style: bool = Field(
        default=True, description="bucket in the path of a URL, not in the host's name"
    )
    access_key: SecretStr | None = Field(
        default=None, description="access key; AWS_ACCESS_KEY_ID or the machine's role unless set"
    )
    secret_key: SecretStr | None = Field(default=None, description="secret key")
    conditional_put: bool = Field(
        default=True,
        description="rely on the bucket's If-None-Match; false only where never two runs write",
    )
    checksums: Literal["when_required", "when_supported"] = Field(
        default="when_required",
        description="when uploads carry checksums; services other than AWS often refuse them",
    )


class SparkOptions(BaseModel):
    """Where and how Spark runs: `[spark]` in the file, PULLRISK_SPARK__NAME in the environment.

    The fields from `executors` to `service_account` are for masters other than local.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    master: str = Field(
        default="local[*]",
        pattern=r"^(local(\[(\*|\d+)(,\d+)?\])?|(spark|k8s)://.+)$",
        description="local[*], local[N], spark://HOST:PORT or k8s://https://HOST:PORT",
    )
    driver_host: str | None = Field(
        default=None, description="name by which executors reach the driver"
    )
    driver_memory: str = Field(default="1g", description="memory of the driver's JVM")
    event_log: str | None = Field(
        default=None, description="folder of Spark's event logs; none are written unless set"
    )
    task_attempts: _Positive = Field(default=4, description="attempts at a task before a run fails")
    executors: _Positive | None = Field(default=None, description="how many executors to ask for")
    executor_cores: _Positive | None = Field(default=None, description="cores of an executor")
    executor_memory: str | None = Field(default=None, description="memory of an executor, 2g")
    image: str | None = Field(default=None, description="image of executor pods")
    namespace: str | None = Field(default=None, description="namespace of executor pods")
    service_account: str | None = Field(
        default=None, description="service account by which the driver asks for pods"
    )
    conf: dict[str, str] = Field(
        default={}, description="any of Spark's own properties; they win over all others"
    )

    @property
    def local(self) -> bool:
        """Whether all runs in one JVM of this machine."""
        return self.master.startswith("local")

    @property
    def kubernetes(self) -> bool:
        """Whether executors are pods."""
        return self.master.startswith("k8s://")


class AppOptions(BaseModel):
    """How `pullrisk serve` handles the deliveries of a GitHub App's webhooks."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at_once: Annotated[int, Field(ge=1, le=64)] = Field(
        default=4, description="deliveries that a worker process handles at once"
    )
    lease: Annotated[float, Field(ge=1, le=3_600)] = Field(
        default=120,
        description="seconds after which a delivery whose worker was killed is handled again",
    )


class SignInOptions(BaseModel):
    """How people sign in to the pages of `pullrisk serve`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str | None = Field(
        default=None,
        description="address at which browsers reach the service, https://HOST; signing in leads "
        "back there",
    )
    hours: Annotated[float, Field(gt=0, le=168)] = Field(
        default=8, description="hours after which a person has to sign in again"
    )
    recheck: Annotated[float, Field(ge=1, le=3_600)] = Field(
        default=300,
        description="seconds after which GitHub is asked again what a person may read",
    )
    oidc_issuer: str | None = Field(
        default=None, description="address of an OpenID Connect provider, as its tokens name it"
    )
    oidc_client_id: str | None = Field(
        default=None, description="what the provider calls this service"
    )
    oidc_repositories: tuple[str, ...] = Field(
        default=(), description="repositories that whoever the provider lets in may see"
    )
    oidc_claim: str | None = Field(
        default=None,
        description="claim of the provider's token that lists further repositories: owner/name",
    )

    @field_validator("url", "oidc_issuer")
    @classmethod
    def _is_safe(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        if parts.scheme != "https" and not (
            parts.scheme == "http" and is_loopback(parts.hostname or "")
        ):
            raise ValueError("it has to begin with https://")
        if not parts.hostname or parts.username or parts.query or parts.fragment:
            raise ValueError("it has to be https://HOST without user, query or fragment")
        return url

    @field_validator("url")
    @classmethod
    def _is_origin(cls, url: str | None) -> str | None:
        if url is not None and urlsplit(url).path not in ("", "/"):
            raise ValueError("the service has to have a host name of its own: https://HOST")
        return None if url is None else url.rstrip("/")


class ServeOptions(BaseModel):
    """How `pullrisk serve` listens, limits and drains. Sizes are MB, times seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(default="127.0.0.1", description="address to listen at")
    port: Annotated[int, Field(ge=1, le=65535)] = Field(default=8080, description="port")
    workers: Annotated[int, Field(ge=1, le=64)] = Field(default=1, description="processes")
    model: str | None = Field(
        default=None,
        description="a file, a registered version (3) or alias (@champion), or `general`; else "
        "that of the home, else the general one",
    )
    keys_file: Path | None = Field(
        default=None, description="file of API keys, one a line; read again when it changes"
    )
    admin_keys_file: Path | None = Field(
        default=None,
        description="file of keys, one a line, that may have the model loaded anew; without it "
        "nobody may",
    )
    body_mb: Annotated[float, Field(gt=0, le=1024)] = Field(
        default=32, description="largest body of a request, in MB"
    )
    batch: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=1_000, description="most pull requests in one request"
    )
    in_flight: Annotated[int, Field(ge=1)] = Field(
        default=256, description="requests that a worker answers at once; more get a 503"
    )
    in_flight_mb: Annotated[float, Field(gt=0)] = Field(
        default=64, description="MB of bodies that a worker holds at once; more get a 503"
    )
    body_timeout: Annotated[float, Field(gt=0)] = Field(
        default=10, description="seconds within which a request's body has to arrive"
    )
    timeout: Annotated[float, Field(gt=0)] = Field(
        default=30,
        description="seconds after which a request is given up, and for a client to take an answer",
    )
    connections: Annotated[int, Field(ge=8)] = Field(
        default=512, description="connections that a worker keeps open; those idle longest go"
    )
    address_connections: Annotated[int, Field(ge=8)] = Field(
        default=256, description="of them, those of one address; a /64 of IPv6 counts as one"
    )
    probe_port: Annotated[int, Field(ge=1, le=65535)] | None = Field(
        default=None,
        description="port that answers /healthz, /readyz and /metrics, however busy the other is",
    )
    histories: Annotated[int, Field(ge=1)] = Field(
        default=50, description="repositories whose histories stay in memory"
    )
    histories_mb: Annotated[float, Field(ge=0)] = Field(
        default=40, description="MB of the histories used last; the others wait compressed"
    )
    refresh: Annotated[float, Field(gt=0)] = Field(
        default=5, description="seconds between looks at the lake and at the keys"
    )
    reach: Annotated[float, Field(gt=0)] = Field(
        default=3, description="seconds that an answer waits for the lake or the store"
    )
    recent: Annotated[int, Field(ge=1, le=100_000)] = Field(
        default=1_000, description="latest stored pull requests that /v1/pulls lists"
    )
    drain: Annotated[float, Field(ge=0)] = Field(
        default=5, description="seconds between failing readiness and closing the listener"
    )
    grace: Annotated[int, Field(ge=1)] = Field(
        default=30, description="seconds that requests under way have to finish"
    )
    access_log: bool = Field(default=True, description="a JSON line for every request")
    cors_origins: tuple[str, ...] = Field(
        default=(), description="origins whose pages may call the API"
    )

    @property
    def body_bytes(self) -> int:
        """The largest body of a request."""
        return int(self.body_mb * 1_000_000)

    @property
    def loopback(self) -> bool:
        """Whether only this machine can connect."""
        return is_loopback(self.host)
