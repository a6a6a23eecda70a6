"""The settings of what only production has: a bucket for the lake, Spark for preprocessing."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

_Positive = Annotated[int, Field(ge=1)]


class S3Settings(BaseModel):
    """`[s3]` in the file, PULLRISK_S3__NAME in the environment; for a lake at s3://BUCKET/PREFIX."""

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


class SparkSettings(BaseModel):
    """`[spark]` in the file, PULLRISK_SPARK__NAME in the environment."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    master: str = Field(
        default="local[*]", description="local[*], local[N], spark://HOST:PORT or k8s://URL"
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


class Infrastructure(BaseModel):
    """Fields of the settings."""

    s3: S3Settings = Field(default=S3Settings(), description="the bucket of an s3:// lake")
    spark: SparkSettings = Field(
        default=SparkSettings(), description="the cluster of `preprocess --engine spark`"
    )
