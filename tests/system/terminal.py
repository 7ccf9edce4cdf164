# SPDX-License-Identifier: BSD-2-Clause
"""`triptych run` on a pseudo-terminal, as somebody sits before it."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import termios
import time
from pathlib import Path

from conftest import COMMAND_TIMEOUT_S, ROOT


class Terminal:
    """It starts the run, whose stderr goes to the file `errors`."""

    def __init__(self, folder: Path, *args: str) -> None:
        self.ours, self.theirs = pty.openpty()
        termios.tcsetwinsize(self.theirs, (24, 80))
        self.before = termios.tcgetattr(self.theirs)
        self.errors = folder / "stderr"
        self.text = b""  # read, and not expected yet
        command = [str(ROOT / "scripts/triptych"), "run", *args]
        with self.errors.open("wb") as err:
            self.process = subprocess.Popen(
                command, stdin=self.theirs, stdout=self.theirs, stderr=err, start_new_session=True
            )

    def expect(self, what: bytes, timeout: float = COMMAND_TIMEOUT_S) -> str:
        """What comes before it."""
        end = time.monotonic() + timeout
        while what not in self.text:
            assert time.monotonic() < end, f"no {what!r}; the terminal ends: {self.text[-600:]!r}"
            if select.select([self.ours], [], [], 1.0)[0]:
                self.text += os.read(self.ours, 65536)
        before, _, self.text = self.text.partition(what)
        return before.decode(errors="replace")

    def type(self, keys: bytes) -> None:
        os.write(self.ours, keys)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30)
        os.close(self.ours)
        os.close(self.theirs)
