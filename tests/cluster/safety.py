"""Whether a cluster may be touched: a local one, or with a person's word; and only an empty one."""

import json
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from cluster.kubectl import ClusterError, Kubectl

_LOCAL_NAMES = ("kind-", "k3d-")
_LOCAL_HOSTS = ("127.0.0.1", "localhost", "0.0.0.0", "::1", "host.docker.internal")
_OWN_NAMESPACES = ("kube-", "local-path-storage")
"""What the names of an empty cluster's namespaces begin with, beside `default`."""


def is_local(context: str, server: str) -> bool:
    """Whether this context's API server is a cluster of this machine."""
    return context.startswith(_LOCAL_NAMES) or (urlsplit(server).hostname or "") in _LOCAL_HOSTS


def current_context(kubectl: Kubectl) -> str:
    """The name of the context in force. Raises ClusterError if there is none."""
    return kubectl.run("config", "current-context").strip()


def server_of(kubectl: Kubectl) -> str:
    """The address of the API server of a context."""
    shown = json.loads(
        kubectl.run("config", "view", "--minify", "--output", "json", "--context", kubectl.context)
    )
    (cluster,) = shown["clusters"]
    return str(cluster["cluster"]["server"])


def strangers(namespaces: Sequence[Any], allowed: Sequence[str] = ()) -> list[str]:
    """Names of namespaces that an empty cluster would not have, but for those allowed."""
    names = [one["metadata"]["name"] for one in namespaces]
    return [
        name
        for name in names
        if not name.startswith(_OWN_NAMESPACES) and name not in ("default", *allowed)
    ]


def check_place(kubectl: Kubectl, *, yes: bool, ask: Callable[[str], str] = input) -> None:
    """Raise ClusterError for a cluster that is not local, unless a person types its name."""
    server = server_of(kubectl)
    if not yes and not is_local(kubectl.context, server):
        said = ask(f"{kubectl.context} at {server} is not local. Type its name to go on: ")
        if said.strip() != kubectl.context:
            raise ClusterError("nothing was touched")


def check_empty(kubectl: Kubectl, allowed: Sequence[str]) -> None:
    """Raise ClusterError for a cluster that has namespaces of others."""
    found = strangers(kubectl.list("namespaces"), allowed)
    if found:
        raise ClusterError(
            f"{kubectl.context} is not empty: it has {', '.join(found)}; --clean takes away what "
            "an earlier run left"
        )
