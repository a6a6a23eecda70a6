"""Vault: the role that a pod logs in as, its service account, audience, policy and path."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, Final

from pullrisk.secrets.config import SERVICE_ACCOUNT_TOKEN, VaultConfig, vault_config
from pullrisk.secrets.names import STAGES
from support.deploy.manifests import NAMESPACE, ROOT, Object, Pod, Violation, of_kind, pods

FOLDER: Final = ROOT / "vault"
VARIABLES: Final = ("VAULT_ADDR", "VAULT_PATH_AUTH", "VAULT_ROLE", "VAULT_SECRET_PATH")
AUTHORITY: Final = "/var/run/secrets/pullrisk/authorities/ca.crt"
"""In a pod, where the cluster's certificate authority is."""
WITHOUT_TLS: Final = "pullrisk/without-tls"
"""A namespace's label: its pods may ask Vault without TLS (components/without-tls)."""
_READS: Final = re.compile(r'path "([^"]+)" \{\s*capabilities = \["read"\]\s*\}')


def check(objects: Sequence[Object]) -> Iterator[Violation]:
    """Every pod that holds a token for Vault, and the roles that nobody uses."""
    used = set()
    plain = {
        one["metadata"]["name"]
        for one in of_kind(objects, "Namespace")
        if one["metadata"].get("labels", {}).get(WITHOUT_TLS) == "true"
    }
    for pod in pods(objects):
        for container in pod.containers:
            environment = variables(container)
            config = vault_config(without_files(environment), "nobody")
            if config is not None:
                used.add(config.role)
            encrypted = [] if pod.namespace in plain else _tls(container, environment)
            for why in (*encrypted, *_container(pod, container, config)):
                yield Violation("vault", pod.where, why)
    for role in sorted({path.stem for path in FOLDER.glob("roles/kubernetes/*.json")} - used):
        yield Violation("vault", f"role {role}", "is used by no pod")


def variables(container: Object) -> dict[str, str]:
    """A container's variables; those that only a cluster knows are empty."""
    return {each["name"]: each.get("value", "") for each in container.get("env", [])}


def without_files(environment: Mapping[str, str]) -> dict[str, str]:
    """Variables without the file that is there only in a pod."""
    return {name: value for name, value in environment.items() if value != AUTHORITY}


def _tls(container: Object, environment: Mapping[str, str]) -> Iterator[str]:
    """Vault by https, its certificate and MongoDB's known by the cluster's own authority."""
    if environment.get("VAULT_ADDR", "").startswith("http://"):
        yield "sends Vault's tokens and secrets over the network as they are"
    if environment.get("VAULT_CACERT") != AUTHORITY:
        yield f"knows Vault's certificate by {environment.get('VAULT_CACERT')}, not {AUTHORITY}"
    mounts = {each["mountPath"]: each["name"] for each in container.get("volumeMounts", [])}
    if mounts.get(str(PurePosixPath(AUTHORITY).parent)) != "authorities":
        yield "does not mount the authority of Vault and MongoDB"


def _container(pod: Pod, container: Object, config: VaultConfig | None) -> Iterator[str]:
    given = [each["name"] for each in container.get("env", [])]
    if absent := [name for name in VARIABLES if name not in given]:
        yield f"lacks {', '.join(absent)}"
    if config is None:
        return
    role = _role(config.role)
    if role is None or config.role not in STAGES:
        yield f"logs in as {config.role}, for which vault/ has no role"
        return
    yield from _login(pod, role, config)
    yield from _token(pod, container, role)
    if config.path != f"mlops/{config.role}":
        yield f"reads {config.path}, which is not its own"
    paths = {path for policy in role["token_policies"] for path in readable(policy)}
    if f"{config.mount}/data/{config.path}" not in paths:
        yield f"may not read {config.mount}/data/{config.path}"


def _login(pod: Pod, role: dict[str, Any], config: VaultConfig) -> Iterator[str]:
    account = pod.spec.get("serviceAccountName")
    if account not in role["bound_service_account_names"]:
        yield f"runs as {account}, and role {config.role} is bound to another account"
    if role["bound_service_account_namespaces"] != [pod.namespace]:
        yield f"role {config.role} is bound to another namespace"
    if not (FOLDER / "auth" / f"{config.auth_mount}.json").is_file():
        yield f"vault/ sets no auth method up at {config.auth_mount}"


def _token(pod: Pod, container: Object, role: dict[str, Any]) -> Iterator[str]:
    mounts = {each["mountPath"]: each["name"] for each in container.get("volumeMounts", [])}
    place = str(PurePosixPath(SERVICE_ACCOUNT_TOKEN).parent)
    sources = [
        source["serviceAccountToken"]
        for volume in pod.spec["volumes"]
        if volume["name"] == mounts.get(place)
        for source in volume.get("projected", {}).get("sources", [])
        if "serviceAccountToken" in source
    ]
    if len(sources) != 1 or sources[0]["path"] != SERVICE_ACCOUNT_TOKEN.name:
        yield f"has no token at {SERVICE_ACCOUNT_TOKEN}"
    elif sources[0].get("audience") != role["audience"]:
        yield f"its token is for {sources[0].get('audience')}, Vault wants {role['audience']}"


def _role(name: str) -> dict[str, Any] | None:
    path = FOLDER / "roles" / "kubernetes" / f"{name}.json"
    if not path.is_file():
        return None
    found: dict[str, Any] = json.loads(path.read_text().replace("${namespace}", NAMESPACE))
    return found


def readable(policy: str) -> list[str]:
    """The paths that a policy lets read."""
    return _READS.findall((FOLDER / "policies" / f"{policy}.hcl").read_text())
