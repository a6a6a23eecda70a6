"""What can be configured about the service; part of pullrisk's settings, without their cost."""

from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

_LOOPBACK: Final = ("127.", "::1", "localhost")


class ServeOptions(BaseModel):
    """How `pullrisk serve` listens, limits and drains. Sizes are MB, times seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(default="127.0.0.1", description="address to listen at")
    port: Annotated[int, Field(ge=1, le=65535)] = Field(default=8080, description="port")
    workers: Annotated[int, Field(ge=1, le=64)] = Field(default=1, description="processes")
    model: str | None = Field(
        default=None,
        description="a file, a registered version (3) or alias (@champion), or `general`; else "
        "the last trained, else the general one",
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
        default=30, description="seconds after which a request is given up"
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
        return self.host.startswith(_LOOPBACK)
