"""Reads `vault/`: the engines, auth methods, policies and roles that a Vault should have."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any, Final

from pullrisk.errors import InputError, SettingsError

OPTIONS: Final = ("namespace", "repository", "kubernetes_host")
"""What the files may leave to the options of the command, as `${namespace}`."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the files say. Names of roles are `<auth>/<stage>`."""

    engines: Mapping[str, Mapping[str, Any]]
    auths: Mapping[str, Mapping[str, Any]]
    policies: Mapping[str, str]
    roles: Mapping[str, Mapping[str, Any]]
    skipped: tuple[str, ...]
    """Roles that need an option which was not given."""


def read_folder(folder: Path, options: Mapping[str, str]) -> Wanted:
    """Read and fill in the files. Raises InputError that names the file."""
    if not (folder / "engines.json").is_file():
        raise InputError(
            f"{folder} holds no engines.json", hint="name the folder vault/ with --folder"
        )
    roles: dict[str, Mapping[str, Any]] = {}
    skipped = []
    for path in sorted(folder.glob("roles/*/*.json")):
        name = f"{path.parent.name}/{path.stem}"
        if _unfilled(path, options):
            skipped.append(name)
        else:
            roles[name] = _json(path, options)
    return Wanted(
        engines=_json(folder / "engines.json", options),
        auths={path.stem: _json(path, options) for path in sorted(folder.glob("auth/*.json"))},
        policies={path.stem: _text(path) for path in sorted(folder.glob("policies/*.hcl"))},
        roles=roles,
        skipped=tuple(skipped),
    )


def _unfilled(path: Path, options: Mapping[str, str]) -> bool:
    return any(name not in options for name in Template(_text(path)).get_identifiers())


def _json(path: Path, options: Mapping[str, str]) -> dict[str, Any]:
    try:
        found = json.loads(Template(_text(path)).substitute(options))
    except KeyError as error:
        raise SettingsError(
            f"{path} needs {error.args[0]}",
            hint=f"give it with --{str(error.args[0]).replace('_', '-')}",
        ) from None
    except ValueError as error:
        raise InputError(f"{path} is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise InputError(f"{path} is no JSON object")
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from None
