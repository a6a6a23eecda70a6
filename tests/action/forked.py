"""`pullrisk` in a process of its own that is forked from one which has imported everything.

A step of the Action then takes a tenth of a second, not one. `Forked` starts the server; the
program that it writes stands in for the console script: same arguments, folder, variables,
streams and exit code. Calls to GitHub are repeated as often as ever, without the waits between.
"""

import json
import os
import socket
import subprocess
import sys
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any

_CLIENT = """\
#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    asked = json.dumps([sys.argv, os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(server, [b"%12d" % len(asked)], [0, 1, 2])
    server.sendall(asked)
    sys.exit(int(server.recv(16) or b"70"))
"""


class Forked:
    """The server, as a context; `program` is what to run in place of `pullrisk`."""

    def __init__(self, folder: Path) -> None:
        self._address, self.program = folder / "forked", folder / "pullrisk"
        self._folder = folder

    def __enter__(self) -> "Forked":
        text = _CLIENT.format(python=sys.executable, address=str(self._address))
        self.program.write_text(text)
        self.program.chmod(0o755)
        self._server = subprocess.Popen(
            [sys.executable, str(Path(__file__)), str(self._address)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            cwd=self._folder,
        )
        assert self._server.stdout is not None
        assert self._server.stdout.readline() == b"ready\n"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.communicate()  # its standard input ends, and so does it


def _serve(address: str) -> None:
    """Fork for each connection, until standard input ends."""
    import select

    import stamina

    import pullrisk.cli.commands.action
    import pullrisk.wiring.action_score
    import pullrisk.wiring.action_tell
    import pullrisk.wiring.briefing  # noqa: F401
    from pullrisk.brief.make import BriefMaker  # noqa: F401
    from pullrisk.fetch.git.fetch import READER  # noqa: F401
    from pullrisk.model.general import general_bundle  # noqa: F401

    stamina.set_testing(True, attempts=1_000, cap=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        print("ready", flush=True)
        while True:
            ready: list[Any] = select.select([listener, sys.stdin], [], [])[0]
            if sys.stdin in ready:
                return
            connection, _ = listener.accept()
            with connection:
                if os.fork() == 0:
                    _run(connection)
                os.wait()


def _run(connection: socket.socket) -> None:
    """Be the program that was asked for; ends this process."""
    from pullrisk.cli import main

    size, streams, _, _ = socket.recv_fds(connection, 12, 3)
    with connection.makefile("rb") as reader:
        arguments, folder, variables = json.loads(reader.read(int(size)))
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w")
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    sys.argv = arguments
    code = 70
    try:
        code = main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        connection.sendall(str(code).encode())
        os._exit(code)


if __name__ == "__main__":
    _serve(sys.argv[1])
