"""`preprocess`: the engine of this machine, in this process or in several.

The parent hands out one repository at a time, the largest first, and hears of progress, of
each repository that is complete, and at the end of the files that wait for its commit.
Workers are spawned, not forked: delta-rs and Arrow run threads, which do not survive a fork.
"""

import signal
import traceback
from collections.abc import Iterable, Iterator, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Final

from pullrisk.errors import PullriskError
from pullrisk.lake import AddedFile, Lake
from pullrisk.lake.files import Files
from pullrisk.parent import end_with_parent
from pullrisk.preprocess.plan import Plan, Work
from pullrisk.preprocess.replay import Notify, Replayed, replay_all
from pullrisk.preprocess.run import PreprocessReport, run_once
from pullrisk.progress import Progress, Silent
from pullrisk.pulls.store import PullStore

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
    engine = _LocalEngine(store, lake.files, workers or 1, progress or Silent())
    return run_once(store, lake, replay=engine.replay, repositories=repositories, full=full)


class _LocalEngine:
    def __init__(self, store: PullStore, files: Files, workers: int, progress: Progress) -> None:
        self._store, self._files = store, files
        self._workers, self._progress = workers, progress

    def replay(self, todo: Plan, run: int) -> tuple[list[AddedFile], list[Replayed]]:
        """Every work of the plan, the largest first."""
        works = sorted(todo.works, key=lambda work: len(work.pulls), reverse=True)
        total = sum(len(work.pulls) for work in works)
        workers = min(self._workers, len(works), 1 + total // PULLS_PER_WORKER)
        store, files = self._store, self._files
        replayed: list[Replayed] = []
        with self._progress.task("Replaying history", total=total, unit="events") as task:

            def notify(news: int | Replayed) -> None:
                if isinstance(news, Replayed):
                    replayed.append(news)
                else:
                    task.advance(news)

            if workers > 1:
                added = replay_in_processes(
                    works, store=store, files=files, run=run, workers=workers, notify=notify
                )
            else:
                added = replay_all(works, store=store, files=files, run=run, notify=notify)
        return added, replayed


if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

_EXIT_SECONDS: Final = 5.0


def replay_in_processes(
    works: Iterable[Work], *, store: PullStore, files: Files, run: int, workers: int, notify: Notify
) -> list[AddedFile]:
    """Like `replay_all`, in `workers` processes; ends them all where one fails or dies."""
    pool = _Pool(works)
    try:
        for _ in range(workers):
            pool.start(store, files, run)
        return pool.join(notify)
    finally:
        pool.stop()


class _Pool:
    def __init__(self, works: Iterable[Work]) -> None:
        self._waiting = iter(works)
        self._processes: dict[Connection, BaseProcess] = {}
        self._current: dict[Connection, Work | None] = {}

    def start(self, store: PullStore, files: Files, run: int) -> None:
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, store, files, run), daemon=True)
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
            for connection in [one for one in talking if one in ready]:
                news = self._hear(connection)
                if isinstance(news, list):
                    files += news
                    talking.remove(connection)
                    continue
                notify(news)
                if isinstance(news, Replayed):
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

    def _hear(self, connection: Connection) -> int | Replayed | list[AddedFile]:
        try:
            news: int | Replayed | list[AddedFile] | PullriskError = connection.recv()
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


def _work(connection: Connection, store: PullStore, files: Files, run: int) -> None:
    """A worker's life: replay what the parent hands out until it hands out None."""
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends us
    try:
        with store:
            connection.send(
                replay_all(
                    _handed_out(connection),
                    store=store,
                    files=files,
                    run=run,
                    notify=connection.send,
                )
            )
    except (EOFError, ConnectionError):
        return  # the parent is gone, and with it the run
    except PullriskError as error:
        connection.send(error)
    except Exception:
        connection.send(PullriskError(f"a worker failed:\n{traceback.format_exc()}"))


def _handed_out(connection: Connection) -> Iterator[Work]:
    while (work := connection.recv()) is not None:
        yield work
