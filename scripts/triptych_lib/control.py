# SPDX-License-Identifier: BSD-2-Clause
"""The control channel of a run: JSON-RPC lines between a Unix socket and the machine's second serial port.

    triptych ctl ... --- socket ---+
    triptych ctl top --- socket ---+--- this --- COM2 --- hypervisor
    any program      --- socket ---+

Several clients share the one port: their ids are replaced by ours on the way there, and put back on the way out. Events
go to those who have subscribed. What is no JSON-RPC request goes to the hypervisor as it is, and its answer to whoever
sent it. A client whose first line is the word "raw" gets all that comes, and its bytes are not looked at: for tests.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .ui import UsageError

LINE_MAX = 1 << 16  # of a client's line that is looked at; the rest goes as it is
BACKLOG_MAX = 1 << 20  # bytes that wait for a client that does not read: then it is dropped


def directory() -> Path:
    """Where the sockets are; nobody else may look in."""
    base = os.environ.get("XDG_RUNTIME_DIR")
    if base and os.access(base, os.W_OK):
        return Path(base) / "triptych"
    return Path(tempfile.gettempdir()) / f"triptych-{os.getuid()}"


def _make_directory() -> Path:
    where = directory()
    where.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = where.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise UsageError(f"{where}: must be a directory of yours that nobody else can use")
    return where


def running() -> list[Path]:
    """The sockets of the runs that are alive. Those of runs that were killed are removed."""
    alive = []
    for path in sorted(directory().glob("*.sock")):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
            try:
                s.connect(str(path))
                alive.append(path)
            except ConnectionRefusedError:
                path.unlink(missing_ok=True)
            except OSError:
                continue
    return alive


@dataclass
class _Client:
    link: socket.socket
    partial: bytes = b""
    out: bytes = b""
    subscribed: bool = False
    raw: bool = False
    first: bool = True  # no line has come yet


@dataclass
class Broker:
    """Owns the socket of this run. fds() are to be watched; ready() deals with those that can be read."""

    send: Callable[[bytes], None]  # to the hypervisor
    path: Path = field(init=False)
    _listener: socket.socket = field(init=False)
    _clients: dict[int, _Client] = field(default_factory=dict)
    _asked: dict[int, tuple[_Client, Any]] = field(default_factory=dict)  # our id: who, and with which id
    # Who sent what can only be answered with id null, in their order; None: nobody waits for that answer.
    _strays: list[_Client | None] = field(default_factory=list)
    _open: _Client | None = None  # whose line the port has the beginning of
    _next: int = 1

    def __post_init__(self) -> None:
        self.path = _make_directory() / f"{os.getpid()}.sock"
        self.path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(self.path))
        self._listener.listen(8)
        self._listener.setblocking(False)

    def close(self) -> None:
        for client in list(self._clients.values()):
            self._flush(client)
            self._drop(client)
        self._listener.close()
        self.path.unlink(missing_ok=True)

    # ---- from clients ----

    def fds(self) -> list[int]:
        return [self._listener.fileno(), *self._clients]

    def ready(self, fds: list[int]) -> None:
        for fd in fds:
            if fd == self._listener.fileno():
                self._accept()
            elif fd in self._clients:
                self._receive(self._clients[fd])
        for client in list(self._clients.values()):
            self._flush(client)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            link, _ = self._listener.accept()
            link.setblocking(False)
            self._clients[link.fileno()] = _Client(link)

    def _drop(self, client: _Client) -> None:
        self._clients.pop(client.link.fileno(), None)
        client.link.close()
        self._asked = {n: who for n, who in self._asked.items() if who[0] is not client}
        self._strays = [c if c is not client else None for c in self._strays]
        if self._open is client:
            self._end_line(None)

    def _end_line(self, sender: _Client | None) -> None:
        """Half a line is in nobody's way: it is ended, and answered to its sender as the nonsense that it is."""
        self._strays.append(sender)
        self._open = None
        self.send(b"\n")

    def _pass(self, client: _Client, data: bytes) -> None:
        """To the port, not into the middle of somebody else's line."""
        if self._open and self._open is not client:
            self._end_line(None if self._open.raw else self._open)
        if data:
            self._open = None if data.endswith(b"\n") else client
            self.send(data)

    def _receive(self, client: _Client) -> None:
        try:
            data = client.link.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(client)
            return
        if client.raw:
            self._pass(client, data)
            return
        *lines, client.partial = (client.partial + data).split(b"\n")
        for i, line in enumerate(lines):
            if client.first and line.strip() == b"raw":
                client.raw = True
                self._pass(client, b"\n".join([*lines[i + 1 :], client.partial]))
                client.partial = b""
                return
            client.first = False
            self._request(client, line)
        if len(client.partial) > LINE_MAX:
            self._pass(client, client.partial)
            client.partial = b""

    def _request(self, client: _Client, line: bytes) -> None:
        try:
            request = json.loads(line)
        except ValueError:
            request = None
        if not isinstance(request, dict) or isinstance(request.get("id"), (dict, list, bool, type(None))):
            self._strays += [client] if line.strip() and not (isinstance(request, dict) and "id" not in request) else []
            self._pass(client, line + b"\n")
            return
        client.subscribed |= request.get("method") == "subscribe"
        self._asked[self._next] = (client, request["id"])
        request["id"] = self._next
        self._next += 1
        self._pass(client, json.dumps(request, separators=(",", ":")).encode() + b"\n")

    # ---- from the hypervisor ----

    def line(self, text: str) -> None:
        """A line of the log port that begins with "{"."""
        for client in self._clients.values():
            if client.raw:
                client.out += text.encode() + b"\n"
        try:
            message = json.loads(text)
        except ValueError:
            return
        if "method" in message:
            for client in self._clients.values():
                if client.subscribed:
                    client.out += text.encode() + b"\n"
        elif message.get("id") in self._asked:
            client, message["id"] = self._asked.pop(message["id"])
            client.out += json.dumps(message).encode() + b"\n"
        elif self._strays and (stray := self._strays.pop(0)):
            stray.out += text.encode() + b"\n"
        for client in list(self._clients.values()):
            self._flush(client)

    def _flush(self, client: _Client) -> None:
        try:
            while client.out:
                sent = client.link.send(client.out)
                client.out = client.out[sent:]
        except BlockingIOError:
            if len(client.out) > BACKLOG_MAX:
                self._drop(client)
        except OSError:
            self._drop(client)
