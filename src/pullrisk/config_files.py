"""The files of settings: where they lie, and what one may set that nobody named.

Working directories are often other people's clones. So a file that was only found there may set
what is in FREE and nothing else: no address, no credential, no path, nothing of Spark.
"""

import os
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

from pullrisk.errors import SettingsError

FILE_NAME: Final = "pullrisk.toml"
DEFAULT_HOME: Final = Path(".pullrisk")
FREE: Final = frozenset(
    {
        "workers",
        "maturity_days",
        "seed",
        "operating_points",
        "bots",
        "gate",
        "monitor",
        "log_format",
    }
)
"""What a file may set that nobody named: it decides how to judge, not where anything goes."""
SYSTEM_FOLDER: Final = Path("/etc/pullrisk")


def read(options: Mapping[str, object]) -> dict[Path, dict[str, Any]]:
    """The content of each file that `found` tells. Raises SettingsError."""
    return {file: _read(file) for file in found(options)}


def found(options: Mapping[str, object]) -> list[Path]:
    """The TOML files that are read, the strongest first. Raises SettingsError."""
    if named := _named_file():
        return [named]
    home = options.get("home") or os.environ.get("PULLRISK_HOME") or DEFAULT_HOME
    here = [path for path in (Path(FILE_NAME), Path(str(home)) / FILE_NAME) if path.is_file()]
    own = [path for path in _own_files() if path.is_file()]
    # In the images the working directory is the system's own folder.
    return list({path.absolute(): path for path in (*here[:1], *own[:1])}.values())


def _named_file() -> Path | None:
    named = os.environ.get("PULLRISK_CONFIG")
    if named and not Path(named).is_file():
        raise SettingsError(
            f"PULLRISK_CONFIG names {named}, which is no file",
            hint="correct the path, or unset PULLRISK_CONFIG",
        )
    return Path(named) if named else None


def _own_files() -> tuple[Path, Path]:
    """The user's and the system's settings file, whether they exist or not."""
    folder = Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser()
    if not folder.is_absolute():  # the specification says to ignore it then
        folder = Path("~/.config").expanduser()
    return folder.absolute() / "pullrisk" / FILE_NAME, SYSTEM_FOLDER / FILE_NAME


def check(file: Path, content: Mapping[str, Any], *, known: Collection[str]) -> None:
    """Raise SettingsError if a file that nobody named sets what it may not."""
    refused = sorted((content.keys() & set(known)) - FREE)
    if refused and not _is_trusted(file):
        raise SettingsError(
            f"{file} sets {', '.join(refused)}, which a file that lies there may not: "
            "it could be a stranger's",
            hint="name the file yourself with --config or PULLRISK_CONFIG, or set this in "
            f"{_own_files()[0]} or in the environment",
        )


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise SettingsError(
            f"settings file {file} cannot be read: {error}",
            hint="it has to be TOML: name = value, one a line",
        ) from error


def _is_trusted(file: Path) -> bool:
    """Whether the user named the file, or keeps it where no clone reaches."""
    trusted = (_named_file(), *_own_files())
    return any(each is not None and each.absolute() == file.absolute() for each in trusted)
