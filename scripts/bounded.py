# SPDX-License-Identifier: BSD-2-Clause
"""Commands that must end. At the limit the command and all that it started are killed, and named.

A process group does not hold them all: scripts/triptych gives each emulator a session of its own. What
they all have, whoever their parent is by now, is an environment variable.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

MARK = "TRIPTYCH_BOUNDED"
KILL_SECONDS = 10.0
NOT_STARTED = 127
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Ended:
    output: str  # standard output and standard error, as they came
    status: int | None  # None: it was killed at the limit
    running: list[str]  # what ran then, a line each


def _processes(mark: str) -> dict[int, str]:
    """The processes that have the mark, or one that continues it: their command lines."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            names = dict(v.partition("=")[::2] for v in (entry / "environ").read_bytes().decode(errors="replace").split("\0"))
            if not (names.get(MARK, "") + "/").startswith(mark + "/"):
                continue
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            test = names.get("PYTEST_CURRENT_TEST")  # of whom it was started by
            found[int(entry.name)] = " ".join(words).strip()[:300] + (f"  [{test}]" if test else "")
    return found


def _kill(mark: str) -> None:
    end = time.monotonic() + KILL_SECONDS
    while (left := _processes(mark)) and time.monotonic() < end:
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def _own_mark() -> str:
    """Of everything that this process starts."""
    return f"{os.environ.get(MARK, '')}/{os.getpid()}"


def _end_with_all(number: int, _frame: FrameType | None) -> None:
    _kill(_own_mark())
    os._exit(128 + number)


def end_all_when_ended() -> None:
    """When this process is told to end, what it started goes first, whichever thread waits for it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end_with_all)


def run(command: list[str], timeout: float, cwd: Path | None = None) -> Ended:
    """Runs a command for at most `timeout` seconds; nothing that it started outlives it."""
    mark = f"{_own_mark()}/{next(_numbers)}"
    status: int | None = None
    running: list[str] = []
    with tempfile.TemporaryFile() as out:
        try:
            process = subprocess.Popen(
                command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env={**os.environ, MARK: mark}
            )
        except OSError as e:
            return Ended(f"{command[0]}: {e.strerror}\n", NOT_STARTED, [])
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            running = [f"{pid} {words}" for pid, words in sorted(_processes(mark).items())]
        finally:
            _kill(mark)
            process.wait()
        out.seek(0)
        return Ended(out.read().decode(errors="replace"), status, running)
