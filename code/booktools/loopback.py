"""The tests run without a network, but not without 127.0.0.1, over which notebooks talk.

A fresh network namespace (`unshare -n make test`) starts with its loopback interface down.
"""

from __future__ import annotations

import socket
import struct
import sys
from contextlib import closing, suppress

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1  # linux/sockios.h, linux/if.h


def works() -> bool:
    """Whether a connection to 127.0.0.1 reaches a server of this process."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server, suppress(OSError):
        socket.create_connection(server.getsockname(), timeout=2).close()
        return True
    return False


def ensure() -> None:
    """Bring loopback up where it is down, as root of a namespace may; else say how."""
    if sys.platform != "linux" or works():
        return
    import fcntl

    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as control, suppress(OSError):
        request = struct.pack("16sH14x", b"lo", 0)
        _, flags = struct.unpack("16sH14x", fcntl.ioctl(control, SIOCGIFFLAGS, request))
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))
    if not works():
        print("127.0.0.1 does not answer; as root: ip link set lo up", file=sys.stderr)
