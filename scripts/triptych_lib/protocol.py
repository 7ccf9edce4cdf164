# SPDX-License-Identifier: BSD-2-Clause
"""What the hypervisor says on its log port, and what it comes to.

Every line is for people; lines that start with '@' are for programs too:

    @vm {"name":"linux","end":"poweroff","status":0,"why":""}    a VM ended
    @stats {...}                                                 counters, one line a VM and one for the machine
    @crash {...}                                                 what a VM left that crashed (hv/ctl/crash.c)
    @quit {}                                                     somebody told the hypervisor to end
    @gdb {"vm":"linux"}                                          this VM stands still until a debugger lets it go on
    @end {"status":0,"why":""}                                   the last line
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from .ui import STATUS_CRASHED, STATUS_OK, STATUS_TIMEOUT

CLEAN_ENDS = ("poweroff", "reset", "halt", "destroyed")
EXIT_PASS = 1  # (0 << 1) | 1: what the debug-exit port makes of the value 0


@dataclass
class VmEnd:
    name: str
    end: str
    status: int
    why: str

    @property
    def clean(self) -> bool:
        return self.end in CLEAN_ENDS or (self.end == "exit" and self.status == EXIT_PASS)

    def sentence(self) -> str:
        what = f"status {self.status}" if self.end == "exit" else self.end
        return f"VM {self.name}: {what}" + (f": {self.why}" if self.why else "")


@dataclass
class Transcript:
    """All that came on the log port, taken apart."""

    lines: list[str] = field(default_factory=list)
    vms: list[VmEnd] = field(default_factory=list)
    stats: list[dict[str, Any]] = field(default_factory=list)
    crashes: list[dict[str, Any]] = field(default_factory=list)  # reports, one a VM that crashed
    quit: bool = False  # somebody ended it: VMs that were not created are not missed
    end: dict[str, Any] | None = None
    gdb: str | None = None  # the VM that waits for a debugger
    broken: list[str] = field(default_factory=list)  # '@' lines that made no sense
    _partial: bytes = b""

    def feed(self, data: bytes) -> list[str]:
        """Takes bytes; returns the lines they completed."""
        *whole, self._partial = (self._partial + data).split(b"\n")
        done = [raw.decode("utf-8", "replace").rstrip("\r") for raw in whole]
        for line in done:
            self._line(line)
        return done

    def finish(self) -> list[str]:
        """The emulator is gone: a last line without its newline counts as well."""
        return self.feed(b"\n") if self._partial else []

    def _line(self, line: str) -> None:
        if line.startswith("{"):  # JSON-RPC, which shares the port
            return
        self.lines.append(line)
        if not line.startswith("@"):
            return
        kind, _, text = line.partition(" ")
        try:
            record = json.loads(text)
            if kind == "@vm":
                self.vms.append(
                    VmEnd(str(record["name"]), str(record["end"]), int(record["status"]), str(record.get("why", "")))
                )
            elif kind == "@stats":
                self.stats.append(dict(record))
            elif kind == "@crash":
                self.crashes.append(dict(record))
            elif kind == "@quit":
                self.quit = True
            elif kind == "@gdb":
                self.gdb = str(record["vm"])
            elif kind == "@end":
                self.end = {"status": int(record["status"]), "why": str(record.get("why", ""))}
            else:
                raise ValueError(kind)
        except (ValueError, KeyError, TypeError):
            self.broken.append(line)


@dataclass
class Verdict:
    status: int
    sentence: str  # "" when all went well


def _last_words(log: Transcript) -> str:
    said = [line for line in log.lines if line.strip() and not line.startswith("@")]
    return f"; its last line: {said[-1]!r}" if said else "; it said nothing"


def verdict(log: Transcript, expected_vms: int, timed_out: bool, engine_says: str) -> Verdict:
    """The exit status of a run under the hypervisor, and the line that says why."""
    bad = [vm.sentence() for vm in log.vms if not vm.clean]
    if log.end is not None:
        if log.end["status"] != 0 or bad:
            # When a VM is why, the hypervisor says "VM name: " and the VM's own reason: once is enough.
            told = any(vm.why and vm.why in log.end["why"] for vm in log.vms if not vm.clean)
            why = [log.end["why"]] if log.end["why"] and not told else []
            return Verdict(STATUS_CRASHED, "; ".join(bad + why) or f"the hypervisor ended with status {log.end['status']}")
        if len(log.vms) < expected_vms and not log.quit:
            return Verdict(STATUS_CRASHED, f"only {len(log.vms)} of {expected_vms} VMs ran")
        return Verdict(STATUS_OK, "")
    if timed_out:
        return Verdict(STATUS_TIMEOUT, f"timed out after {len(log.vms)} of {expected_vms} VMs" + _last_words(log))
    return Verdict(STATUS_CRASHED, "; ".join([*bad, f"the hypervisor crashed: {engine_says}{_last_words(log)}"]))
