"""Frozen settings: command line > environment > TOML file > default; unknown names are errors.

An environment variable is `PULLRISK_` and the setting's name in capitals, `__` between the
parts of a nested one: `PULLRISK_OPERATING_POINTS__HIGH=0.1`. The file is the one that `--config`
or PULLRISK_CONFIG names. Without it two are read: `pullrisk.toml` in the working directory, else in
the home folder, and then that in the user's or the system's folder of configuration.

A file that was only found in a working directory may not set everything: see config_files.py.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, Field, SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from pullrisk import config_files
from pullrisk.errors import SettingsError
from pullrisk.options import (
    S3,
    AppOptions,
    BandOptions,
    BotOptions,
    FetchOptions,
    GateOptions,
    MonitorOptions,
    ServeOptions,
    SignInOptions,
    SparkOptions,
)
from pullrisk.redaction import SENSITIVE_NAME, redacted
from pullrisk.secrets.names import Credentials

PREFIX: Final = "PULLRISK_"
NOT_SETTINGS: Final = frozenset({"PULLRISK_CONFIG", "PULLRISK_DEBUG"})
"""Variables with the prefix that steer the program and are no settings."""
TEST_PREFIX: Final = "PULLRISK_TEST_"
"""Variables that the test suite reads."""


def _without_tilde(path: Path) -> Path:
    """The path from the user's own folder, if it begins with `~` and no shell saw it."""
    with suppress(RuntimeError):  # nobody has that name
        return path.expanduser()
    return path


class Settings(Credentials, BaseSettings):
    """Everything that can be configured. `None` means: the usual place in the home folder."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,
    )

    home: Annotated[Path, AfterValidator(_without_tilde)] = Field(
        default=config_files.DEFAULT_HOME, description="folder of everything that is local"
    )
    store: str | None = Field(
        default=None, description="the pull store: an SQLite file, or mongodb://HOST/DATABASE"
    )
    github_url: str = Field(
        default="https://github.com", description="GitHub, or the address of a GitHub Enterprise"
    )
    github_token: SecretStr | None = Field(
        default=None, description="token that reads pull requests; several with commas between"
    )
    github_app_id: str | None = Field(
        default=None, description="id of the GitHub App that reads pull requests"
    )
    github_app_key: SecretStr | None = Field(
        default=None, description="the App's private key: PEM, or the path of its file"
    )
    github_app_installation_id: str | None = Field(
        default=None,
        description="the App's installations with commas between; all of them unless set",
    )
    github_webhook_secret: SecretStr | None = Field(
        default=None,
        description="secret with which GitHub signs the App's webhooks; several, one a line, while "
        "it is rotated; `serve` receives none unless set",
    )
    github_client_id: str | None = Field(
        default=None, description="client id of the GitHub App, with which people sign in"
    )
    github_client_secret: SecretStr | None = Field(
        default=None,
        description="client secret of the GitHub App; nobody signs in by it unless set",
    )
    lake: str | None = Field(default=None, description="folder or s3:// URI of the lake")
    mlflow_uri: str | None = Field(default=None, description="MLflow tracking server or database")
    workers: Annotated[int, Field(ge=1, le=256)] | None = Field(
        default=None, description="processes of the local engine; the number of cores unless set"
    )
    maturity_days: Annotated[int, Field(ge=1, le=3650)] = Field(
        default=90,
        description="days after its merge until a pull request without a revert is clean",
    )
    seed: Annotated[int, Field(ge=0, lt=2**32)] = Field(
        default=0, description="seed of the training"
    )
    operating_points: BandOptions = Field(
        default=BandOptions(),
        description="bands of risk, as shares of a repository's pull requests",
    )
    bots: BotOptions = Field(
        default=BotOptions(), description="who is a bot, where names do not tell"
    )
    fetch: FetchOptions = Field(
        default=FetchOptions(), description="how lines are learnt from GitHub"
    )
    gate: GateOptions = Field(default=GateOptions(), description="what it takes to be champion")
    log_format: Literal["console", "json"] = Field(
        default="console", description="json makes every line of a command a JSON object"
    )
    monitor: MonitorOptions = Field(
        default=MonitorOptions(), description="when `pullrisk monitor` raises an alarm"
    )
    s3: S3 = Field(default=S3(), description="the bucket of an s3:// lake")
    spark: SparkOptions = Field(
        default=SparkOptions(), description="the cluster of `preprocess --engine spark`"
    )
    serve: ServeOptions = Field(default=ServeOptions(), description="the scoring service")
    app: AppOptions = Field(
        default=AppOptions(), description="the GitHub App's deliveries, which `serve` handles"
    )
    sign_in: SignInOptions = Field(
        default=SignInOptions(), description="how people sign in to the pages of `serve`"
    )

    @property
    def store_uri(self) -> str:
        """Where the pull store is: a path or a URI, which may hold a password."""
        return self.store or str(self.home / "pulls.sqlite")

    @property
    def lake_uri(self) -> str:
        """Where the lake is."""
        return self.lake or str(self.home / "lake")

    @property
    def tracking_uri(self) -> str:
        """Where MLflow keeps runs and models."""
        return self.mlflow_uri or sqlite_uri(self.home / "mlflow.db")

    @property
    def worker_count(self) -> int:
        """How many processes the local engine may use."""
        return self.workers or os.cpu_count() or 1

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The command line before the environment before the TOML file."""
        options = init_settings.init_kwargs if isinstance(init_settings, InitSettingsSource) else {}
        files = [
            TomlConfigSettingsSource(settings_cls, toml_file=file)
            for file in config_files.found(options)
        ]
        return init_settings, env_settings, *files


def sqlite_uri(path: Path) -> str:
    """The URI of an SQLite file as SQLAlchemy reads it: it decodes %XX, and ? begins options."""
    return f"sqlite:///{path.absolute()}".replace("%", "%25").replace("?", "%3F")


def load(**options: object) -> Settings:
    """The settings in force; `options` are the command line's (None = not given).

    Raises SettingsError.
    """
    given = {name: value for name, value in options.items() if value is not None}
    _refuse_unknown_variables()
    contents = config_files.read(given)
    for file, content in contents.items():
        config_files.check(file, content, known=[parts[0] for parts in names()])
    try:
        return Settings(**given)  # type: ignore[arg-type]  # validated right here
    except ValidationError as error:
        raise _explain(error.errors()[0], given=given, contents=contents) from None


def names(model: type[BaseModel] = Settings) -> Iterator[tuple[str, ...]]:
    """Every setting as the parts of its name: ("operating_points", "high")."""
    for name, field in model.model_fields.items():
        nested = field.annotation
        if isinstance(nested, type) and issubclass(nested, BaseModel):
            yield from ((name, *rest) for rest in names(nested))
        else:
            yield (name,)


def variable(parts: tuple[str, ...]) -> str:
    """The environment variable of a setting."""
    return PREFIX + "__".join(parts).upper()


def _refuse_unknown_variables() -> None:
    known = [variable(parts) for parts in names()]
    for name in sorted(os.environ):
        if not name.startswith(PREFIX) or name.startswith(TEST_PREFIX) or name in NOT_SETTINGS:
            continue
        if name not in known:
            raise _unknown("environment variable", name, known)


def _explain(
    error: ErrorDetails, *, given: Mapping[str, Any], contents: Mapping[Path, Mapping[str, Any]]
) -> SettingsError:
    parts = tuple(str(part) for part in error["loc"])
    name = ".".join(parts)
    file = next((file for file, content in contents.items() if _holds(content, parts)), None)
    if error["type"] == "extra_forbidden":
        return _unknown(f"setting in {file}", name, [".".join(known) for known in names()])
    if parts and parts[0] in given:
        where = "the command line"
    else:
        variables = (key for key in os.environ if key.startswith(variable(parts)))
        where = next(variables, f"{file}")
    message = error["msg"].removeprefix("Value error, ")
    shown = "***" if re.search(SENSITIVE_NAME, name) else _shown(error["input"])
    what = f"{name} is {shown} (from {where}): {message}"
    return SettingsError(what, hint=_possible(parts))


def _holds(content: Any, parts: tuple[str, ...]) -> bool:  # noqa: ANN401  (any TOML)
    for part in parts:
        if not isinstance(content, dict) or part not in content:
            return False
        content = content[part]
    return True


def _shown(value: object) -> str:
    return redacted(repr(value) if isinstance(value, str) else f"{value}")


def _possible(parts: tuple[str, ...]) -> str | None:
    fields = Settings.model_fields
    for part in parts[:-1]:
        nested = fields[part].annotation if part in fields else None
        if not (isinstance(nested, type) and issubclass(nested, BaseModel)):
            return None
        fields = nested.model_fields
    field = fields.get(parts[-1]) if parts else None
    if field is None:
        return None
    default = "" if field.default is None else f" (default {field.default})"
    return f"{'.'.join(parts)}: {field.description}{default}"


def _unknown(kind: str, name: str, known: list[str]) -> SettingsError:
    close = get_close_matches(name, known, n=1, cutoff=0.6)
    hint = f"did you mean {close[0]}?" if close else f"known are: {', '.join(sorted(known))}"
    return SettingsError(f"unknown {kind}: {name}", hint=hint)
