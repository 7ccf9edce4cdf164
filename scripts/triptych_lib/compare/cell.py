# SPDX-License-Identifier: BSD-2-Clause
"""One cell: a `triptych run` in a process of its own, and what came of it as a record for results.jsonl."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import bochs, qemu, run
from ..paths import ROOT
from ..ui import STATUS_CRASHED, STATUS_TIMEOUT, Progress
from . import facts, lines, matrix, store
from .matrix import Cell
from .store import CANNOT, FAILED, OK, Record

NOT_TO_BE_HAD = "is not to be had"  # the hypervisor's words for a mode that it, or the processor, does not have
STOP_SECONDS = 10.0


@dataclass
class Setting:
    """What all cells of one command have in common."""

    out: Path
    engine: str
    cpu_model: str
    timeout: float
    wrap: list[str] = field(default_factory=list)  # in front of each run
    commit: str = "unknown"
    clean: bool | None = None


@dataclass
class Planned:
    cell: Cell
    key: str
    vm_keys: dict[str, Any]
    about: dict[str, Any]  # what decides the figures: see plan()


def default_cpu_model(engine: str) -> str:
    return bochs.DEFAULT_CPU if engine == "bochs" else qemu.DEFAULT_CPU[engine]


def plan(cell: Cell, setting: Setting, progress: Progress) -> Planned:
    """Finds, fetches and hashes what the cell boots from."""
    keys, vm = matrix.vm_of(cell, setting.engine)
    about: dict[str, Any] = {
        "workload": cell.workload.name,
        "mode": cell.mode.name,
        "repetition": cell.repetition,
        "engine": setting.engine,
        "engine_version": facts.engine_version(setting.engine),
        "cpu_model": setting.cpu_model,
        "vm": {k: v.removeprefix(f"{ROOT}/") if isinstance(v, str) else v for k, v in keys.items()},
        "why": cell.why,
        "traced": cell.workload.traced,
    }
    if not cell.why:
        found = run.gather(vm, progress)
        about["kernel"] = facts.kernel_version(found.kernel)
        about["images"] = {
            "kernel": facts.sha256(found.kernel),
            "initrd": facts.sha256(found.initrd),
            "hypervisor": "" if cell.mode.native else facts.sha256(cell.workload.hypervisor),
        }
    return Planned(cell, store.key_of(about), keys, about)


def command(planned: Planned, setting: Setting) -> list[str]:
    """The run, in words that a person can type at the root of the tree."""
    stem = _stem(planned, setting)
    words = ["scripts/triptych", "run", "--no-interactive", "--vm", f"{stem}.toml", "--engine", setting.engine,
             "--cpu-model", setting.cpu_model, "--timeout", f"{setting.timeout:g}", "--log", f"{stem}.log",
             "--stats-json", f"{stem}.stats.json"]  # fmt: skip
    if setting.engine == "bochs":
        words += ["--rtc", str(matrix.RTC_START)]
    if planned.cell.workload.traced:
        words += ["--trace", str(matrix.TRACE_KEPT), "--hypervisor", str(planned.cell.workload.hypervisor.relative_to(ROOT))]
    return [*words, "--mode", "native"] if planned.cell.mode.native else words


def _stem(planned: Planned, setting: Setting) -> str:
    path = (setting.out / "cells" / planned.cell.name).resolve()
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


class Runs:
    """The processes under way, to be ended when the command is."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self.stopping = False

    def run(self, words: list[str], console: Path, errors: Path) -> int | None:
        """The exit status; None when stop() ended it."""
        with console.open("wb") as out, errors.open("wb") as err, self._lock:
            if self.stopping:
                return None
            process = subprocess.Popen(
                words, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
            )
            self._running.add(process)
        status = process.wait()
        with self._lock:
            self._running.discard(process)
            return None if self.stopping else status

    def stop(self) -> None:
        with self._lock:
            self.stopping = True
            running = list(self._running)
        for process in running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        for process in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)


def record_of(planned: Planned, setting: Setting) -> Record:
    """What is known before the run."""
    return {
        "format": store.FORMAT,
        "key": planned.key,
        "workload": planned.cell.workload.name,
        "mode": planned.cell.mode.name,
        "repetition": planned.cell.repetition,
        "status": CANNOT,
        "why": planned.cell.why,
        "unit": facts.UNITS.get(setting.engine, setting.engine),
        "operations": [],
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "commit": setting.commit,
        "tree_clean": setting.clean,
        "host": facts.host(),
        **{k: v for k, v in planned.about.items() if k not in ("workload", "mode", "repetition", "why")},
    }


def judge(status: int, said: str, printed: lines.Printed, prints: bool) -> tuple[str, str]:
    """OK, FAILED or CANNOT, and the sentence that says why."""
    last = said.strip().splitlines()[-1].removeprefix("triptych: ") if said.strip() else ""
    if status == STATUS_CRASHED and NOT_TO_BE_HAD in last:
        return CANNOT, last
    if status == STATUS_TIMEOUT:
        return FAILED, last or "timed out"
    if status != 0:
        return FAILED, last or f"ended with status {status}"
    if printed.broken:
        return FAILED, f"a line of its results is damaged: {printed.broken[0][:200]}"
    if prints and not printed.operations:
        return FAILED, "it printed no results"
    return OK, ""


def measure(planned: Planned, setting: Setting, runs: Runs) -> Record | None:
    """Runs the cell. None when the command was stopped meanwhile."""
    record = record_of(planned, setting)
    if planned.cell.why:
        return record
    stem = Path(setting.out / "cells" / planned.cell.name)
    stem.parent.mkdir(parents=True, exist_ok=True)
    Path(f"{stem}.toml").write_text(matrix.toml(planned.vm_keys))
    Path(f"{stem}.stats.json").unlink(missing_ok=True)
    words = command(planned, setting)
    console, errors = Path(f"{stem}.console"), Path(f"{stem}.err")
    status = runs.run([*setting.wrap, sys.executable, *words], console, errors)
    if status is None:
        return None
    printed = lines.read(console.read_text(errors="replace"))
    said, prints = errors.read_text(errors="replace"), planned.cell.workload.prints
    record["status"], record["why"] = judge(status, said, printed, prints)
    record["operations"] = printed.operations
    record["note"] = planned.cell.workload.note(planned.cell.mode.name)
    record["command"] = shlex.join(words)
    record["guest"] = printed.system
    record["mitigations"] = facts.guest_mitigations(
        str(planned.vm_keys["kernel"]).startswith("debian:"), str(planned.vm_keys["append"]), printed.system
    )
    with contextlib.suppress(OSError, ValueError):
        stats = json.loads(Path(f"{stem}.stats.json").read_text())
        record |= {k: stats[k] for k in ("ticks", "seconds", "stats", "host_mem_mb", "ledger") if k in stats}
    return record
