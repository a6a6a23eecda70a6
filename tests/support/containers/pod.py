"""A stage's container, run as its manifest says: by the container engine of this machine."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import yaml

from images.engine import Engine
from support import processes
from support.watch import family

ROOT = Path(__file__).parents[3]
BASE = ROOT / "argo-apps" / "base"
MANIFESTS = {
    "data-fetch": "cronjob.yaml",
    "spark-preprocess": "cronjob.yaml",
    "ml-training": "cronjob.yaml",
    "model-serving": "rollout.yaml",
}
SERVED = "http://127.0.0.1:8080"
"""Where model-serving listens, in the network of its host."""
SETTINGS = "/etc/pullrisk"
"""Where settings are mounted, and where stages look for them."""
OF_THE_ENGINE = {"PATH", "TERM", "HOSTNAME", "container"}
"""Variables that an engine sets in every container."""


@dataclass(frozen=True)
class Spec:
    """What a manifest says of a stage's only container."""

    stage: str
    args: tuple[str, ...]
    env: Mapping[str, str]
    mounts: Mapping[str, str]
    """Name of the volume → where it is."""
    security: Mapping[str, Any]

    @classmethod
    def of(cls, stage: str) -> "Spec":
        """The container of this stage in argo-apps/base."""
        text = (BASE / stage / MANIFESTS[stage]).read_text(encoding="utf-8")
        spec = yaml.safe_load(text)["spec"]
        while "containers" not in spec:
            spec = spec.get("jobTemplate", spec).get("spec", spec)["template"]["spec"]
        (container,) = spec["containers"]
        return cls(
            stage=stage,
            args=tuple(container["args"]),
            # the platform's Vault has no TLS
            env={
                each["name"]: each["value"]
                for each in container["env"]
                if each["name"] != "VAULT_CACERT"
            },
            mounts={each["name"]: each["mountPath"] for each in container["volumeMounts"]},
            security=spec["securityContext"] | container["securityContext"],
        )


@dataclass
class Pod:
    """One container: what it is given, and what it left."""

    engine: Engine
    image: str
    spec: Spec
    settings: Path
    """Folder of pullrisk.toml."""
    token: Path
    """Folder of the service account's token."""
    volume: Path
    """Folder that is the volume of its claim, if it has one."""
    name: str = field(default_factory=lambda: f"pullrisk-test-{uuid4().hex[:12]}")

    def run(
        self, env: Mapping[str, str], args: Sequence[str] | None = None, *, seconds: float = 300
    ) -> "Pod":
        """Run it to its end; `args` take the place of the manifest's, `env` joins them."""
        self.start(env, args)
        self.engine.run("wait", self.name, seconds=seconds)
        return self

    def start(self, env: Mapping[str, str], args: Sequence[str] | None = None) -> "Pod":
        """Start it."""
        given = [f"--env={name}={value}" for name, value in {**self.spec.env, **env}.items()]
        arguments = self.spec.args if args is None else args
        self.engine.run(
            "run", "--detach", f"--name={self.name}", *self._confined(), *self._mounted(), *given,
            self.image, *arguments,
        )  # fmt: skip
        return self

    def _confined(self) -> Iterator[str]:
        assert self.spec.security["readOnlyRootFilesystem"] is True
        assert self.spec.security["capabilities"] == {"drop": ["ALL"]}
        assert self.spec.security["allowPrivilegeEscalation"] is False
        user = f"{self.spec.security['runAsUser']}:{self.spec.security['runAsGroup']}"
        yield from ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges")
        yield from ("--network=host", f"--user={user}")
        if self.engine.podman:
            yield from ("--read-only-tmpfs=false", "--http-proxy=false")

    def _mounted(self) -> Iterator[str]:
        yield f"--volume={self.settings}:{SETTINGS}:ro"
        yield f"--volume={self.token}:{self.spec.mounts['vault-token']}:ro"
        yield f"--tmpfs={self.spec.mounts['scratch']}:rw,mode=1777,size=1g"
        if "clones" in self.spec.mounts:
            yield f"--volume={self.volume}:{self.spec.mounts['clones']}:rw"

    @property
    def state(self) -> dict[str, Any]:
        """What the engine says of it now."""
        found: dict[str, Any] = self.engine.inspect("container", self.name)["State"]
        return found

    @property
    def code(self) -> int:
        """Its exit code."""
        return int(self.state["ExitCode"])

    @property
    def output(self) -> str:
        """Standard output."""
        return self._logs().stdout

    @property
    def errors(self) -> str:
        """Standard error."""
        return self._logs().stderr

    @property
    def log(self) -> str:
        """Both."""
        return self.errors + self.output

    def _logs(self) -> "subprocess.CompletedProcess[str]":
        command = [self.engine.name, "logs", self.name]
        env = self.engine.environment
        return subprocess.run(command, env=env, capture_output=True, text=True, check=True)

    @property
    def changes(self) -> set[str]:
        """Paths that differ from the image, but for places where something is mounted."""
        mounted = [*self.spec.mounts.values(), SETTINGS]
        mounted += ["/etc", "/dev", "/proc", "/sys", "/run", "/var"]
        lines = self.engine.run("diff", self.name).splitlines()
        paths = {line.split(maxsplit=1)[1] for line in lines if line.strip()}
        return {
            path
            for path in paths
            if not any(place == path or place.startswith(f"{path}/") for place in mounted)
            and not path.startswith(("/run/", "/dev/", "/proc/", "/sys/"))
            and path not in ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/etc/mtab")
        }

    @property
    def environment(self) -> dict[str, str]:
        """Variables that it was given; the image's and the engine's own left out."""
        config: dict[str, Any] = self.engine.inspect("container", self.name)["Config"]
        image: dict[str, Any] = self.engine.inspect("image", self.image)["Config"]
        given = [each for each in config["Env"] if each not in image["Env"]]
        pairs = dict(each.split("=", 1) for each in given)
        return {name: value for name, value in pairs.items() if name not in OF_THE_ENGINE}

    def shown(self) -> str:
        """All that an onlooker sees: logs, what the engine knows, its processes' environment."""
        known = json.dumps(self.engine.inspect("container", self.name))
        return f"{self.log}\n{known}\n{self._processes()}"

    def _processes(self) -> str:
        shown = []
        for pid in family(int(self.state["Pid"])):
            with suppress(OSError):  # it has just ended
                shown += [
                    Path(f"/proc/{pid}/{name}").read_bytes() for name in ("environ", "cmdline")
                ]
        return b"\n".join(shown).decode(errors="replace")

    def stop(self, *, seconds: int = 60) -> None:
        """SIGTERM, and wait."""
        self.engine.run("stop", f"--time={seconds}", self.name, seconds=seconds + 30)

    def remove(self) -> None:
        """Whatever it does."""
        self.engine.run("rm", "--force", self.name)


def as_a_volume(folder: Path, spec: Spec) -> Path:
    """The folder, as Kubernetes hands a volume to a pod with an fsGroup; only root can."""
    if os.geteuid() == 0:
        os.chown(folder, 0, spec.security["fsGroup"])
    folder.chmod(0o2775 if os.geteuid() == 0 else 0o777)
    return folder


def until(holds: Callable[[], bool], pod: Pod, *, seconds: float = 120) -> None:
    """Wait until it holds; the pod's log is told otherwise."""

    def now() -> bool:
        come = holds()
        assert come or pod.state["Running"], f"it ended with {pod.code}\n{pod.log}"
        return come

    processes.until(now, seconds=seconds, explain=lambda: pod.log)


def answers(path: str) -> bool:
    """Whether the service answers 200 there."""
    return httpx.get(f"{SERVED}{path}", timeout=5).status_code == 200
