"""`pullrisk` in processes of its own, forked from one that has imported its libraries already.

Imports are most of what a short command costs (0.9 s of a service's start, 5 s of a training's).
What is forked has its own arguments, folder, variables, streams, signals and exit code; only what
/proc shows as its command line and environment is that of the server. Whoever tests an import,
what is read when a library is imported, or what /proc shows starts `sys.executable` instead.
"""

import atexit
import ctypes
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, Any, Final, Self

from support.processes import mortal, scope

COMMAND: Final = "pullrisk.cli:main"
_ROOT: Final = Path(__file__).parents[2]
_FOUND: Final = os.pathsep.join(str(_ROOT / name) for name in ("tests", "benchmarks"))
_SIZE: Final = 12
_PDEATHSIG: Final = 1
_PRELOADED: Final = ("pullrisk.cli", "pullrisk.lake", "pullrisk.score.scorer", "onnxruntime")
SERVING: Final = ("pullrisk.serve.server", "pullrisk.wiring.service", "pullrisk.wiring.sign_in")
TRAINING: Final = ("mlflow", "mlflow.onnx", "jax", "optax", "sklearn.ensemble", "sklearn.cluster")
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
        self._address = str(Path(self._folder.name, "socket"))

    def __enter__(self) -> Self:
        one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            mortal([sys.executable, "-m", "support.forked", self._address]),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, cwd=self._folder.name,
            env=os.environ | one_thread | {"PYTHONPATH": _FOUND},
        )  # fmt: skip
        scope.outliving.add(self._process.pid)
        scope.forking.add(self._process.pid)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
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
        """Run the target with these arguments, on these descriptors as its standard streams."""
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(self._address)
        argv = ["pullrisk", *arguments]
        request = json.dumps([target, preload, argv, str(cwd or Path.cwd()), dict(env)]).encode()
        socket.send_fds(connection, [b"%12d" % len(request)], streams)
        connection.sendall(request)
        return ForkedProcess(connection)

    def program(self, path: Path, *, target: str = COMMAND, preload: Sequence[str] = ()) -> Path:
        """Write an executable file that stands in for the console script."""
        values = {"target": target, "preload": list(preload), "address": self._address}
        path.write_text(_PROGRAM.format(python=sys.executable, **values))
        path.chmod(0o755)
        return path


@cache
def fork_server() -> ForkServer:
    """The one of this process."""
    running = ForkServer().__enter__()
    atexit.register(running.__exit__)
    return running


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
        ended, signalled = socket.socketpair()
        ended.setblocking(False)
        signalled.setblocking(False)
        signal.set_wakeup_fd(signalled.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(ended, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is self._listener:
                        self._fork(self._listener.accept()[0])
                    else:
                        ended.recv(4096)
                        self._report()

    def _fork(self, connection: socket.socket) -> None:
        size, streams, _, _ = socket.recv_fds(connection, _SIZE, 3)
        with connection.makefile("rb") as reader:
            target, preload, arguments, folder, variables = json.loads(reader.read(int(size)))
        for module in (*preload, target.partition(":")[0]):
            import_module(module)
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
    sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w", 1)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    sys.argv = arguments
    os._exit(_ended(_function(target)))


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


def _serve(address: str) -> None:
    for module in _PRELOADED:
        import_module(module)
    server = _Server(address)
    print("ready", flush=True)
    server.serve()


if __name__ == "__main__":
    _serve(sys.argv[1])
