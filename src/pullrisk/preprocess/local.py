"""`preprocess`: the engine of this machine, in this process or in several.

The parent hands out one repository at a time, the largest first, and hears of progress, of
each repository that is complete, and at the end of the files that wait for its commit.
Workers are spawned, not forked: delta-rs and Arrow run threads, which do not survive a fork.
"""

import signal
import traceback
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Final

from pullrisk.errors import PullriskError
from pullrisk.lake import AddedFile, Lake
from pullrisk.lake.files import Files
from pullrisk.parent import end_with_parent
from pullrisk.preprocess.plan import Plan, Work, plan
from pullrisk.preprocess.replay import Notify, ReplayedRepository, Replayer
from pullrisk.preprocess.run import PreprocessReport, run_once
from pullrisk.progress import Progress, Silent
from pullrisk.pulls.store import PullStore

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

_EXIT_SECONDS: Final = 5.0
PULLS_PER_WORKER: Final = 5_000
"""A worker process takes half a second to start: fewer pulls than this are not worth one."""


def preprocess(
    store: PullStore,
    lake: Lake,
    *,
    workers: int | None = None,
    repositories: Sequence[str] | None = None,
    full: bool = False,
    progress: Progress | None = None,
) -> PreprocessReport:
    """Replay what is new in the store into the lake, in one atomic commit.

    `workers` processes share the repositories (None = one, in this process); each opens a
    pickled copy of the store. `repositories` limits the run to those named, `full` rebuilds
    them. Raises LakeError, StoreError and InputError; then the lake is as it was.
    """
    replay = partial(
        _replay,
        store=store,
        files=lake.files,
        workers=workers or 1,
        progress=progress or Silent(),
    )
    return run_once(
        store, lake, make_plan=plan, replay=replay, repositories=repositories, full=full
    )


def _replay(
    todo: Plan, run: int, *, store: PullStore, files: Files, workers: int, progress: Progress
) -> tuple[list[AddedFile], list[ReplayedRepository]]:
    """Every work of the plan, the largest first."""
    works = sorted(todo.works, key=lambda work: len(work.pulls), reverse=True)
    total = sum(len(work.pulls) for work in works)
    workers = min(workers, len(works), 1 + total // PULLS_PER_WORKER)
    replayed: list[ReplayedRepository] = []
    with progress.task("Replaying history", total=total, unit="events") as task:

        def notify(news: int | ReplayedRepository) -> None:
            if isinstance(news, ReplayedRepository):
                replayed.append(news)
            else:
                task.advance(news)

        replayer = Replayer(store, files, run)
        if workers > 1:
            added = replay_in_processes(works, replayer, workers=workers, notify=notify)
        else:
            added = replayer.replay(works, notify)
    return added, replayed


def replay_in_processes(
    works: Iterable[Work], replayer: Replayer, *, workers: int, notify: Notify
) -> list[AddedFile]:
    """Replay in `workers` processes; ends them all if one fails or dies."""
    pool = _Pool(works)
    try:
        for _ in range(workers):
            pool.start(replayer)
        return pool.join(notify)
    finally:
        pool.stop()


class _Pool:
    def __init__(self, works: Iterable[Work]) -> None:
        self._waiting = iter(works)
        self._processes: dict[Connection, BaseProcess] = {}
        self._current: dict[Connection, Work | None] = {}

    def start(self, replayer: Replayer) -> None:
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, replayer), daemon=True)
        process.start()
        theirs.close()
        self._processes[ours] = process
        self._current[ours] = None

    def join(self, notify: Notify) -> list[AddedFile]:
        """Hear all workers to their end; the files they wrote."""
        files: list[AddedFile] = []
        talking = list(self._processes)
        for connection in talking:
            self._hand_out(connection)
        while talking:
            ready = wait(talking)
            for connection in [each for each in talking if each in ready]:
                news = self._hear(connection)
                if isinstance(news, list):
                    files += news
                    talking.remove(connection)
                    continue
                notify(news)
                if isinstance(news, ReplayedRepository):
                    self._hand_out(connection)
        return files

    def stop(self) -> None:
        for connection, process in self._processes.items():
            connection.close()
            if self._current[connection] is not None:
                process.terminate()
            process.join(_EXIT_SECONDS)
            process.kill()
            process.join()

    def _hand_out(self, connection: Connection) -> None:
        self._current[connection] = next(self._waiting, None)
        try:
            connection.send(self._current[connection])
        except ConnectionError:
            raise self._death(connection) from None

    def _hear(self, connection: Connection) -> int | ReplayedRepository | list[AddedFile]:
        try:
            news: int | ReplayedRepository | list[AddedFile] | PullriskError = connection.recv()
        except (EOFError, ConnectionError):
            raise self._death(connection) from None
        if isinstance(news, PullriskError):
            raise news
        return news

    def _death(self, connection: Connection) -> PullriskError:
        process, work = self._processes[connection], self._current[connection]
        process.join(_EXIT_SECONDS)
        code = process.exitcode or 0
        killed = code < 0
        how = f"signal {signal.Signals(-code).name}" if killed else f"exit code {code}"
        return PullriskError(
            f"a worker died ({how}) while it replayed {work.repository if work else 'nothing'}",
            hint="the lake is as it was; "
            + (
                "often this is too little memory: run again with fewer workers"
                if killed
                else "what the worker printed says why; try again with one worker"
            ),
        )


def _work(connection: Connection, replayer: Replayer) -> None:
    """A worker's life: replay what the parent hands out until it hands out None."""
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends us
    try:
        with replayer.store:
            connection.send(replayer.replay(_handed_out(connection), connection.send))
    except (EOFError, ConnectionError):
        return  # the parent is gone, and with it the run
    except PullriskError as error:
        connection.send(error)
    except Exception:
        connection.send(PullriskError(f"a worker failed:\n{traceback.format_exc()}"))


def _handed_out(connection: Connection) -> Iterator[Work]:
    while (work := connection.recv()) is not None:
        yield work
