# SPDX-License-Identifier: BSD-2-Clause
"""The TCP port that gdb connects to; no emulator."""

from __future__ import annotations

import select
import socket

import pytest
from conftest import ROOT  # noqa: F401

from triptych_lib.gdbport import GdbPort  # noqa: E402
from triptych_lib.ui import UsageError  # noqa: E402


def wait(port: GdbPort) -> bytes:
    """What comes next."""
    waiting = port.readable()
    assert waiting is not None
    assert select.select([waiting], [], [], 5)[0]
    return port.receive()


def test_nobody_is_let_in_before_the_stub_is_there() -> None:
    port = GdbPort(0)
    assert port.readable() is None
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port.number))
    port.open()
    socket.create_connection(("127.0.0.1", port.number)).close()
    port.close()


def test_a_port_that_is_taken() -> None:
    port = GdbPort(0)
    port.open()
    with pytest.raises(UsageError):
        GdbPort(port.number)
    port.close()


def test_one_after_the_other() -> None:
    port = GdbPort(0)
    port.send(b"to nobody")
    port.open()
    first = socket.create_connection(("127.0.0.1", port.number))
    second = socket.create_connection(("127.0.0.1", port.number))
    assert wait(port) == b""
    first.sendall(b"$?#3f")
    second.sendall(b"$g#67")
    assert wait(port) == b"$?#3f"
    port.send(b"+$T05#b9")
    assert first.recv(100) == b"+$T05#b9"
    first.close()
    assert wait(port) == b""
    assert wait(port) == b""  # the second is let in
    assert wait(port) == b"$g#67"
    port.close()
    assert second.recv(100) == b""


def test_one_that_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("triptych_lib.gdbport.PATIENCE_S", 0.1)
    port = GdbPort(0)
    port.open()
    deaf = socket.create_connection(("127.0.0.1", port.number))
    assert wait(port) == b""
    port.send(bytes(64 << 20))
    with socket.create_connection(("127.0.0.1", port.number)) as other:
        assert wait(port) == b""
        port.send(b"+")
        assert other.recv(10) == b"+"
    deaf.close()
    port.close()
