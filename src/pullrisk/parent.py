"""Child processes end with their parent, however that ends."""

import ctypes
import multiprocessing
import os
import signal
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def end_with_parent() -> None:
    """Have the kernel kill this process of `multiprocessing` when its parent dies (Linux).

    Killed and not asked to stop: nobody is left who would see to it that it does.
    """
    parent = multiprocessing.parent_process()
    if parent is None or not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent.pid:  # it died before the kernel knew
        os._exit(1)
