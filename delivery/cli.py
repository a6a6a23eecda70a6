"""The commands: each imports the module that does the work when it runs."""

import json
import re
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from os import environ
from pathlib import Path
from typing import TYPE_CHECKING, Final

from delivery.errors import DeliveryError, InputError, RefusedError
from delivery.git import Repository
from delivery.options import parser

if TYPE_CHECKING:
    from delivery.judgement import Judge
    from delivery.records import Sign

_REMOTE: Final = re.compile(r"github\.com[:/]([\w.-]+/[\w.-]+?)(?:\.git)?/?$")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    options = parser().parse_args(arguments)
    try:
        return _COMMANDS[options.command](options) or 0
    except DeliveryError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


def _changes(options: Namespace) -> None:
    from delivery.changes import decide

    repository = Repository(options.clone)
    found = decide(repository, repository.commit(options.commit), options.stage)
    print(json.dumps(found.as_json()) if options.json else f"build: {found.build}, {found.reason}")
    _output(options.outputs, build=json.dumps(found.build), inputs=found.fingerprint)


def _tests(options: Namespace) -> None:
    from delivery.inputs import stage_tests

    repository = Repository(options.clone)
    print(*stage_tests(repository, repository.commit(options.commit), options.stage))


def _login(options: Namespace) -> None:
    from delivery.login import job_tokens

    tokens = job_tokens()
    for token in tokens.values():
        print(f"::add-mask::{token}", flush=True)
    _output(options.outputs, **tokens)


def _sbom(options: Namespace) -> None:
    from delivery.sbom import bill_of_materials
    from delivery.stages import image_name

    found = bill_of_materials(options.archive, image_name(options.stage))
    options.to.write_text(json.dumps(found), encoding="utf-8")
    print(f"{options.stage}: {len(found['components'])} packages")


def _result(options: Namespace) -> None:
    from delivery.results import result

    given = {"containers": options.containers, "load": options.load}
    found = result(options.stage, {name: path for name, path in given.items() if path})
    options.to.write_text(json.dumps(found), encoding="utf-8")
    print(f"{options.stage}: {len(found['passedTests'])} tests passed")


def _attest(options: Namespace) -> None:
    from delivery.attestations import SBOM, TESTED, statement
    from delivery.registry import Registry
    from delivery.signatures import BUNDLE, sign, trust
    from delivery.stages import repository

    said = json.loads(options.predicate.read_text(encoding="utf-8"))
    kind = {"sbom": SBOM, "tested": TESTED}[options.type]
    bundle = sign(statement(options.stage, options.digest, kind, said), trust(options.trust_config))
    with Registry(repository(options.stage), base=options.registry) as registry:
        print(registry.attach(options.digest, BUNDLE, bundle))


def _update(options: Namespace) -> None:
    from delivery.evidence import evidence, image_exists
    from delivery.update import Built, update

    judge, stage = _judge(options), options.stage
    with judge.registry(stage) as registry:
        image_exists(registry, options.digest)
        found = evidence(registry, stage, options.digest, judge.verify(stage))
    if options.commit not in found.sources:
        raise RefusedError(
            f"{stage} {options.digest[:19]} is not proven to be tested at {options.commit[:12]}",
            hint="; ".join(found.refused) or "nothing attests it",
        )
    outcome = update(Repository(options.clone), Built(stage, options.digest, options.commit))
    print(outcome.reason)


def _plan(options: Namespace) -> int:
    from delivery.promotion import Branches, make_plan
    from delivery.report import as_json, as_markdown, as_text

    repository = Repository(options.clone)
    branches = Branches.of(repository, local=options.local)
    plan = make_plan(repository, branches, _judge(options), candidate=options.candidate)
    print(json.dumps(as_json(plan)) if options.json else as_text(plan))
    if options.markdown:
        options.markdown.write_text(as_markdown(plan), encoding="utf-8")
    _output(
        options.outputs,
        allowed=json.dumps(plan.allowed),
        candidate=plan.candidate,
        commits=str(len(plan.commits)),
    )
    return RefusedError.exit_code if options.strict and not plan.allowed else 0


def _promote(options: Namespace) -> None:
    from delivery.promotion import promote, record_promotion
    from delivery.report import as_json, as_text
    from delivery.signatures import has_identity

    judge = _judge(options)
    plan = promote(Repository(options.clone), judge, options.candidate)
    if has_identity():
        record_promotion(judge, plan, _signer(options))
    else:
        print("note: not a job of GitHub's, so no rollback can go back to this", file=sys.stderr)
    print(json.dumps(as_json(plan)) if options.json else as_text(plan, manifests=False))


def _rollback(options: Namespace) -> None:
    from delivery.rollback import rollback

    judge, repository = _judge(options), Repository(options.clone)
    found = rollback(repository, judge, options.stage, options.reason, sign=_signer(options))
    print(found.text)


def _secrets(options: Namespace) -> None:
    from delivery.leaks import search

    repository = Repository(options.clone)
    found = search(repository, options.since)
    print(json.dumps(found) if options.json else "\n".join(found) or "no credential found")
    if found:
        raise RefusedError(
            f"{len(found)} credentials stand in the history",
            hint="revoke them first, whatever happens to the commits",
        )


def _judge(options: Namespace) -> "Judge":
    """The real registry and Sigstore's public instance, unless the command line names others."""
    from functools import cache, partial

    from delivery.judgement import Judge
    from delivery.records import WORKFLOWS
    from delivery.registry import Registry
    from delivery.signatures import Identity, trust, verify
    from delivery.stages import repository

    name, config = _repository(options), cache(lambda: trust(options.trust_config))
    return Judge(
        registry=lambda stage: Registry(repository(stage), base=options.registry),
        verify=lambda stage: partial(verify, who=Identity.of_stage(name, stage), config=config()),
        verify_record=lambda kind: partial(
            verify, who=Identity.on_main(name, WORKFLOWS[kind]), config=config()
        ),
    )


def _signer(options: Namespace) -> "Sign":
    from delivery.signatures import sign, trust

    return lambda statement: sign(statement, trust(options.trust_config))


def _repository(options: Namespace) -> str:
    """OWNER/NAME on GitHub, in which the workflows that sign live."""
    found = options.repository or environ.get("GITHUB_REPOSITORY")
    if not found:
        clone = Repository(options.clone)
        url = clone.text("remote", "get-url", clone.remote) if clone.has_remote() else ""
        match = _REMOTE.search(url)
        found = match[1] if match else None
    if not found:
        raise InputError(
            "whose signatures count is not known: no remote is on GitHub",
            hint="say --repository OWNER/NAME",
        )
    return str(found)


def _output(path: Path | None, **values: str) -> None:
    """GitHub's way for a step to tell a later one."""
    if path is not None:
        with path.open("a", encoding="utf-8") as file:
            file.writelines(f"{name}={value}\n" for name, value in values.items())


_COMMANDS: Final[dict[str, Callable[[Namespace], int | None]]] = {
    "changes": _changes,
    "tests": _tests,
    "login": _login,
    "sbom": _sbom,
    "result": _result,
    "attest": _attest,
    "update": _update,
    "plan": _plan,
    "promote": _promote,
    "rollback": _rollback,
    "secrets": _secrets,
}
