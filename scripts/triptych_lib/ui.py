# SPDX-License-Identifier: BSD-2-Clause
"""Errors with an exit status, and progress on standard error that shows on a terminal only."""

from __future__ import annotations

import difflib
import sys
import time
from collections.abc import Iterable
from types import TracebackType

STATUS_OK = 0
STATUS_CRASHED = 1
STATUS_USAGE = 2
STATUS_TIMEOUT = 3


class UsageError(Exception):
    """Wrong usage or bad input: nothing was started. Exit status 2."""


class EngineError(Exception):
    """The emulator could not be started or died. Exit status 1."""


def nearest(word: str, known: Iterable[str]) -> str:
    """' (did you mean X?)' for a misspelt word, or nothing."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean {close[0]!r}?)" if close else ""


class Progress:
    """A line on the terminal that says what is being done and for how long; gone when done."""

    WIDTH = 78

    def __init__(self, enabled: bool | None = None) -> None:
        self.enabled = sys.stderr.isatty() if enabled is None else enabled
        self._what = ""
        self._start = 0.0
        self._shown = False

    def start(self, what: str) -> None:
        self._what = what
        self._start = time.monotonic()
        self.tick()

    def tick(self) -> None:
        if not self.enabled or not self._what:
            return
        seconds = int(time.monotonic() - self._start)
        text = f"triptych: {self._what}" + (f" ({seconds} s)" if seconds else "")
        sys.stderr.write("\r" + text[: self.WIDTH].ljust(self.WIDTH) + "\r")
        sys.stderr.flush()
        self._shown = True

    def clear(self) -> None:
        if self._shown:
            sys.stderr.write("\r" + " " * self.WIDTH + "\r")
            sys.stderr.flush()
        self._shown = False

    def done(self) -> None:
        self.clear()
        self._what = ""

    def step(self, what: str) -> Progress:
        """For `with progress.step("building the ISO"):`."""
        self.start(what)
        return self

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.done()
