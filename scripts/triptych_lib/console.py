# SPDX-License-Identifier: BSD-2-Clause
"""Our side of the guest's console: a raw terminal with a key to leave, or a pipe."""

from __future__ import annotations

import contextlib
import os
import sys
import termios
import tty
from collections.abc import Iterator

LEAVE = b"\x1d"  # Ctrl-]
LEAVE_MONITOR = b"\x1c"  # Ctrl-\, where Ctrl-] is the hypervisor's


def how_to_leave(monitor: bool) -> str:
    return "Ctrl-] is for the monitor, Ctrl-\\ leaves" if monitor else "Ctrl-] leaves"


def write_out(data: bytes) -> None:
    """All bytes to standard output, at once. BrokenPipeError when nobody reads it any more."""
    while data:
        data = data[os.write(sys.stdout.fileno(), data) :]


@contextlib.contextmanager
def raw_terminal(enabled: bool) -> Iterator[None]:
    """Every key goes to the guest as it is; the terminal is as before when done."""
    if not enabled:
        yield
        return
    fd = sys.stdin.fileno()
    before = termios.tcgetattr(fd)
    try:
        tty.setraw(fd, termios.TCSANOW)
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)


def typed(data: bytes, interactive: bool, leave: bytes = LEAVE) -> tuple[bytes, bool]:
    """What goes to the machine, and whether the user wants to leave."""
    if interactive and leave in data:
        return data[: data.index(leave)], True
    return data, False
