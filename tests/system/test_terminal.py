# SPDX-License-Identifier: BSD-2-Clause
"""The console on a terminal, as `make run` has it: typing, Ctrl-C for the guest, Ctrl-] to leave, another size."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import termios
import time
from collections.abc import Iterator

import pytest

from conftest import BOOT_TIMEOUT_S, COMMAND_TIMEOUT_S, MEMORY_MODES, PROMPT, ROOT


class Terminal:
    """`triptych run` on a pseudo-terminal."""

    def __init__(self) -> None:
        self.ours, self.theirs = pty.openpty()
        self.before = termios.tcgetattr(self.theirs)
        self.process: subprocess.Popen[bytes] | None = None
        self.text = b""

    def start(self, *args: str) -> subprocess.Popen[bytes]:
        command = [str(ROOT / "scripts/triptych"), "run", *args]
        self.process = subprocess.Popen(
            command, stdin=self.theirs, stdout=self.theirs, stderr=subprocess.PIPE, start_new_session=True
        )
        return self.process

    def expect(self, what: bytes, timeout: float = COMMAND_TIMEOUT_S) -> bytes:
        end = time.monotonic() + timeout
        while what not in self.text:
            assert time.monotonic() < end, f"no {what!r}; the terminal ends: {self.text[-600:]!r}"
            if select.select([self.ours], [], [], 1.0)[0]:
                self.text += os.read(self.ours, 65536)
        before, _, self.text = self.text.partition(what)
        return before

    def type(self, keys: bytes) -> None:
        os.write(self.ours, keys)

    def number(self, command: str) -> int:
        """What a command in the guest prints, at the prompt; "" in it keep it apart from its echo."""
        self.type(f'echo "val""ue=$({command})"\r'.encode())
        self.expect(b"value=")
        found = re.match(rb"\d+", self.expect(PROMPT.encode()))
        assert found
        return int(found.group())

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30)
        os.close(self.ours)
        os.close(self.theirs)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    found = Terminal()
    yield found
    found.close()


@pytest.mark.parametrize("mmu", MEMORY_MODES)
def test_typing_and_leaving(terminal: Terminal, mmu: str) -> None:
    process = terminal.start("--mmu", mmu)
    terminal.expect(PROMPT.encode(), BOOT_TIMEOUT_S)
    terminal.type(b"echo a$((40+2))b\r")
    terminal.expect(b"a42b")
    terminal.type(b"echo going; sleep 1000\r")
    terminal.expect(b"going\r\n")
    terminal.type(b"\x03")  # for the guest, not for us
    terminal.expect(PROMPT.encode())
    terminal.type(b"\x1d")
    assert process.wait(30) == 0
    assert termios.tcgetattr(terminal.theirs) == terminal.before


@pytest.mark.parametrize("mmu", MEMORY_MODES)
def test_what_changes_while_it_runs(terminal: Terminal, mmu: str) -> None:
    """The terminal gets another size, and the balloon another target by the monitor: half of the memory and back."""
    termios.tcsetwinsize(terminal.theirs, (24, 80))
    process = terminal.start("--mmu", mmu, "--console", "virtio", "--balloon", "0", "--append", "console=ttyS0 loglevel=3")
    terminal.expect(PROMPT.encode(), BOOT_TIMEOUT_S)
    assert terminal.number("stty size | cut -d' ' -f2") == 80
    termios.tcsetwinsize(terminal.theirs, (50, 132))
    process.send_signal(signal.SIGWINCH)  # it is no controlling terminal
    assert terminal.number("sleep 2; stty size | cut -d' ' -f2") == 132
    total = "grep MemTotal /proc/meminfo | tr -dc 0-9"
    all_of_it = terminal.number(total)
    for mb in (128, 0):
        ctl = [str(ROOT / "scripts/triptych"), "ctl", "--run", str(process.pid), "balloon", "linux", str(mb)]
        assert subprocess.run(ctl, timeout=COMMAND_TIMEOUT_S, check=False).returncode == 0
        due = all_of_it - mb * 1024
        assert terminal.number(f"for i in $(seq 60); do [ $({total}) = {due} ] || sleep 1; done; {total}") == due
    terminal.type(b"poweroff\r")
    assert process.wait(COMMAND_TIMEOUT_S) == 0
