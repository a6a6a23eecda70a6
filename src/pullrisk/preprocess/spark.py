"""`preprocess_spark`: the same replay, its repositories shared out over a Spark cluster.

Tasks read the store and write the lake themselves, with the code of the local engine; Spark
schedules, retries and counts them. Neither pulls nor rows pass through the JVM, and nothing is
shuffled: a repository is replayed where it is read. What is new in it the task finds out too, so
that the driver holds no more than a line for each repository. The driver makes the one commit.
"""

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from pullrisk import errors
from pullrisk.errors import LakeError, MissingExtraError, PullriskError, SettingsError
from pullrisk.lake import AddedFile, Lake
from pullrisk.lake.delta import HISTORY_NUMBERS
from pullrisk.lake.objects import Objects
from pullrisk.lake.schema import TABLE
from pullrisk.lake.writer import run_files
from pullrisk.options import SparkOptions
from pullrisk.preprocess.plan import Plan, Work, compared, pack, sketch
from pullrisk.preprocess.replay import ReplayedRepository, Replayer
from pullrisk.preprocess.run import PreprocessReport, run_once
from pullrisk.preprocess.spark_session import check_java, check_master, spark_session
from pullrisk.progress import Progress, Silent, Task
from pullrisk.pulls.store import PullStore

if TYPE_CHECKING:
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

_POLL_SECONDS: Final = 0.5
_COMPARED_HERE: Final = 1_000_000
"""Pulls that are compared with the lake in the seconds that a session takes to start."""
_RAISED: Final = re.compile(r"pullrisk\.errors\.(\w+): ([^\n]+)(?:\n  (\S[^\n]*))?")


def preprocess_spark(  # noqa: PLR0913  # those of `preprocess`, and a session to share
    store: PullStore,
    lake: Lake,
    *,
    options: SparkOptions | None = None,
    json_logs: bool = False,
    spark: "SparkSession | None" = None,
    repositories: Sequence[str] | None = None,
    full: bool = False,
    progress: Progress | None = None,
) -> PreprocessReport:
    """Like `preprocess`, on Spark; the same rows, bit for bit.

    Starts a session with `options` unless `spark` is given; `json_logs` is for its log.
    Raises what `preprocess` raises, and MissingExtraError without pyspark or Java.
    """
    options = options or SparkOptions()
    _check(options, store, lake, has_session=spark is not None)
    start = partial(spark_session, options, json_logs=json_logs)
    engine = _SparkEngine(store, lake, start, spark, progress or Silent())
    return run_once(
        store,
        lake,
        replay=engine.replay,
        make_plan=sketch,
        repositories=repositories,
        full=full,
    )


def _check(options: SparkOptions, store: PullStore, lake: Lake, *, has_session: bool) -> None:
    """What can be known before work starts."""
    from importlib.util import find_spec

    if find_spec("pyspark") is None:
        raise MissingExtraError.of("pyspark", "spark")
    if not has_session:
        check_java()
        check_master(options)
    if options.kubernetes and lake.files.s3 is None:
        raise SettingsError(
            f"executor pods cannot write to the folder {lake.uri}",
            hint="set PULLRISK_LAKE to s3://BUCKET/PREFIX",
        )
    if options.kubernetes and type(store).__name__ == "SqliteStore":
        raise SettingsError(
            "executor pods cannot read an SQLite file of this machine",
            hint="set PULLRISK_STORE to mongodb://HOST/DATABASE",
        )


class _SparkEngine:
    def __init__(
        self,
        store: PullStore,
        lake: Lake,
        start: Callable[[], AbstractContextManager["SparkSession"]],
        spark: "SparkSession | None",
        progress: Progress,
    ) -> None:
        self._store, self._lake, self._start = store, lake, start
        self._spark, self._progress = spark, progress

    def replay(self, todo: Plan, run: int) -> tuple[list[AddedFile], list[ReplayedRepository]]:
        """Every work of the plan, as the tasks of one Spark job."""
        if not todo.works:
            return [], []
        if self._spark is not None:
            return self._replay(self._spark.sparkContext, todo, run)
        if not self._anything_new(todo):
            return [], []
        with self._start() as session:
            return self._replay(session.sparkContext, todo, run)

    def _anything_new(self, todo: Plan) -> bool:
        """Whether a session is worth its start: looked up here where that is quicker."""
        if sum(work.size for work in todo.works) > _COMPARED_HERE:
            return True
        objects = self._lake.objects
        return any(compared(self._store, objects, work) is not None for work in todo.works)

    def _replay(
        self, context: "SparkContext", todo: Plan, run: int
    ) -> tuple[list[AddedFile], list[ReplayedRepository]]:
        shares = [
            Share(works, Replayer(self._store, self._lake.files, run))
            for works in pack(todo.works, slots=context.defaultParallelism)
        ]
        group = f"pullrisk-{run}"
        context.setJobGroup(group, f"replay {len(todo.works)} repositories")
        with self._progress.task("Replaying on Spark", total=len(shares), unit="tasks") as task:
            watch = _Watch(context, group, task)
            try:
                results = context.parallelize(shares, len(shares)).map(replay_share).collect()
            except Exception as error:
                raise _translate_errors(error) from error
            except BaseException:
                context.cancelJobGroup(group)
                raise
            finally:
                watch.stop()
            watch.advance_to(len(shares))
        added = [file for files, _ in results for file in files]
        self._settle(added, run)
        return added, [each for _, replayed in results for each in replayed]

    def _settle(self, added: list[AddedFile], run: int) -> None:
        """Delete what lost attempts left; refuse where this process cannot see the tasks' files."""
        on_lake = {file.path: file.size for file in run_files(self._lake.files, run)}
        expected = {f"{TABLE}/{file.path}": file.size for file in added}
        if expected.items() - on_lake.items():
            raise LakeError(
                f"lake {self._lake.uri}: files that Spark's workers wrote are not there",
                hint="every worker has to write to the driver's lake: use s3://BUCKET/PREFIX, or "
                "a folder that all of them share",
            )
        for path in on_lake.keys() - expected.keys():
            self._lake.files.delete(path)


class Share(msgspec.Struct, frozen=True):
    """The sketched repositories of one task, and what replays them."""

    works: list[Work]
    replayer: Replayer


def replay_share(share: Share) -> tuple[list[AddedFile], list[ReplayedRepository]]:
    """Replay the share in this task; what it wrote is seen only if the driver commits it.

    A failed attempt deletes its files; one that is killed leaves orphans. Attempts at the same
    task share no file: rows are in uuid-named ones, histories carry the attempt's number.
    """
    replayed: list[ReplayedRepository] = []

    def notify(news: int | ReplayedRepository) -> None:
        if isinstance(news, ReplayedRepository):
            # The driver has no use for the fingerprints of millions of pulls.
            work = msgspec.structs.replace(news.work, pulls={})
            replayed.append(msgspec.structs.replace(news, work=work))

    replayer = share.replayer
    with replayer.store:
        number = replayer.run + 1 + _attempt() % (HISTORY_NUMBERS - 1)
        added = replayer.replay(_compared(share), notify, saved_as=number)
    return added, replayed


def _compared(share: Share) -> Iterator[Work]:
    """Each repository's work when its turn comes; those without are passed over."""
    store, objects = share.replayer.store, Objects(share.replayer.files)
    for sketched in share.works:
        work = compared(store, objects, sketched)
        if work is not None:
            yield work


def _attempt() -> int:
    """The attempt's number, unique in the application."""
    from pyspark import TaskContext

    context = TaskContext.get()
    return 0 if context is None else context.taskAttemptId()


class _Watch:
    """Tells a task of the progress how many tasks of a job group Spark has completed."""

    def __init__(self, context: "SparkContext", group: str, task: Task) -> None:
        self._tracker, self._group, self._task = context.statusTracker(), group, task
        self._told = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._poll, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the watching."""
        self._stopped.set()
        self._thread.join()

    def advance_to(self, completed: int) -> None:
        """So many tasks are complete."""
        if completed > self._told:
            self._task.advance(completed - self._told)
            self._told = completed

    def _poll(self) -> None:
        while not self._stopped.wait(_POLL_SECONDS):
            self.advance_to(self._completed())

    def _completed(self) -> int:
        jobs = [
            self._tracker.getJobInfo(job) for job in self._tracker.getJobIdsForGroup(self._group)
        ]
        stages = [
            self._tracker.getStageInfo(stage) for job in jobs if job for stage in job.stageIds
        ]
        return sum(stage.numCompletedTasks for stage in stages if stage)


def _translate_errors(error: Exception) -> PullriskError:
    """The error that a task raised, out of the traceback that Spark wraps it in."""
    raised = _RAISED.findall(str(error))
    if not raised:
        first = str(error).strip().partition("\n")[0]
        return PullriskError(f"Spark failed: {first}", hint="the lake is as it was; run again")
    name, message, hint = raised[-1]
    kind = getattr(errors, name, PullriskError)
    return (
        kind(message, hint=hint or None)
        if issubclass(kind, PullriskError)
        else PullriskError(message)
    )
