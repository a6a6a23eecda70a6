"""The memory of a large body is returned once it is answered."""

import subprocess
import sys

import pytest

TRIAL = """
from pathlib import Path
from threading import Thread
from pullrisk.serve.server import return_large_memory

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

def work():
    for megabytes in (30, 25, 20):  # the first one's size would be the bound of the others
        bytearray(megabytes * 1_000_000)

return_large_memory()
before = resident()
thread = Thread(target=work)
thread.start()
thread.join()
print(resident() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only glibc keeps it")
def test_a_thread_keeps_nothing_of_the_large_bodies_that_it_has_read() -> None:
    ran = subprocess.run([sys.executable, "-c", TRIAL], capture_output=True, text=True, check=True)
    assert int(ran.stdout) < 5_000_000
