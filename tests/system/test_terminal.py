# SPDX-License-Identifier: BSD-2-Clause
"""The console on a terminal, as `make run` has it: typing, Ctrl-C for the guest, Ctrl-] to leave, another size."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import termios
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conftest import BOOT_TIMEOUT_S, COMMAND_TIMEOUT_S, MEMORY_MODES, PROMPT, ROOT, slow
from terminal import Terminal


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    with contextlib.ExitStack() as ends:
        yield lambda *args: ends.enter_context(contextlib.closing(Terminal(tmp_path, *args)))


def number(terminal: Terminal, command: str) -> int:
    """What a command in the guest prints, at the prompt; "" in it keep it apart from its echo."""
    terminal.type(f'echo "val""ue=$({command})"\r'.encode())
    terminal.expect(b"value=")
    found = re.match(r"\d+", terminal.expect(PROMPT.encode()))
    assert found
    return int(found.group())


@pytest.mark.parametrize("mmu", MEMORY_MODES)
def test_typing_and_leaving(run: Callable[..., Terminal], mmu: str) -> None:
    terminal = run("--mmu", mmu)
    terminal.expect(PROMPT.encode(), BOOT_TIMEOUT_S)
    terminal.type(b"echo a$((40+2))b\r")
    terminal.expect(b"a42b")
    terminal.type(b"echo going; sleep 1000\r")
    terminal.expect(b"going\r\n")
    terminal.type(b"\x03")  # for the guest, not for us
    terminal.expect(PROMPT.encode())
    terminal.type(b"\x1d")
    assert terminal.process.wait(COMMAND_TIMEOUT_S) == 0
    assert termios.tcgetattr(terminal.theirs) == terminal.before


@pytest.mark.parametrize("mmu", MEMORY_MODES)
@slow
def test_what_changes_while_it_runs(run: Callable[..., Terminal], mmu: str) -> None:
    """The terminal gets another size, and the balloon another target by the monitor: half of the memory and back."""
    terminal = run("--mmu", mmu, "--console", "virtio", "--balloon", "0", "--append", "console=ttyS0 loglevel=3")
    process = terminal.process
    terminal.expect(PROMPT.encode(), BOOT_TIMEOUT_S)
    assert number(terminal, "stty size | cut -d' ' -f2") == 80
    termios.tcsetwinsize(terminal.theirs, (50, 132))
    process.send_signal(signal.SIGWINCH)  # it is no controlling terminal
    assert number(terminal, "sleep 2; stty size | cut -d' ' -f2") == 132
    total = "grep MemTotal /proc/meminfo | tr -dc 0-9"
    all_of_it = number(terminal, total)
    for mb in (128, 0):
        ctl = [str(ROOT / "scripts/triptych"), "ctl", "--run", str(process.pid), "balloon", "linux", str(mb)]
        assert subprocess.run(ctl, timeout=COMMAND_TIMEOUT_S, check=False).returncode == 0
        due = all_of_it - mb * 1024
        assert number(terminal, f"for i in $(seq 60); do [ $({total}) = {due} ] || sleep 1; done; {total}") == due
    terminal.type(b"poweroff\r")
    assert process.wait(COMMAND_TIMEOUT_S) == 0
