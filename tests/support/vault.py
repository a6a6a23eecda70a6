"""What several tests of secrets share."""

import json
import shutil
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from pullrisk.secrets.admin import Admin
from pullrisk.secrets.bootstrap import bootstrap
from pullrisk.secrets.config import VaultConfig
from pullrisk.secrets.folder import read_folder
from pullrisk.secrets.names import STAGES
from support.bao import Bao
from support.certificates import Certificates
from support.kubernetes_api import ServiceAccounts, TokenReviews

VAULT = Path(__file__).parents[2] / "vault"
GITHUB = "https://token.actions.githubusercontent.com"
JOB = {
    "sub": "repo:acme/pullrisk:environment:staging",
    "aud": "vault",
    "repository": "acme/pullrisk",
    "ref": "refs/heads/staging",
    "environment": "staging",
}
"""What GitHub says of a job that CI's role lets in."""
MARK = "0f1e2d3c"
"""In every secret value of the tests."""


def marked(stage: str, name: str) -> str:
    """A value that can be recognised wherever it turns up."""
    return f"{name}-of-{stage}-{MARK}"


def operator(bao: Bao, *, namespace: str | None = None) -> Admin:
    """The root token's way in."""
    ca = bao.tls.authority if bao.tls else None
    config = VaultConfig(bao.address, role="", path="", ca_file=ca, namespace=namespace)
    return Admin(config, SecretStr(bao.root))


def install(bao: Bao, folder: Path, *, namespace: str | None = None) -> None:
    """Set a server up as `pullrisk vault bootstrap` does, with a value for every name."""
    loaded = {
        stage: {name: SecretStr(marked(stage, name)) for name in needs.names}
        for stage, needs in STAGES.items()
    }
    wanted = read_folder(folder, {"namespace": "pullrisk", "repository": "acme/pullrisk"})
    bootstrap(operator(bao, namespace=namespace), wanted, loaded)


def trusting(
    folder: Path, reviews: TokenReviews, certificates: Certificates, github: ServiceAccounts
) -> Path:
    """A copy of the repository's `vault/` whose Kubernetes and GitHub are those of the tests."""
    shutil.copytree(VAULT, folder)
    kubernetes = {
        "kubernetes_host": reviews.url,
        "kubernetes_ca_cert": certificates.authority.read_text(),
        "token_reviewer_jwt": reviews.reviewer_token,
        "disable_local_ca_jwt": True,
    }
    jwt = {"jwt_validation_pubkeys": [github.public_pem], "bound_issuer": GITHUB}
    for kind, config in (("kubernetes", kubernetes), ("jwt", jwt)):
        path = folder / "auth" / f"{kind}.json"
        path.write_text(json.dumps({"type": kind, "config": config}))
    return folder


def put(bao: Bao, path: str, values: dict[str, Any]) -> None:
    """Write a secret's next version."""
    bao.client.secrets.kv.v2.create_or_update_secret(path, secret=values, mount_point="secret")


def role(bao: Bao, name: str, *, account: str, path: str, **more: Any) -> None:
    """A role of Kubernetes auth that may read one path; `more` sets its token's terms."""
    rules = f'path "{path}" {{ capabilities = ["read"] }}'
    bao.client.sys.create_or_update_policy(name, rules)
    data = {
        "bound_service_account_names": [account],
        "bound_service_account_namespaces": ["pullrisk"],
        "audience": "vault",
        "token_policies": [name],
        **more,
    }
    bao.client.write_data(f"auth/kubernetes/role/{name}", data=data)
