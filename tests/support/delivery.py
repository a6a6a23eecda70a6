"""A project small enough for tests with real parts: Git, a registry, a Sigstore, kustomize."""

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from delivery.attestations import PROVENANCE, REQUIRED, SBOM, TESTED, statement, suites
from delivery.cli import main
from delivery.registry import MANIFEST, Manifest, Registry, sha256
from delivery.signatures import BUNDLE, sign, trust
from delivery.stages import KUSTOMIZATION, repository
from support.project import project
from support.repositories import git, git_bytes
from support.sigstore import Sigstore
from support.sigstore_parts import claims, claims_on_main

OWNER: Final = "acme/pullrisk"


@dataclass
class World:
    """A bare origin, a clone, the servers; what CI does is done by the same commands."""

    folder: Path
    registry: str
    sigstore: Sigstore
    tested: set[str] = field(default_factory=set)
    """Digests that a whole good run stands behind."""
    clone: Path = field(init=False)

    def __post_init__(self) -> None:
        self.origin = self.folder / "origin.git"
        self.clone = self.folder / "clone"

    def begin(self) -> "World":
        """Make the origin with the project on main and staging, no image built yet."""
        git(self.folder, "init", "-q", "--bare", "-b", "main", str(self.origin))
        self.checkout()
        git(self.clone, "checkout", "-q", "-b", "main")
        self.commit(project(), "Begin")
        git(self.clone, "push", "-q", "origin", "main", "main:staging")
        return self

    def copy(self, folder: Path) -> "World":
        """Another project with the same history; registry and Sigstore are the same."""
        shutil.copytree(self.origin, folder / "origin.git")
        return World(folder, self.registry, self.sigstore, set(self.tested)).checkout()

    def checkout(self) -> "World":
        """A fresh clone, as each CI job has one."""
        git(self.folder, "clone", "-q", str(self.origin), str(self.clone))
        return self

    def beside(self) -> "World":
        """The same project from another clone: that of a job which runs at the same time."""
        other = World(self.folder, self.registry, self.sigstore, self.tested)
        other.clone = self.folder / "beside"
        return other.checkout()

    def commit(self, files: Mapping[str, str | None], subject: str) -> str:
        """Commit these files in the clone; None deletes one."""
        for name, text in files.items():
            path = self.clone / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                path.unlink()
            else:
                path.write_text(text, encoding="utf-8")
        git(self.clone, "add", "-A")
        git(self.clone, "commit", "-q", "--allow-empty", "-m", subject)
        return self.tip("HEAD")

    def push(
        self, files: Mapping[str, str | None], subject: str = "Change", *, branch: str = "staging"
    ) -> str:
        """A developer's commit on top of the branch."""
        git(self.clone, "fetch", "-q", "origin")
        known = git(self.clone, "branch", "-r", "--list", f"origin/{branch}")
        git(self.clone, "checkout", "-q", "--detach", known or "origin/staging")
        commit = self.commit(files, subject)
        git(self.clone, "push", "-q", "origin", f"HEAD:refs/heads/{branch}")
        return commit

    def force(self, commit: str, branch: str = "staging") -> None:
        """Somebody rewrites the branch."""
        git(self.clone, "push", "-q", "--force", "origin", f"{commit}:refs/heads/{branch}")

    def tip(self, revision: str) -> str:
        return git(self.clone, "rev-parse", revision)

    def branch(self, name: str) -> str:
        """The origin's branch, now."""
        return git(self.origin, "rev-parse", f"refs/heads/{name}")

    def shown(self, branch: str, path: str = KUSTOMIZATION) -> str:
        return git_bytes(self.origin, "show", f"refs/heads/{branch}:{path}").decode()

    def image(self, stage: str, *, tag: str) -> str:
        """Build and push an image that no other is equal to; its digest."""
        layer, config = os.urandom(64), json.dumps({"architecture": "amd64", "tag": tag}).encode()
        parts = [(each, sha256(each)) for each in (config, layer)]
        kinds = ("config", "layer.tar")
        described = [
            {"mediaType": f"application/vnd.oci.image.{kind}.v1", "digest": own, "size": len(data)}
            for kind, (data, own) in zip(kinds, parts, strict=True)
        ]
        body = {"schemaVersion": 2, "mediaType": MANIFEST}
        body |= {"config": described[0], "layers": described[1:]}
        made = Manifest(MANIFEST, json.dumps(body).encode())
        with self.home(stage) as registry:
            for data, own in parts:
                registry.put_blob(own, data, len(data))
            registry.put_manifest(tag, made)
        return made.digest

    def home(self, stage: str) -> Registry:
        return Registry(repository(stage), base=self.registry)

    def attest(
        self,
        stage: str,
        digest: str,
        source: str,
        *,
        kinds: tuple[str, ...] = REQUIRED,
        job: Mapping[str, str] | None = None,
        predicates: Mapping[str, Any] | None = None,
        text_of: str | None = None,
        sigstore: Sigstore | None = None,
    ) -> None:
        """Sign what a good run signs, with each lie that is asked for."""
        signer = sigstore or self.sigstore
        signer.job = claims(OWNER, stage, source) | dict(job or {})
        said = good(stage, source) | dict(predicates or {})
        config = trust(signer.trust_config)
        with self.home(stage) as registry:
            for kind in kinds:
                bundle = sign(statement(stage, text_of or digest, kind, said[kind]), config)
                registry.attach(digest, BUNDLE, bundle)

    def update(self, stage: str, digest: str, source: str) -> int:
        """The bot's step; its exit code."""
        return self.run("update", "--stage", stage, "--digest", digest, "--commit", source)

    def release(self, stage: str, source: str) -> str:
        """A whole good run of the stage's workflow on that commit."""
        digest = self.image(stage, tag=source)
        self.attest(stage, digest, source)
        assert self.update(stage, digest, source) == 0
        self.tested.add(digest)
        return digest

    def hook(self, name: str, script: str) -> None:
        """A hook of Git's in the clone: what others do at the very worst moment, once."""
        path = self.clone / ".git" / "hooks" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\nrm -f {path}\nunset GIT_DIR\ncd {self.clone}\n{script}\n")
        path.chmod(0o755)

    def running(self) -> set[str]:
        """The digests on main."""
        return set(re.findall(r"sha256:[0-9a-f]{64}", self.shown("main")))

    def promote(self, candidate: str | None = None) -> int:
        """The promotion of staging's tip; its exit code."""
        self.job_on_main("promote")
        return self.run("promote", "--candidate", candidate or self.branch("staging"))

    def rollback(self, stage: str, reason: str = "It answers wrongly") -> int:
        """The workflow that goes back; its exit code."""
        self.job_on_main("rollback")
        return self.run("rollback", "--stage", stage, "--reason", reason)

    def audit(self) -> int:
        """The judgement of what main is, as the workflow makes it after a push; its exit code."""
        return self.run("plan", "--strict", "--candidate", self.branch("main"))

    def job_on_main(self, workflow: str, **changed: str) -> None:
        """From now on, what is signed is signed by a job of this workflow."""
        self.sigstore.job = claims_on_main(OWNER, workflow, self.branch("main"), **changed)

    def run(self, command: str, *arguments: str) -> int:
        """`python -m delivery`, judging by this world's registry and Sigstore."""
        servers = ["--registry", self.registry, "--trust-config", str(self.sigstore.trust_config)]
        who = ["--repository", OWNER]
        return main(["--clone", str(self.clone), command, *servers, *who, *arguments])


def good(stage: str, source: str) -> dict[str, Any]:
    """The predicates of a good run."""
    configuration = [{"name": name, "digest": {"sha256": "1" * 64}} for name in suites(stage)]
    return {
        PROVENANCE: {
            "buildDefinition": {"resolvedDependencies": [{"digest": {"gitCommit": source}}]}
        },
        SBOM: {"bomFormat": "CycloneDX", "components": [{"name": "numpy"}]},
        TESTED: {
            "result": "PASSED",
            "configuration": configuration,
            "passedTests": ["containers: it answers"],
            "failedTests": [],
        },
    }
