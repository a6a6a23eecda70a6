"""What every check works with: commits that Argo CD applies, and what the cluster says then."""

import json
import time
from dataclasses import dataclass, field, replace
from typing import Any, Final

import httpx

from cluster import state
from cluster.kubectl import BrokenError, ClusterError, Kubectl, say, until
from cluster.repository import Desired, Repository

NAMESPACE: Final = "pullrisk"
SPARK_NAMESPACE: Final = "pullrisk-spark"
NAME: Final = "model-serving"
_SYNC_SECONDS: Final = 180


@dataclass
class World:
    """The cluster, the repository and what its last commit wants."""

    kubectl: Kubectl
    repository: Repository
    desired: Desired = field(default_factory=Desired)
    commit: str = ""

    def push(self, message: str, **changes: Any) -> str:
        """Commit changes, put them where Argo CD reads, and have it look at once."""
        self.desired = replace(self.desired, **changes)
        self.commit = self.repository.commit(self.desired, message)
        say(f"commit {self.commit[:10]}: {message}")
        with self.kubectl.forward("service/git", 80, "git") as port:
            httpx.put(
                f"http://127.0.0.1:{port}/repository",
                params={"commit": self.commit},
                content=self.repository.pack(self.commit),
                timeout=30,
            ).raise_for_status()
        self.refresh()
        return self.commit

    def refresh(self) -> None:
        """What GitHub's webhook does: without it Argo CD looks every three minutes."""
        annotation = {"metadata": {"annotations": {"argocd.argoproj.io/refresh": "hard"}}}
        if self.kubectl.find("applications.argoproj.io", "pullrisk", "argocd"):
            self.kubectl.patch("applications.argoproj.io", "pullrisk", annotation, "argocd")

    def apply(self, message: str, **changes: Any) -> str:
        """Commit changes and wait until Argo CD has applied them."""
        commit = self.push(message, **changes)
        self.wait_until_applied(commit)
        return commit

    def wait_until_applied(self, commit: str) -> None:
        """Until the last sync is of this commit; asks again every half minute."""
        asked = time.monotonic()

        def applied() -> bool:
            nonlocal asked
            if time.monotonic() - asked > 30:
                asked = time.monotonic()
                self.refresh()
            return state.is_applied(self.application(), commit)

        until(
            f"the sync of {commit[:10]}",
            applied,
            seconds=_SYNC_SECONDS,
            shown=lambda: state.sync_state(self.application()),
        )

    def promote(self) -> None:
        """What `kubectl argo rollouts promote` does, without the plugin."""
        say("promoting model-serving")
        cleared = {"status": {"pauseConditions": None}}
        self.kubectl.patch("rollouts.argoproj.io", NAME, cleared, NAMESPACE, subresource="status")

    def application(self) -> Any:
        """The Application. Raises ClusterError if it is not there."""
        return self._object("applications.argoproj.io", "pullrisk", "argocd")

    def rollout(self) -> Any:
        """The Rollout of model-serving. Raises ClusterError if it is not there."""
        return self._object("rollouts.argoproj.io", NAME, NAMESPACE)

    def selected(self) -> tuple[str, str]:
        """The hashes in the selectors of both services."""
        names = (NAME, f"{NAME}-preview")
        active, preview = (
            state.selected(self._object("service", name, NAMESPACE)) for name in names
        )
        return active, preview

    def pods(self, version: str = "") -> list[Any]:
        """Pods of model-serving, of one version if it is named."""
        found = self.kubectl.list("pods", NAMESPACE, f"app.kubernetes.io/name={NAME}")
        return [pod for pod in found if not version or state.hash_of(pod) == version]

    def traffic(self) -> set[str]:
        """The versions whose pods get the service's traffic now."""
        slices = self.kubectl.list(
            "endpointslices", NAMESPACE, f"kubernetes.io/service-name={NAME}"
        )
        names = state.targets(slices)
        return {state.hash_of(pod) for pod in self.pods() if pod["metadata"]["name"] in names}

    def wait_for_rollout(self, what: str, holds: Any, *, seconds: float) -> Any:
        """Until the Rollout, having seen its last change, is as `holds` says; the Rollout."""

        def probe() -> Any:
            found = self.rollout()
            return found if state.is_settled(found) and holds(found) else None

        return until(
            what, probe, seconds=seconds, shown=lambda: state.rollout_state(self.rollout())
        )

    def wait_until_healthy(self, *, seconds: float = 420) -> Any:
        """Until what Git names is what serves, and no analysis is under way."""
        return self.wait_for_rollout(
            "a healthy roll-out",
            lambda it: state.phase(it) == "Healthy" and state.active(it) == state.newest(it),
            seconds=seconds,
        )

    def report(self) -> dict[str, Any]:
        """The last line of the client. Raises ClusterError before there is one."""
        lines = self.kubectl.run(
            "logs", "deployment/client", "--tail=1", namespace="pullrisk-client"
        )
        if not lines.strip():
            raise ClusterError("the client has not answered yet")
        found: dict[str, Any] = json.loads(lines.splitlines()[-1])
        return found

    def expect_no_failures(self) -> None:
        """Raises BrokenError if the client has lost a request."""
        found = self.report()
        say(f"  client: {found['requests']} requests, {found['failures']} failed")
        if found["failures"]:
            raise BrokenError(f"the client lost {found['failures']}: {found['last_failure']}")

    def expect_traffic(self, version: str) -> None:
        """Raises BrokenError if another version than this gets traffic."""
        found = self.traffic()
        if found - {version}:
            raise BrokenError(f"traffic goes to {sorted(found)}, and not to {version} alone")

    def _object(self, kind: str, name: str, namespace: str) -> Any:
        found = self.kubectl.find(kind, name, namespace)
        if found is None:
            raise ClusterError(f"{kind} {name} is not there")
        return found
