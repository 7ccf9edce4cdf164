# SPDX-License-Identifier: BSD-2-Clause
"""An emulator under way: a process, and its serial ports as TCP connections that it makes to us."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import select
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from .gdbport import GdbPort
from .ui import EngineError

CONNECT_SECONDS = 180.0  # with more than 2 GB, Bochs first writes a file of the rest
STOP_SECONDS = 3.0


class _Port:
    """One serial port: a listening socket until the emulator has connected."""

    def __init__(self) -> None:
        self._listener: socket.socket | None = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(1)
        self.number: int = self._listener.getsockname()[1]
        self._link: socket.socket | None = None
        self._out = b""

    @property
    def connected(self) -> bool:
        return self._link is not None

    def accept(self) -> None:
        if self._listener is None:
            return
        self._link, _ = self._listener.accept()
        self._link.setblocking(False)
        self._link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._listener.close()
        self._listener = None

    def readable(self) -> socket.socket | None:
        return self._listener or self._link

    def writable(self) -> socket.socket | None:
        return self._link if self._out else None

    def receive(self) -> bytes | None:
        """What came; b"" when nothing did; None when the other side is gone."""
        if self._link is None:
            return b""
        try:
            return self._link.recv(65536) or None
        except BlockingIOError:
            return b""
        except OSError:
            return None

    def send(self, data: bytes) -> None:
        self._out += data
        self.flush()

    def flush(self) -> None:
        if self._link is None or not self._out:
            return
        with contextlib.suppress(OSError):
            sent = self._link.send(self._out)
            self._out = self._out[sent:]

    def drop(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None
        if self._listener is not None:
            self._listener.close()
            self._listener = None


_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def _die_with_parent() -> None:
    """In the child: no emulator is left behind when we are killed."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


@contextlib.contextmanager
def _one_start_at_a_time() -> Iterator[None]:
    """Bochs binds its display's port and listens on it in two steps: of two that start at once, one fails."""
    with (Path(tempfile.gettempdir()) / f"triptych-start-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class Machine:
    """Start with start(), then call step() until it returns False; stop() at any time."""

    def __init__(
        self, on_console: Callable[[bytes], None], on_log: Callable[[bytes], None], gdb: GdbPort | None = None
    ) -> None:
        self._console = _Port()
        self._log = _Port()
        self._ports = [self._console, self._log]
        self._on = {id(self._console): on_console, id(self._log): on_log}
        self._gdb = gdb
        if gdb is not None:
            self._stub = _Port()
            self._ports.append(self._stub)
            self._on[id(self._stub)] = gdb.send
        self._process: subprocess.Popen[bytes] | None = None
        self._output: Path | None = None

    @property
    def com_ports(self) -> tuple[int, ...]:
        return tuple(p.number for p in self._ports)

    def start(self, command: list[str], work: Path) -> None:
        """Returns when the emulator has connected all ports; EngineError if it ends before."""
        with _one_start_at_a_time():
            self._start(command, work)

    def _start(self, command: list[str], work: Path) -> None:
        self._output = work / "engine.out"
        with self._output.open("wb") as out:
            try:
                self._process = subprocess.Popen(
                    command,
                    cwd=work,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # Ctrl-C on our terminal is not for the emulator
                    preexec_fn=_die_with_parent,
                )
            except OSError as e:
                raise EngineError(f"{command[0]}: {e.strerror}") from e
        deadline = time.monotonic() + CONNECT_SECONDS
        while not all(p.connected for p in self._ports):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise EngineError(f"{Path(command[0]).name} did not start: {self.engine_output()[-300:]!r}")
            waiting = [s for p in self._ports if not p.connected and (s := p.readable())]
            ready, _, _ = select.select(waiting, [], [], 0.2)
            for port in self._ports:
                if port.readable() in ready:
                    port.accept()

    def engine_output(self) -> str:
        """What the emulator wrote on its own standard output and error."""
        try:
            return self._output.read_text(errors="replace").strip() if self._output else ""
        except OSError:
            return ""

    def send(self, data: bytes) -> None:
        """Types at the console."""
        self._console.send(data)

    def send_log(self, data: bytes) -> None:
        """Sends to the log port, which is the control channel too."""
        self._log.send(data)

    @property
    def log_backlog(self) -> bool:
        """Bytes wait to be taken by the log port."""
        return self._log.writable() is not None

    @property
    def backlog(self) -> bool:
        """Bytes wait to be taken by the console."""
        return self._console.writable() is not None

    def step(self, seconds: float, also: list[int] | None = None) -> tuple[bool, list[int]]:
        """Waits up to `seconds` for something to happen and deals with it.

        Returns whether the emulator is still there, and which of the file descriptors in `also`
        are readable.
        """
        ports = self._ports
        links = [s for p in ports if (s := p.readable())]
        writers = [s for p in ports if (s := p.writable())]
        if not links:
            return False, []
        debugger = self._gdb.readable() if self._gdb is not None else None
        if debugger is not None:
            links.append(debugger)
        ready, can_write, _ = select.select([*links, *(also or [])], writers, [], seconds)
        if self._gdb is not None and debugger in ready:
            self._stub.send(self._gdb.receive())
        for port in ports:
            link = port.readable()
            if link in can_write:
                port.flush()
            if link not in ready:
                continue
            data = port.receive()
            if data is None:
                port.drop()
            elif data:
                self._on[id(port)](data)
        return any(p.connected for p in ports), [fd for fd in (also or []) if fd in ready]

    def stop(self) -> int | None:
        """Ends the emulator if it still runs, and waits for it. Returns its exit status."""
        for port in self._ports:
            port.drop()
        if self._gdb is not None:
            self._gdb.close()
        process = self._process
        if process is None:
            return None
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        return process.returncode

    def kill(self) -> None:
        process = self._process
        if process is None or process.poll() is not None:
            return
        for how in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, how)
            try:
                process.wait(STOP_SECONDS)
                return
            except subprocess.TimeoutExpired:
                continue
