"""One function for each behaviour; its first line says what has to be so."""

import time
from collections.abc import Callable
from typing import Any, Final

import httpx

from cluster import state
from cluster.kubectl import BrokenError, say, until
from cluster.repository import EXECUTORS
from cluster.world import NAMESPACE, SPARK_NAMESPACE, World

SYNCS: Final = 10
WATCHED_SECONDS: Final = 20
ROLLBACK_SECONDS: Final = 30


def first_version_serves(world: World) -> None:
    """The first version comes up and answers a client."""
    world.wait_until_healthy(seconds=600)

    def answered() -> bool:
        return bool(world.report()["requests"])

    until("the client's first answer", answered, seconds=180)
    world.expect_no_failures()


def stages_without_an_image_are_suspended(world: World) -> None:
    """A CronJob whose image was never built does not start."""
    stages = [
        one
        for namespace in (NAMESPACE, SPARK_NAMESPACE)
        for one in world.kubectl.list("cronjobs", namespace)
    ]
    for one in stages:
        (container,) = one["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
        if container["image"].endswith("0" * 64) and not one["spec"].get("suspend"):
            raise BrokenError(f"CronJob {one['metadata']['name']} starts without an image")


def hash_stays_over_syncs(world: World) -> None:
    """Ten syncs that apply both services leave the version's hash in their selectors."""
    before = world.selected()
    if not all(before):
        raise BrokenError(f"a selector has no hash: {before}")
    for number in range(1, SYNCS + 1):
        world.apply(f"Touch both services: {number}", touched=number)
        found = world.selected()
        if found != before:
            raise BrokenError(f"after sync {number} the selectors' hashes are {found}")
    world.expect_no_failures()


def nothing_stays_out_of_sync(world: World) -> None:
    """What is applied is what Git says: no default of Kubernetes keeps anything out of sync."""
    until(
        "the Application to be in sync",
        lambda: not state.out_of_sync(world.application()),
        seconds=60,
        shown=lambda: state.out_of_sync(world.application()),
    )


def new_image_waits(world: World) -> None:
    """A new image waits for its analyses and for a person; the old one has all the traffic."""
    old = state.active(world.rollout())
    world.apply("Release 2", release=2)
    world.wait_for_rollout(
        "the new version to wait for a person", state.waits_for_a_person, seconds=600
    )
    watch(lambda: world.expect_traffic(old))
    world.expect_no_failures()


def other_stages_go_on(world: World) -> None:
    """A commit for another stage is applied while a preview waits."""
    schedule = "7 * * * *"
    world.apply("Another schedule of data-fetch", schedule=schedule)
    cron = world.kubectl.find("cronjob", "data-fetch", NAMESPACE)
    if cron["spec"]["schedule"] != schedule:
        raise BrokenError(f"data-fetch still starts at {cron['spec']['schedule']}")
    if not state.waits_for_a_person(world.rollout()):
        raise BrokenError("the new version no longer waits")


def promotion_switches(world: World) -> None:
    """After a person's word the new version has all the traffic, and none is lost."""
    new = state.newest(world.rollout())
    world.promote()
    world.wait_for_rollout("the switch", lambda rollout: state.active(rollout) == new, seconds=60)
    until("all traffic to go to the new version", lambda: world.traffic() == {new}, seconds=60)
    world.wait_until_healthy()  # the analysis after the switch, too
    world.expect_no_failures()


def old_pod_restarts(world: World) -> None:
    """A pod of the version before, still up for the way back, restarts."""
    new = state.active(world.rollout())
    old = [pod for pod in world.pods() if state.hash_of(pod) != new and state.is_ready(pod)]
    if not old:
        raise BrokenError("no pod of the version before is up")
    version, name = state.hash_of(old[0]), old[0]["metadata"]["name"]
    world.kubectl.delete("pod", name, NAMESPACE)

    def back() -> bool:
        ready = [pod for pod in world.pods(version) if state.is_ready(pod)]
        return len(ready) >= len([pod for pod in old if state.hash_of(pod) == version])

    until("a pod of the version before to be ready again", back, seconds=120)


def rollback_takes_seconds(world: World) -> None:
    """A commit that restores what ran before is live seconds after Argo CD has applied it."""
    new = state.active(world.rollout())
    old = {state.hash_of(pod) for pod in world.pods() if state.is_ready(pod)} - {new}
    world.apply("Back to release 1", release=1)
    started = time.monotonic()
    world.wait_for_rollout(
        "the way back", lambda it: state.active(it) in old, seconds=ROLLBACK_SECONDS
    )
    say(f"  back after {time.monotonic() - started:.1f} s")
    world.wait_until_healthy(seconds=180)
    world.expect_no_failures()


def wrong_version_gets_no_traffic(world: World) -> None:
    """A version that answers otherwise than recorded is stopped, and never gets traffic."""
    good = state.active(world.rollout())
    world.apply("A wrong release", release=3, wrong=True)

    def stopped() -> bool:
        world.expect_traffic(good)
        return state.phase(world.rollout()) == "Degraded"

    until(
        "the wrong version to be stopped",
        stopped,
        seconds=600,
        shown=lambda: state.rollout_state(world.rollout()),
    )
    world.apply("Back to release 1", release=1, wrong=False)
    world.wait_until_healthy(seconds=180)
    world.expect_traffic(good)
    world.expect_no_failures()


def spark_uses_executors(world: World) -> None:
    """Preprocessing runs on two executor pods, through Vault, MongoDB and S3."""
    name = "spark-by-hand"
    words = ("create", "job", name, "--from=cronjob/spark-preprocess")
    world.kubectl.run(*words, namespace=SPARK_NAMESPACE)
    seen: set[str] = set()

    def ended() -> str:
        for pod in world.kubectl.list("pods", SPARK_NAMESPACE, "spark-role=executor"):
            if pod.get("status", {}).get("phase") == "Running":
                seen.add(pod["metadata"]["name"])
        return state.job_state(world.kubectl.find("job", name, SPARK_NAMESPACE))

    found = until("the run on Spark to end", ended, seconds=900)
    log = world.kubectl.run("logs", f"job/{name}", namespace=SPARK_NAMESPACE)
    if found != "Complete" or len(seen) < EXECUTORS:
        raise BrokenError(f"{found}, executors {sorted(seen)}:\n{log[-3000:]}")
    say(f"  executors: {', '.join(sorted(seen))}")
    world.kubectl.delete("job", name, SPARK_NAMESPACE)


def pods_are_scraped_once(world: World) -> None:
    """Prometheus scrapes each pod of the service once, and tells versions apart."""

    def ask() -> list[Any]:
        with world.kubectl.forward("service/prometheus-operated", 9090, "monitoring") as port:
            answer = httpx.get(
                f"http://127.0.0.1:{port}/api/v1/query",
                params={"query": 'count by (pod) (up{namespace="pullrisk"} == 1)'},
                timeout=20,
            )
        found: list[Any] = answer.raise_for_status().json()["data"]["result"]
        return found

    found = until("Prometheus to scrape the service", ask, seconds=180, pause=5)
    twice = [one["metric"]["pod"] for one in found if one["value"][1] != "1"]
    if twice:
        raise BrokenError(f"scraped more than once: {', '.join(twice)}")


def watch(holds: Callable[[], None]) -> None:
    """Look again and again for a while; `holds` raises BrokenError where it is not so."""
    for _ in range(10):
        holds()
        time.sleep(WATCHED_SECONDS / 10)


ALL: Final[tuple[Callable[[World], None], ...]] = (
    first_version_serves,
    stages_without_an_image_are_suspended,
    hash_stays_over_syncs,
    nothing_stays_out_of_sync,
    new_image_waits,
    other_stages_go_on,
    promotion_switches,
    old_pod_restarts,
    rollback_takes_seconds,
    wrong_version_gets_no_traffic,
    spark_uses_executors,
    pods_are_scraped_once,
)
"""In this order: each goes on where the one before it ended."""
