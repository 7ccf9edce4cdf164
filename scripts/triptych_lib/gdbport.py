# SPDX-License-Identifier: BSD-2-Clause
"""Where gdb connects: a TCP port of this host, in front of the machine's third serial port."""

from __future__ import annotations

import contextlib
import socket

from .ui import UsageError

PATIENCE_S = 2.0  # with a debugger that takes no more bytes


class GdbPort:
    """One debugger at a time; the next may come when it has left. What the stub says to nobody is dropped."""

    def __init__(self, number: int) -> None:
        """0: any port that is free. UsageError if it is taken. Nobody is let in before open()."""
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._listener.bind(("127.0.0.1", number))
        except OSError as e:
            self._listener.close()
            raise UsageError(f"--gdb {number}: {e.strerror}") from e
        self.number: int = self._listener.getsockname()[1]
        self._client: socket.socket | None = None
        self._open = False

    def open(self) -> None:
        """The stub is there. What it was told before would be lost; gdb itself tries to connect for 15 seconds."""
        self._listener.listen(1)
        self._open = True

    def readable(self) -> socket.socket | None:
        return (self._client or self._listener) if self._open else None

    def receive(self) -> bytes:
        """What the debugger says; called when readable() is."""
        if self._client is None:
            self._client, _ = self._listener.accept()
            self._client.settimeout(PATIENCE_S)
            self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return b""
        data = b""
        with contextlib.suppress(OSError):
            data = self._client.recv(4096)
        if not data:
            self._drop()
        return data

    def send(self, data: bytes) -> None:
        if self._client is None:
            return
        try:
            self._client.sendall(data)
        except OSError:  # it is gone, or does not listen
            self._drop()

    def _drop(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def close(self) -> None:
        self._drop()
        self._listener.close()
