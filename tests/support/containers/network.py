"""A private network: a namespace of its own, with nothing in it but this machine's loopback."""

import ctypes
import fcntl
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NEW_NETWORK = 0x40000000
_SET_FLAGS, _UP = 0x8914, 0x1


@contextmanager
def private_network() -> Iterator[None]:
    """This thread, and all that it starts, in a network namespace of its own; needs root.

    Servers that listen on 127.0.0.1 are reached from there alone, by processes and by containers
    with the network of their host; nothing reaches the world.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        if libc.unshare(_NEW_NETWORK):
            raise OSError(ctypes.get_errno(), "unshare of the network")
        with socket.socket() as any_socket:
            fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh14x", b"lo", _UP))
        yield
    finally:
        libc.setns(before, _NEW_NETWORK)
        os.close(before)


def interfaces() -> list[str]:
    """The names of this thread's network interfaces."""
    lines = Path("/proc/thread-self/net/dev").read_text().splitlines()[2:]
    return [line.partition(":")[0].strip() for line in lines]
