"""Files that are replaced at once, so that no reader and no crash ever sees half of one."""

import os
from contextlib import suppress
from pathlib import Path


def replace(path: Path, data: bytes) -> None:
    """Write the file, its folder too; raises OSError, and then leaves what was there before."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        with suppress(OSError):  # where the draft could not be made, there is none
            draft.unlink(missing_ok=True)
        raise
