# SPDX-License-Identifier: BSD-2-Clause
"""Whole boots: scripts/triptych as people use it, with the guest's console driven like a terminal."""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

PROMPT = "triptych:~# "
BOOT_TIMEOUT_S = 420
COMMAND_TIMEOUT_S = 90

slow = pytest.mark.slow


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: `make test-slow` runs it, `make test` does not")


COMPLAINT = re.compile(r"\bBUG\b|WARNING|(?i:unable to|firmware bug|unchecked msr)")
# Printed by the same kernels, booted natively in the same emulator.
NATIVE_TOO = ("RETBleed: WARNING", "TSC_DEADLINE disabled due to Errata")


def complaints(text: str) -> list[str]:
    return [line for line in text.splitlines() if COMPLAINT.search(line) and not any(n in line for n in NATIVE_TOO)]


class Run:
    """`triptych run` with its console on pipes."""

    def __init__(self, log: Path, *args: str) -> None:
        command = [str(ROOT / "scripts/triptych"), "run", "--no-interactive", "--log", str(log), *args]
        self.log_path = log
        self.text = ""
        self.seen = 0
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
        )

    def expect(self, what: str, timeout: float = COMMAND_TIMEOUT_S) -> str:
        """Waits for a text on the console; returns what came before it since the last time."""
        end = time.monotonic() + timeout
        assert self.process.stdout is not None
        while (at := self.text.find(what, self.seen)) < 0:
            left = end - time.monotonic()
            assert left > 0, f"no {what!r} within {timeout} s; the console ends: {self.text[-800:]!r}"
            if not select.select([self.process.stdout], [], [], min(left, 1.0))[0]:
                continue
            data = os.read(self.process.stdout.fileno(), 65536)
            assert data, f"the run ended before {what!r}: {self.text[-800:]!r} {self.log()[-800:]}"
            self.text += data.decode(errors="replace")
        before = self.text[self.seen : at]
        self.seen = at + len(what)
        return before

    def prompt(self, timeout: float = BOOT_TIMEOUT_S) -> str:
        return self.expect(PROMPT, timeout)

    def send(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def command(self, line: str) -> str:
        """Runs a shell command in the guest; its output."""
        self.send(line)
        self.expect(line.split()[-1])
        return self.expect(PROMPT).replace("\r", "").strip()

    def finish(self, timeout: float = COMMAND_TIMEOUT_S) -> int:
        assert self.process.stdout is not None
        try:
            rest, _ = self.process.communicate(timeout=timeout)
        finally:
            self.stop()
        self.text += rest.decode(errors="replace")
        return self.process.returncode

    def stop(self) -> None:
        """Ends the run if it still runs; the emulator ends with it."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(COMMAND_TIMEOUT_S)

    def log(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def machine_lines(self, word: str) -> list[dict[str, object]]:
        return [json.loads(m) for m in re.findall(rf"^@{word} (.*)$", self.log(), re.M)]


@dataclass
class Starter:
    log: Path
    running: list[Run]

    def __call__(self, *args: str) -> Run:
        run = Run(self.log, *args)
        self.running.append(run)
        return run


@pytest.fixture
def triptych(tmp_path: Path) -> Iterator[Starter]:
    starter = Starter(tmp_path / "log", [])
    yield starter
    for run in starter.running:
        run.stop()
