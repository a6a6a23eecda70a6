"""What the program understands: arguments, environment variables, settings files, routes."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from pullrisk.cli.app import COMMANDS, load
from pullrisk.errors import PullriskError
from pullrisk.secrets.config import vault_config
from pullrisk.serve.inflight import PROBES
from pullrisk.settings import PREFIX, Settings, names, variable
from pullrisk.settings import load as load_settings
from support.deploy.manifests import (
    ROOT,
    Object,
    Pod,
    Violation,
    of_kind,
    pods,
    values_at,
)
from support.deploy.vault import variables, without_files

LOCUSTFILE: Final = ROOT / "tests" / "performance" / "locustfile.py"
_PARSE_LOCUST: Final = (
    "import sys; from locust.argument_parser import get_parser; get_parser().parse_args()"
)
SETTINGS: Final = tuple(variable(parts) for parts in names())
"""The variable of every setting."""
_PROBES: Final = ("startupProbe", "readinessProbe", "livenessProbe")


def check(objects: Sequence[Object]) -> Iterator[Violation]:
    """Every container's arguments and variables, every pod's settings, every probe."""
    for pod in pods(objects):
        for container in pod.containers:
            for rule, whys in (
                ("arguments", _arguments(container)),
                ("environment", _environment(container)),
                ("settings", _settings(pod, container, objects)),
            ):
                yield from (Violation(rule, pod.where, why) for why in whys)


def locust(container: Object) -> bool:
    return "locust" in container["image"]


def _arguments(container: Object) -> Iterator[str]:
    if "command" in container:
        yield "replaces the image's entry point"
    arguments = tuple(
        text.replace("{{args.service}}", "http://a") for text in container.get("args", [])
    )
    why = _locust_refuses(arguments) if locust(container) else refusal(arguments)
    if why:
        yield f"{' '.join(arguments)}: {why}"


@cache
def refusal(arguments: tuple[str, ...]) -> str:
    """Why the command line does not take these arguments, empty where it does."""
    name, *rest = arguments or ("",)
    if name not in COMMANDS:
        return f"no such command: {name!r}"
    command: Any = load(name)
    below = getattr(command, "commands", None)
    if below is not None:
        if not rest or rest[0] not in below:
            return f"no such command: {name} {' '.join(rest[:1])}"
        command, rest = below[rest[0]], rest[1:]
    try:
        command.make_context(name, list(rest))
    except Exception as error:  # typer carries its own copy of click and names it nowhere
        return str(getattr(error, "message", error))
    return ""


@cache
def _locust_refuses(arguments: tuple[str, ...]) -> str:
    done = subprocess.run(
        [sys.executable, "-c", _PARSE_LOCUST, *arguments], capture_output=True, text=True
    )
    return done.stderr.strip().splitlines()[-1] if done.returncode else ""


class _Asked(dict[str, str]):
    """An environment that remembers which variables were looked for."""

    def __init__(self, values: Mapping[str, str]) -> None:
        super().__init__(values)
        self.names: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:  # as dict.get
        self.names.add(key)
        return super().get(key, default)


def _environment(container: Object) -> Iterator[str]:
    given = variables(container)
    asked = _Asked(without_files(given))
    try:
        vault_config(asked, "nobody")
    except PullriskError as error:
        yield str(error)
    known = asked.names | set(SETTINGS)
    if locust(container):
        text = LOCUSTFILE.read_text()
        known = known | {name for name in given if f'"{name}"' in text}
    for name in given.keys() - known:
        yield f"nothing reads {name}"


def _settings(pod: Pod, container: Object, objects: Sequence[Object]) -> Iterator[str]:
    if locust(container):
        return
    try:
        settings = settings_of(pod, objects)
    except PullriskError as error:
        yield str(error)
        return
    listening = {"http": settings.serve.port, "probes": settings.serve.probe_port}
    for port in container.get("ports", []):
        if listening.get(port.get("name"), port["containerPort"]) != port["containerPort"]:
            at = listening[port["name"]]
            yield f"{port['name']} is {port['containerPort']}, the service listens at {at}"
    for path, port in _probed(container):
        if port != (settings.serve.probe_port or settings.serve.port):
            yield f"{path} is asked at port {port}, where the service answers no probes"
        if path not in PROBES:
            yield f"{path} is no route that answers without a key"
    if (clone := settings.fetch.clone) not in (None, "off") and not kept(Path(clone), pod):
        yield f"keeps clones in {clone}, where no claim is mounted"
    if settings.serve.loopback and list(_probed(container)):
        yield "listens where no other pod can connect"


def kept(folder: Path, pod: Pod) -> bool:
    """Whether the folder lies in a volume that outlives the pod."""
    volumes = {one["name"] for one in pod.spec.get("volumes", []) if "persistentVolumeClaim" in one}
    mounts = values_at(pod.containers, "volumeMounts")
    return any(folder.is_relative_to(one["mountPath"]) for one in mounts if one["name"] in volumes)


def settings_of(pod: Pod, objects: Sequence[Object]) -> Settings:
    """The settings of a pod's first container: its variables, then its file. Raises SettingsError.

    What only the cluster knows, such as the pod's address, is 10.0.0.1 here.
    """
    env = pod.containers[0].get("env", [])
    given = ((each["name"], each.get("value", "10.0.0.1")) for each in env)
    own = tuple(pair for pair in given if pair[0].startswith(PREFIX))
    # an unknown name is the rule "environment"'s to tell
    known = tuple(pair for pair in own if pair[0] in SETTINGS)
    return read_settings(settings_text(pod, objects) or "", known)


def settings_text(pod: Pod, objects: Sequence[Object]) -> str | None:
    """The pod's pullrisk.toml, None where it has none."""
    maps = {each["metadata"]["name"]: each for each in of_kind(objects, "ConfigMap")}
    for volume in pod.spec.get("volumes", []):
        data = maps.get(volume.get("configMap", {}).get("name", ""), {}).get("data", {})
        if "pullrisk.toml" in data:
            return str(data["pullrisk.toml"])
    return None


@cache
def read_settings(text: str, variables: tuple[tuple[str, str], ...] = ()) -> Settings:
    """The settings that a file and variables make. Raises SettingsError."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("PULLRISK_")
    }
    with tempfile.TemporaryDirectory(prefix="pullrisk-toml-") as folder:
        path = Path(folder) / "pullrisk.toml"
        path.write_text(text)
        with patch.dict(
            os.environ, {**environment, **dict(variables), "PULLRISK_CONFIG": str(path)}, clear=True
        ):
            return load_settings()


def _probed(container: Object) -> Iterator[tuple[str, int]]:
    ports = {port.get("name"): port["containerPort"] for port in container.get("ports", [])}
    for name in _PROBES:
        if name in container:
            get = container[name]["httpGet"]
            yield get["path"], ports.get(get["port"], get["port"])
