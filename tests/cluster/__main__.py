"""`make test-cluster`: what Argo and Spark do with the manifests, on the cluster of this context.

    python -m cluster                                 kind or k3d: images are built and loaded
    python -m cluster --image model-serving=REF,REF2 --image spark-preprocess=REF
    python -m cluster --install argo-cd=present --install argo-rollouts=FILE_OR_URL

It takes 30 to 45 minutes, prints what it does, and takes away what it brought. Exit codes: 0 all
held, 1 something did not, 2 wrong options, 130 interrupted.
"""

import argparse
import json
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cluster import checks, images, installing, safety, servers
from cluster.kubectl import ClusterError, Kubectl, say, until
from cluster.repository import ROOT, Repository
from cluster.world import NAMESPACE, SPARK_NAMESPACE, World
from support.sample import sample_file


def parser() -> argparse.ArgumentParser:
    """The options."""
    found = argparse.ArgumentParser(
        prog="make test-cluster", description=(__doc__ or "").partition("\n")[0]
    )
    found.add_argument("--context", help="context of kubectl (the current one)")
    found.add_argument("--yes", action="store_true", help="do not ask, even if it is not local")
    found.add_argument("--keep", action="store_true", help="leave everything as it is at the end")
    found.add_argument(
        "--clean",
        action="store_true",
        help="only take away what an earlier run left: the namespaces of the test, and what "
        "--install does not call present",
    )
    found.add_argument(
        "--image",
        action="append",
        default=[],
        metavar="NAME=REF[,REF]",
        help="model-serving (two: one after the other), spark-preprocess, or one of others: "
        "openbao, mongo, s3, locust",
    )
    found.add_argument(
        "--install",
        action="append",
        default=[],
        metavar="NAME=FILE|URL|present",
        help="another manifest of argo-rollouts, argo-cd, prometheus-operator, or of what is in "
        "the namespace vault, mongodb, s3 or monitoring; present: it is there, and stays",
    )
    found.add_argument(
        "--vault-token",
        default=servers.ROOT_TOKEN,
        help="token that may do everything in a Vault that is present",
    )
    found.add_argument(
        "--namespace",
        action="append",
        default=[],
        help="a namespace that is there and may be: its cluster still counts as empty",
    )
    found.add_argument(
        "--only", action="append", default=[], help="a check; the others are left out"
    )
    found.add_argument("--list", action="store_true", help="name the checks, and do nothing")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Install, check, take away; the exit code."""
    options = parser().parse_args(arguments)
    if options.list:
        for check in checks.ALL:
            print(f"{check.__name__}: {sentence(check)}")
        return 0
    try:
        return run(options)
    except ClusterError as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        return 130


def run(options: argparse.Namespace) -> int:
    """Everything, in order. Raises ClusterError."""
    kubectl = Kubectl(options.context or safety.current_context(Kubectl("")))
    given = images.chosen(options.image)
    manifests = {name: refs[0] for name, refs in images.chosen(options.install).items()}
    controllers = installing.controllers(manifests)
    present = [one.namespace for one in controllers if one.manifest == installing.PRESENT]
    present += [name for name, manifest in manifests.items() if manifest == installing.PRESENT]
    wanted = checks_named(options.only)
    safety.check_place(kubectl, yes=options.yes)
    if options.clean:
        take_away(kubectl, controllers, manifests)
        return 0
    safety.check_empty(kubectl, [*present, *options.namespace])
    ours = images.provide(kubectl.context, given)
    others = servers.default_images() | {
        name: references[0] for name, references in given.items() if name not in images.STAGES
    }
    say(f"context {kubectl.context}; images {ours}; others {others}")
    with tempfile.TemporaryDirectory(prefix="pullrisk-cluster-") as folder:
        repository = Repository(Path(folder) / "repository", ours, others)
        world = World(kubectl, repository)
        try:
            serving = ours["model-serving"][0]
            for controller in controllers:
                installing.install(kubectl, controller)
            installing.start_servers(kubectl, others, serving, manifests)
            prepare(world, serving, options.vault_token)
            return check_all(world, wanted)
        finally:
            if options.keep:
                say("everything is left as it is")
            else:
                take_away(kubectl, controllers, manifests)


def prepare(world: World, serving: str, vault_token: str) -> None:
    """Secrets, pull requests, the first commit, the Application, a client."""
    installing.wait_for_prometheus(world.kubectl)
    installing.fill_vault(world.kubectl, vault_token)
    installing.fill_store(world.kubectl, sample_file())
    world.repository.start()
    commit = world.push("Release 1")
    folder = ROOT / "argo-apps" / "clusters" / "staging"
    url = installing.git_url(world.kubectl)
    world.kubectl.apply(installing.application(folder, world.kubectl, url))
    world.refresh()
    world.wait_until_applied(commit)
    from support.serving import opened

    world.kubectl.apply(servers.client(serving, json.dumps(opened())), "pullrisk-client")
    until("the Rollout", lambda: bool(world.rollout()), seconds=60)


def check_all(world: World, wanted: Sequence[Callable[[World], None]]) -> int:
    """Every check, one after the other, to the first that fails; the exit code."""
    for place, check in enumerate(wanted, start=1):
        say(f"[{place}/{len(wanted)}] {sentence(check)}")
        try:
            check(world)
        except ClusterError as error:
            say(f"FAILED {check.__name__}: {error}")
            show(world)
            return 1
        except Exception:
            say(f"FAILED {check.__name__}: {traceback.format_exc()}")
            show(world)
            return 1
        say(f"held: {check.__name__}")
    say(f"{len(wanted)} checks held")
    return 0


def show(world: World) -> None:
    """What helps to see why: pods, analyses and late events of the namespaces."""
    for namespace, *words in (
        (NAMESPACE, "get", "pods,jobs,analysisruns,rollouts", "--output", "wide"),
        (NAMESPACE, "get", "events", "--sort-by=.lastTimestamp"),
        (SPARK_NAMESPACE, "get", "pods,jobs", "--output", "wide"),
        (SPARK_NAMESPACE, "get", "events", "--sort-by=.lastTimestamp"),
    ):
        try:
            shown = world.kubectl.run(*words, namespace=namespace)
            say(f"kubectl {' '.join(words)}\n{shown[-6000:]}")
        except ClusterError as error:
            say(str(error))


def take_away(
    kubectl: Kubectl, controllers: Sequence[installing.Controller], manifests: Mapping[str, str]
) -> None:
    """Everything that `prepare` brought; goes on where one step fails, and says so."""
    steps: list[Callable[[], None]] = [
        lambda: _delete_application(kubectl),
        lambda: installing.remove_servers(kubectl, manifests),
        *(lambda one=one: installing.remove(kubectl, one) for one in reversed(controllers)),
    ]
    for step in steps:
        try:
            step()
        except ClusterError as error:
            say(f"not taken away: {error}")


def _delete_application(kubectl: Kubectl) -> None:
    """Delete the Application and its project, so that nothing is made anew."""
    if kubectl.find("crd", "applications.argoproj.io"):
        kubectl.delete("applications.argoproj.io", "pullrisk", "argocd")
        kubectl.delete("appprojects.argoproj.io", "pullrisk", "argocd")


def checks_named(names: Sequence[str]) -> list[Callable[[World], None]]:
    """The checks of these names, all if none is named. Raises ClusterError."""
    known = {check.__name__: check for check in checks.ALL}
    if unknown := sorted(set(names) - set(known)):
        raise ClusterError(f"no check is called {', '.join(unknown)}; known are {', '.join(known)}")
    return [check for name, check in known.items() if not names or name in names]


def sentence(check: Callable[[World], None]) -> str:
    """What has to be so, in one sentence."""
    return (check.__doc__ or "").partition("\n")[0]


if __name__ == "__main__":
    sys.exit(main())
