"""Files that are replaced at once, so that no reader and no crash ever sees half of one."""

import os
from contextlib import suppress
from pathlib import Path

from pullrisk.errors import ModelError


def write(path: Path, data: bytes) -> Path:
    """Write the file, its folder too; raises ModelError where the disk refuses."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise ModelError(
            f"model {path} cannot be written: {error.strerror}",
            hint="free some space, or name another home folder",
        ) from error
    return path
