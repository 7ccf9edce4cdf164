# SPDX-License-Identifier: BSD-2-Clause
"""Cells in parallel: the longest first, one for each core, each added to results.jsonl when it is done."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TextIO

from ..ui import Progress
from .cell import Planned, Runs
from .store import OK, Record, Store

TICK_SECONDS = 0.5
# How much longer than natively a mode takes; only the order of runs and the guess of the time left depend on it.
SLOWNESS = {"native": 1.0, "hw": 1.1, "para": 0.3, "pure-vtlb": 6.0, "pure-oos-bare": 2.5}
SLOWNESS_PURE = 1.6


def cores() -> int:
    return len(os.sched_getaffinity(0))


def weight(planned: Planned) -> float:
    if planned.cell.why:
        return 0.0
    return planned.cell.workload.weight * SLOWNESS.get(planned.cell.mode.name, SLOWNESS_PURE)


class Board:
    """What is under way, as one line; and a line for each cell that is done, where there is no terminal."""

    def __init__(self, plans: list[Planned], progress: Progress, out: TextIO) -> None:
        self._total, self._done = len(plans), 0
        self._weight_left = sum(map(weight, plans))
        self._weight_done = 0.0
        self._running: dict[str, float] = {}
        self._lock = threading.Lock()
        self._progress, self._out = progress, out
        self._start = time.monotonic()

    def begin(self, name: str) -> None:
        with self._lock:
            self._running[name] = time.monotonic()

    def end(self, planned: Planned, record: Record, earlier: bool) -> None:
        with self._lock:
            began = self._running.pop(planned.cell.name, None)
            self._done += 1
            self._weight_left -= weight(planned)
            self._weight_done += 0.0 if earlier else weight(planned)
        if earlier:
            return
        took = "" if began is None or planned.cell.why else f" ({time.monotonic() - began:.0f} s)"
        self._progress.clear()
        what = record["status"] if record["status"] == OK else f"{record['status']}: {record['why']}"
        self._out.write(f"compare: {self._done}/{self._total} {planned.cell.name}: {what}{took}\n")
        self._out.flush()

    def line(self) -> str:
        now = time.monotonic()
        with self._lock:
            running = ", ".join(f"{n} {now - t:.0f} s" for n, t in self._running.items())
            left = ""
            if self._weight_done:
                seconds = (now - self._start) / self._weight_done * self._weight_left
                left = f"; about {max(1, round(seconds / 60))} min left"
            return f"{self._done} of {self._total} runs{left}: {running}"

    def show(self) -> None:
        self._progress.start(self.line())


def run_all(
    plans: list[Planned],
    results: Store,
    measure: Callable[[Planned], Record | None],
    jobs: int,
    runs: Runs,
    progress: Progress,
    out: TextIO = sys.stderr,
) -> list[Record]:
    """The records of all plans, in their order: measured now, or found in the results."""
    board = Board(plans, progress, out)
    found: dict[str, Record] = {}

    def one(planned: Planned) -> None:
        board.begin(planned.cell.name)
        record = measure(planned)
        if record is None:
            return
        results.add(record)
        found[planned.key] = record
        board.end(planned, record, earlier=False)

    todo = []
    for planned in plans:
        earlier = results.find(planned.key)
        if earlier is None:
            todo.append(planned)
        else:
            found[planned.key] = earlier
            board.end(planned, earlier, earlier=True)
    todo.sort(key=weight, reverse=True)
    pool = ThreadPoolExecutor(jobs)
    try:
        waiting: set[Future[None]] = {pool.submit(one, p) for p in todo}
        while waiting:
            done, waiting = wait(waiting, TICK_SECONDS, FIRST_COMPLETED)
            for future in done:
                future.result()
            board.show()
    except BaseException:
        runs.stop()
        raise
    finally:
        progress.done()
        pool.shutdown(wait=True, cancel_futures=True)
    return [found[p.key] for p in plans]
