"""`pullrisk`, and servers in Python, forked from a process that has imported their libraries.

Imports are most of what a short command costs (0.9 s of a service's start, 5 s of a training's, 13
of MLflow's server). What is forked has its own arguments, folder, variables, streams, signals and
exit code; only what /proc shows as its command line and environment is that of the server. Whoever
tests an import, what is read when a library is imported, or what /proc shows starts
`sys.executable` instead.

Each process of tests forks from a server of its own, which ends with it. Where there are several,
those servers are forked from one of xdist's controller: libraries are imported once a run.
"""

import atexit
import ctypes
import gc
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import traceback
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, Any, ClassVar, Final, Self

from support.processes import Server, mortal, scope

COMMAND: Final = "pullrisk.cli:main"
_ROOT: Final = Path(__file__).parents[2]
_FOUND: Final = os.pathsep.join(str(_ROOT / name) for name in ("tests", "benchmarks"))
_SIZE: Final = 12
_PDEATHSIG: Final = 1
_SHARED: Final = "PULLRISK_TEST_FORKED"
"""The variable that tells the address of the controller's server."""
_PRELOADED: Final = ("pullrisk.cli", "pullrisk.lake", "pullrisk.score.scorer", "onnxruntime")
SERVING: Final = ("pullrisk.serve.server", "pullrisk.wiring.service", "pullrisk.wiring.sign_in")
TRAINING: Final = ("mlflow", "mlflow.onnx", "jax", "optax", "sklearn.ensemble", "sklearn.cluster")
MLFLOW: Final = ("uvicorn", "mlflow.cli", "mlflow.server.fastapi_app")
MONGO: Final = ("nx_27017.nx_27017",)
GITHUB: Final = ("fake_github.__main__", "fake_github.schema:github_schema")
_ALL: Final = (*_PRELOADED, *SERVING, *TRAINING, *MLFLOW, *MONGO, *GITHUB)
_PROGRAM: Final = """\
#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    wanted = json.dumps([{target!r}, {preload!r}, sys.argv, os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(server, [b"%12d" % len(wanted)], [0, 1, 2])
    server.sendall(wanted)
    with server.makefile() as answers:
        pid, code = answers.readline(), answers.readline()
sys.exit(int(code or 70))
"""


class ForkedProcess:
    """One process, like a `subprocess.Popen`."""

    def __init__(self, connection: socket.socket) -> None:
        self._answers = connection.makefile("rb")
        self._connection = connection
        self.pid = int(self._answers.readline())
        self.returncode: int | None = None

    def poll(self) -> int | None:
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """The exit code; raises TimeoutExpired if it still runs after so many seconds."""
        if self.returncode is None:
            with selectors.DefaultSelector() as selector:
                selector.register(self._connection, selectors.EVENT_READ)
                if not selector.select(timeout):
                    raise subprocess.TimeoutExpired("pullrisk", timeout or 0)
            self.returncode = int(self._answers.readline() or -signal.SIGKILL)
            self._answers.close()
            self._connection.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        with suppress(ProcessLookupError):  # it may end at any moment
            if self.poll() is None:
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class ForkServer:
    """Forks whatever is asked for; ends with this process, and all that it forked with it."""

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix="forked-")
        self.address = str(Path(self._folder.name, "socket"))

    def __enter__(self) -> Self:
        one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        environment = os.environ | one_thread | {"PYTHONPATH": _FOUND}
        stdin, self._end = os.pipe()
        ready, stdout = os.pipe()
        streams, folder = (stdin, stdout, 2), Path(self._folder.name)
        self._process: ForkedProcess | subprocess.Popen[bytes]
        if shared := os.environ.get(_SHARED):
            self._process = _start(
                shared, [__name__, self.address], env=environment, cwd=folder, streams=streams,
                target=f"{__name__}:serve", preload=_ALL,
            )  # fmt: skip
        else:
            self._process = subprocess.Popen(
                mortal([sys.executable, "-m", __name__, self.address]),
                stdin=stdin, stdout=stdout, cwd=folder, env=environment,
            )  # fmt: skip
            scope.outliving.add(self._process.pid)
        scope.forking.add(self._process.pid)
        os.close(stdin)
        os.close(stdout)
        with os.fdopen(ready) as told:
            assert told.readline() == "ready\n"
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._end)
        self._process.wait()
        self._folder.cleanup()

    def start(
        self,
        arguments: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path | None = None,
        streams: Sequence[int] = (0, 1, 2),
        target: str = COMMAND,
        preload: Sequence[str] = (),
    ) -> ForkedProcess:
        """Run the target with these arguments, on these descriptors as its standard streams.

        What it may import is imported before: a module, or `module:function`, which is called too.
        """
        return _start(
            self.address, ["pullrisk", *arguments], env=env, cwd=cwd or Path.cwd(), streams=streams,
            target=target, preload=preload,
        )  # fmt: skip

    def program(self, path: Path, *, target: str = COMMAND, preload: Sequence[str] = ()) -> Path:
        """Write an executable file that stands in for the console script."""
        values = {"target": target, "preload": list(preload), "address": self.address}
        path.write_text(_PROGRAM.format(python=sys.executable, **values))
        path.chmod(0o755)
        return path


def _start(
    address: str, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path,
    streams: Sequence[int], target: str, preload: Sequence[str],
) -> ForkedProcess:  # fmt: skip
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(address)
    request = json.dumps([target, preload, argv, str(cwd), dict(env)]).encode()
    socket.send_fds(connection, [b"%12d" % len(request)], streams)
    connection.sendall(request)
    return ForkedProcess(connection)


@cache
def fork_server() -> ForkServer:
    """The one of this process."""
    running = ForkServer().__enter__()
    atexit.register(running.__exit__)
    return running


def share_fork_server() -> None:
    """Let those of processes that this one starts be forked from its own."""
    os.environ[_SHARED] = fork_server().address


class ForkedServer(Server):
    """A program in Python that listens (`python -m NAME …`, `python -c CODE …`); tests fork it."""

    forks: ClassVar[bool] = False
    target: ClassVar[str]
    preload: ClassVar[Sequence[str]] = ()

    def launch(self, output: IO[bytes]) -> "ForkedProcess | subprocess.Popen[bytes]":
        if not self.forks:
            return super().launch(output)
        with Path(os.devnull).open() as nothing:
            return fork_server().start(
                [str(word) for word in self.command()[3:]],
                env=dict(self.environment()), cwd=self.folder,
                streams=[nothing.fileno(), output.fileno(), output.fileno()],
                target=self.target, preload=self.preload,
            )  # fmt: skip


def run_forked(
    arguments: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path | None = None,
    text: str | None = None,
    target: str = COMMAND,
    preload: Sequence[str] = (),
) -> "subprocess.CompletedProcess[str]":
    """Run it to its end with `text` as its input; what it said comes back as from `subprocess`."""
    with TemporaryFile() as stdin, TemporaryFile() as stdout, TemporaryFile() as stderr:
        stdin.write((text or "").encode())
        stdin.seek(0)
        streams = [file.fileno() for file in (stdin, stdout, stderr)]
        process = fork_server().start(
            arguments, env=env, cwd=cwd, streams=streams, target=target, preload=preload
        )
        code = process.wait()
        return subprocess.CompletedProcess(list(arguments), code, _read(stdout), _read(stderr))


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


class _Server:
    """What runs in the process that forks."""

    def __init__(self, address: str) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(address)
        self._listener.listen(64)
        self._running: dict[int, socket.socket] = {}
        """Process id → who waits for it."""

    def serve(self) -> None:
        """Until the end of standard input, whose other end is held by who started this."""
        ended, signalled = socket.socketpair()
        ended.setblocking(False)
        signalled.setblocking(False)
        signal.set_wakeup_fd(signalled.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(ended, selectors.EVENT_READ)
            selector.register(sys.stdin, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is self._listener:
                        self._fork(self._listener.accept()[0])
                    elif key.fileobj is ended:
                        ended.recv(4096)
                        self._report()
                    else:
                        return

    def _fork(self, connection: socket.socket) -> None:
        size, streams, _, _ = socket.recv_fds(connection, _SIZE, 3)
        with connection.makefile("rb") as reader:
            target, preload, arguments, folder, variables = json.loads(reader.read(int(size)))
        _import(*preload, target.partition(":")[0])
        pid = os.fork()
        if pid == 0:
            _become(target, arguments, folder, variables, streams)
        for stream in streams:
            os.close(stream)
        self._running[pid] = connection
        with suppress(OSError):  # whoever asked has ended
            connection.sendall(b"%d\n" % pid)

    def _report(self) -> None:
        """Tell how those have ended that have."""
        for pid in list(self._running):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                with self._running.pop(pid) as connection, suppress(OSError):  # nobody waits
                    connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))


def _become(
    target: str, arguments: list[str], folder: str, variables: dict[str, str], streams: list[int]
) -> None:
    """Be the program that is wanted; ends this process."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.closerange(3, 1024)
    # What they replace closes the descriptors when it is collected, where this process was forked.
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", 1, closefd=False)  # noqa: SIM115
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    sys.argv = arguments
    os._exit(_ended(_function(target)))


def _import(*wanted: str) -> None:
    """Import modules and call functions, once; what cannot be called says so when it is needed."""
    new = [each for each in wanted if each not in _imported]
    _imported.update(new)
    with warnings.catch_warnings(action="ignore"):
        for each in new:
            module, _, function = each.partition(":")
            import_module(module)
            if function:
                with suppress(Exception):
                    _function(each)()
    if new:
        gc.collect()
        gc.freeze()  # collectors of what is forked need not look at it, nor copy its pages


_imported: Final[set[str]] = set()


def _function(target: str) -> Any:
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)


def _ended(main: Any) -> int:
    """Its exit code, after all that the interpreter does at its end."""
    code = 1
    try:
        code = main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def serve() -> int:
    """Fork for whoever connects to the address that is the argument."""
    server = _Server(sys.argv[1])
    _import(*_PRELOADED)
    print("ready", flush=True)
    server.serve()
    return 0


if __name__ == "__main__":
    os._exit(serve())
