"""Models and what is kept beside them, each file replaced at once."""

from pathlib import Path

from pullrisk import atomic
from pullrisk.errors import ModelError


def write(path: Path, data: bytes) -> Path:
    """Write the file, its folder too; raises ModelError where the disk refuses."""
    try:
        atomic.replace(path, data)
    except OSError as error:
        raise ModelError(
            f"model {path} cannot be written: {error.strerror}",
            hint="free some space, or name another home folder",
        ) from error
    return path
