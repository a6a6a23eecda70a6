"""The processes: granian's workers, a drain before they stop, and a model swap on SIGHUP.

SIGTERM   every worker's readiness fails; after `drain` seconds the listener closes, requests
          under way finish within `grace` seconds. A second SIGTERM does not wait.
SIGHUP    every worker loads its model anew beside the present one.
"""

import asyncio
import ctypes
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from math import inf
from threading import Event, Timer
from time import monotonic, sleep
from typing import Any, Final

from granian.constants import HTTPModes, Interfaces, Loops
from granian.server.mp import MPServer

from pullrisk.errors import PullriskError, SettingsError
from pullrisk.options import ServeOptions
from pullrisk.parent import end_with_parent
from pullrisk.serve.background import Work, lasting
from pullrisk.serve.connections import ConnectionGuard, http1_settings
from pullrisk.serve.lifecycle import Lifecycle
from pullrisk.serve.logs import forward, stdout_logger
from pullrisk.serve.service import Service

DRAIN: Final = signal.SIGUSR1
"""Tells a worker to fail its readiness."""
_LAST_WORDS: Final = 10
"""Exit codes up to this are errors.py's: the same would end the next worker too."""
_LOOK: Final = 0.1
"""Seconds after which the main loop looks for a signal that did not wake it."""
_M_MMAP_THRESHOLD: Final = -3
"""A constant of glibc's malloc.h."""
_LARGE: Final = 1_000_000
"""Bytes from which on memory is mapped for itself."""
_TRY_AGAIN: Final = 2.0
"""Seconds until a worker that could not replace another is tried again."""


class Interrupt(Event):
    """What the main loop waits for; it looks again and again instead of sleeping on a lock.

    A signal that follows another at once is handed to any thread. Python runs its handler in the
    main one, which a lock would not wake: told to load a model and to stop, it never stopped.
    """

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set, or for so many seconds. Returns whether it is set."""
        end = monotonic() + (inf if timeout is None else timeout)
        while not self.is_set() and (left := end - monotonic()) > 0:
            sleep(min(left, _LOOK))
        return self.is_set()


class Server(MPServer):
    """granian with a drain; `failed` is the exit code of a worker that could not start.

    Once a worker has served (`has_served`), one that cannot start ends nothing: the others
    serve, and it is tried again.
    """

    def __init__(self, options: ServeOptions, has_served: Callable[[], bool]) -> None:
        self._has_served = has_served
        self._drain, self._draining = options.drain, False
        self.failed: int | None = None
        self.told_to_stop = False
        self._own_pid = os.getpid()
        self._log = stdout_logger()
        forward(self._log)
        super().__init__(
            "pullrisk.serve",
            address=options.host,
            port=options.port,
            interface=Interfaces.ASGI,
            http=HTTPModes.http1,
            workers=options.workers,
            loop=Loops.uvloop,
            websockets=False,
            http1_settings=http1_settings(options),
            # the guard of connections needs room to choose whom it gives up
            backlog=2 * options.connections,
            backpressure=2 * options.connections,
            log_enabled=False,  # its lines are no JSON
            respawn_failed_workers=True,
            respawn_interval=0.5,
            workers_kill_timeout=options.grace,
        )
        self.main_loop_interrupt = Interrupt()

    def signal_handler_interrupt(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        """Drain first; the second time, stop at once."""
        if os.getpid() != self._own_pid:  # a worker that has not set its own handlers yet
            os._exit(0)
        self.told_to_stop = True
        if self._draining or not self._drain:
            self._stop()
            return
        self._draining = True
        self._signal_workers(DRAIN)
        later = Timer(self._drain, self._stop)
        later.daemon = True
        later.start()

    def signal_handler_reload(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        """Pass it on: the workers stay."""
        if os.getpid() == self._own_pid:
            self._signal_workers(signal.SIGHUP)

    def _signal_workers(self, number: signal.Signals) -> None:
        for worker in self.wrks:
            pid = worker.inner.pid
            if pid is not None and worker.inner.exitcode is None:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)

    def _stop(self) -> None:
        self.interrupt_signal = True
        self.main_loop_interrupt.set()

    def _respawn_workers(self, workers: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        codes = [self.wrks[place].inner.exitcode for place in workers]
        self._log.error("workers ended", exit_codes=codes)
        errors = [code for code in codes if code is not None and 0 < code <= _LAST_WORDS]
        if errors and not self._has_served():
            self.failed = errors[0]
            self._stop()
            return
        if errors and self.main_loop_interrupt.wait(_TRY_AGAIN) and self.interrupt_signal:
            return
        if self.interrupt_signal:  # granian cleared the event that told it to stop
            self.main_loop_interrupt.set()
            return
        super()._respawn_workers(workers, *args, **kwargs)
        if self._has_served():
            self.respawned_wrks.clear()  # or granian would end all for one that cannot start


@asynccontextmanager
async def lifespan(service: Service, *, for_people: bool) -> AsyncIterator[None]:
    """A worker's life: the service starts, follows signals and what changes, and is closed.

    A worker that cannot start ends its process with the error's exit code; `for_people` says the
    error on standard error too, beside the line of the log.
    """
    forward(service.log)
    try:
        await service.start()
    except PullriskError as error:
        service.log.error("not started", error=str(error))
        if for_people:
            print(f"error: {error}", file=sys.stderr, flush=True)
        os._exit(error.exit_code)
    guard = ConnectionGuard(service.options, service.in_flight)
    endless: dict[str, Work] = {
        "lake": partial(_follow_lake, service),
        "keys": partial(_follow_keys, service),
        "overdue requests": service.in_flight.watch,
        "connections": guard.watch,
    }
    tasks: set[asyncio.Task[Any]] = {
        asyncio.create_task(lasting(name, work, service.log)) for name, work in endless.items()
    }
    _listen(service, tasks)
    yield
    for task in tasks:
        task.cancel()
    service.close()


def run(
    options: ServeOptions, make_worker: Callable[[], Lifecycle], *, has_served: Callable[[], bool]
) -> int:
    """Serve until told to stop; returns the exit code. `make_worker` is called in every process.

    Raises SettingsError if the address cannot be listened at, or is that of the probes.
    """
    if options.probe_port == options.port:
        raise SettingsError(
            f"serve.probe_port and serve.port are both {options.port}",
            hint="name another for probes",
        )
    for port in (options.port, options.probe_port):
        if port is not None:
            _refuse_taken(options.host, port)
    server = Server(options, has_served)
    server.serve(target_loader=partial(_begin, make_worker), wrap_loader=False)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # all is done: a second one changes no exit code
    if server.failed is not None:
        return server.failed
    return 0 if server.told_to_stop else 1


def _begin(make_worker: Callable[[], Lifecycle]) -> Lifecycle:
    """The first that a worker does; what it cannot be made of ends it with the error's code."""
    end_with_parent()
    return_large_memory()
    try:
        return make_worker()
    except PullriskError as error:
        stdout_logger().error("not started", error=str(error))
        print(f"error: {error}", file=sys.stderr, flush=True)
        os._exit(error.exit_code)


def return_large_memory() -> None:
    """Have the C library (glibc) return the memory of a large body when that is freed.

    It would raise its own bound to the largest body so far. Smaller ones then lie in the arenas of
    threads, each of which keeps up to 64 MB that even `give_back_memory` does not return.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(_M_MMAP_THRESHOLD, _LARGE)


def _listen(service: Service, tasks: set["asyncio.Task[Any]"]) -> None:
    loop = asyncio.get_running_loop()

    def drain() -> None:
        service.draining = True
        service.log.info("draining")

    def swap() -> None:
        task = asyncio.create_task(service.models.swap())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    loop.add_signal_handler(DRAIN, drain)
    loop.add_signal_handler(signal.SIGHUP, swap)
    loop.add_signal_handler(signal.SIGINT, lambda: None)  # Ctrl-C is the parent's to handle


async def _follow_lake(service: Service) -> None:
    while True:
        await asyncio.sleep(service.options.refresh)
        await service.refresh_lake()


async def _follow_keys(service: Service) -> None:
    while True:
        await asyncio.sleep(service.options.refresh)
        try:
            service.refresh_keys()
        except PullriskError as error:
            service.log.error("keys unreadable, the earlier ones hold", error=str(error))


def _refuse_taken(host: str, port: int) -> None:
    """granian's workers share the port among themselves, and would with another service too."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError as error:
            raise SettingsError(
                f"cannot listen at {host}:{port}: {error.strerror}",
                hint="name another with --port, or stop what listens there",
            ) from error
