# SPDX-License-Identifier: BSD-2-Clause
"""The console on a terminal, as `make run` has it: typing, Ctrl-C for the guest, Ctrl-] to leave."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import termios
import time

import pytest

from conftest import BOOT_TIMEOUT_S, COMMAND_TIMEOUT_S, MEMORY_MODES, PROMPT, ROOT


@pytest.mark.parametrize("mmu", MEMORY_MODES)
def test_typing_and_leaving(mmu: str) -> None:
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    command = [str(ROOT / "scripts/triptych"), "run", "--mmu", mmu]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE, start_new_session=True)
    text = b""

    def expect(what: bytes, timeout: float = COMMAND_TIMEOUT_S) -> None:
        nonlocal text
        end = time.monotonic() + timeout
        while what not in text:
            assert time.monotonic() < end, f"no {what!r}; the terminal ends: {text[-600:]!r}"
            if select.select([ours], [], [], 1.0)[0]:
                text += os.read(ours, 65536)
        text = text[text.index(what) + len(what) :]

    try:
        expect(PROMPT.encode(), BOOT_TIMEOUT_S)
        os.write(ours, b"echo a$((40+2))b\r")
        expect(b"a42b")
        os.write(ours, b"echo going; sleep 1000\r")
        expect(b"going\r\n")
        os.write(ours, b"\x03")  # for the guest, not for us
        expect(PROMPT.encode())
        os.write(ours, b"\x1d")
        assert process.wait(30) == 0
        assert termios.tcgetattr(theirs) == before
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(30)
        os.close(ours)
        os.close(theirs)
