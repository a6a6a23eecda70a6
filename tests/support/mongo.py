"""A MongoDB server for tests: nx-27017, which speaks its wire protocol over SQLite."""

import sys
from pathlib import Path

from support.forked import MONGO, ForkedServer
from support.ports import answers, free_port


class MongoStandIn(ForkedServer):
    """nx-27017, a server of MongoDB's wire protocol."""

    target = "nx_27017.nx_27017:main"
    preload = MONGO

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.port = free_port()

    @property
    def uri(self) -> str:
        return f"mongodb://127.0.0.1:{self.port}/"

    def command(self) -> list[str]:
        return [
            sys.executable,
            "-c",
            "from nx_27017.nx_27017 import main; main()",
            f"--port={self.port}",
            f"--data-dir={self.folder / 'data'}",
            f"--log-file={self.folder / 'nx.log'}",
            f"--pid-file={self.folder / 'nx.pid'}",
        ]

    def is_ready(self) -> bool:
        return answers(self.port)
