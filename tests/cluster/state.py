"""What an Application, a Rollout and their neighbours say of themselves."""

from collections.abc import Iterable
from typing import Any

HASH = "rollouts-pod-template-hash"


def is_applied(application: Any, commit: str) -> bool:
    """Whether Argo CD has applied a commit, or found that it changes nothing."""
    status = application.get("status", {})
    sync, operation = status.get("sync", {}), status.get("operationState", {})
    done = operation.get("phase") == "Succeeded"
    if done and operation.get("syncResult", {}).get("revision") == commit:
        return True
    return bool(sync.get("status") == "Synced" and sync.get("revision") == commit)


def out_of_sync(application: Any) -> list[str]:
    """Kind and name of every resource that differs from Git."""
    resources = application.get("status", {}).get("resources", [])
    return [f"{one['kind']}/{one['name']}" for one in resources if one.get("status") != "Synced"]


def sync_state(application: Any) -> str:
    """One line about the last sync."""
    status = (application or {}).get("status", {})
    operation = status.get("operationState", {})
    sync = status.get("sync", {})
    conditions = "; ".join(one.get("message", "") for one in status.get("conditions", []))
    return (
        f"sync {sync.get('status')} of {str(sync.get('revision'))[:10]}, operation "
        f"{operation.get('phase')}: {operation.get('message', '')} {conditions}".strip()
    )


def phase(rollout: Any) -> str:
    """Healthy, Progressing, Paused or Degraded."""
    return str(rollout.get("status", {}).get("phase", ""))


def rollout_state(rollout: Any) -> str:
    """One line about a Rollout."""
    status = (rollout or {}).get("status", {})
    blue = status.get("blueGreen", {})
    analyses = {
        name: blue.get(f"{name}AnalysisRunStatus", {}).get("status")
        for name in ("prePromotion", "postPromotion")
    }
    return (
        f"{status.get('phase')} ({status.get('message', '')}), active "
        f"{blue.get('activeSelector')}, preview {blue.get('previewSelector')}, {analyses}"
    )


def is_settled(rollout: Any) -> bool:
    """Whether a Rollout has taken notice of its last change."""
    seen = str(rollout.get("status", {}).get("observedGeneration", ""))
    return seen == str(rollout["metadata"].get("generation", ""))


def active(rollout: Any) -> str:
    """The hash of the version that serves; empty if none does."""
    return str(rollout.get("status", {}).get("blueGreen", {}).get("activeSelector", ""))


def newest(rollout: Any) -> str:
    """The hash of the version that Git names."""
    return str(rollout.get("status", {}).get("currentPodHash", ""))


def waits_for_a_person(rollout: Any) -> bool:
    """Whether a new version has passed its analysis and waits for its promotion."""
    blue = rollout.get("status", {}).get("blueGreen", {})
    passed = blue.get("prePromotionAnalysisRunStatus", {}).get("status") == "Successful"
    return phase(rollout) == "Paused" and passed and active(rollout) != newest(rollout)


def selected(service: Any) -> str:
    """The hash in a service's selector; empty if it was stripped."""
    return str(service["spec"].get("selector", {}).get(HASH, ""))


def hash_of(pod: Any) -> str:
    """The version of a pod."""
    return str(pod["metadata"].get("labels", {}).get(HASH, ""))


def is_ready(pod: Any) -> bool:
    """Whether a pod takes requests and is not on its way out."""
    conditions = pod.get("status", {}).get("conditions", [])
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"]


def targets(slices: Iterable[Any]) -> set[str]:
    """Names of the pods that get a service's traffic, by its EndpointSlices."""
    return {
        endpoint["targetRef"]["name"]
        for one in slices
        for endpoint in one.get("endpoints") or ()
        if endpoint.get("conditions", {}).get("ready") and "targetRef" in endpoint
    }


def job_state(job: Any) -> str:
    """Complete, Failed, or empty while it runs."""
    for one in (job or {}).get("status", {}).get("conditions", []):
        if one["status"] == "True" and one["type"] in ("Complete", "Failed"):
            return str(one["type"])
    return ""
