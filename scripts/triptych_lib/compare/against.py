# SPDX-License-Identifier: BSD-2-Clause
"""What got slower or faster since an older results file. What was measured in another way is not compared, and said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from . import figures
from .store import OK, Record
from .summary import number

Data = dict[str, Any]
SHOWN = 0.01  # changes of less are counted, and not listed
# Exits an operation: fewer come from interrupts of the timer that happened to fall into it.
EXITS_NOISE = 0.1
SAME = ("engine", "engine_version", "cpu_model", "unit", "kernel", "mitigations", "vm")


@dataclass(frozen=True)
class Change:
    workload: str
    operation: str
    mode: str
    what: str  # "ticks", or "exits"
    old: float
    new: float

    @property
    def share(self) -> float:
        if self.what == "exits" and abs(self.new - self.old) < EXITS_NOISE:
            return 0.0
        return (self.new - self.old) / self.old if self.old else (0.0 if self.new == self.old else float("inf"))

    def sentence(self) -> str:
        word = "worse" if self.new > self.old else "better"
        return (
            f"{self.share:+.1%} {word}: {self.workload} {self.operation}, {self.mode}: "
            f"{number(self.old)} -> {number(self.new)} {self.what}"
        )


def _kind(record: Record, key: str) -> Any:
    value = record.get(key)
    # The file is the same guest wherever the tree stands; whether it is the same file is not for us to judge: it may
    # be what got better.
    return {k: v for k, v in value.items() if k not in ("kernel", "name")} if key == "vm" and isinstance(value, dict) else value


def unlike(old: Record, new: Record) -> str:
    """Why the figures of two runs must not be compared, or nothing."""
    said = [f"{k}: {_kind(old, k)!r}, now {_kind(new, k)!r}" for k in SAME if _kind(old, k) != _kind(new, k)]
    return "; ".join(said)


def exits_of(cell: Data) -> float | None:
    return sum(cell["exits"].values()) if "exits" in cell else None


def changes_of(workload: str, operation: str, mode: str, old: Data, new: Data) -> list[Change]:
    found = [Change(workload, operation, mode, "ticks", old["ticks"], new["ticks"])]
    a, b = exits_of(old), exits_of(new)
    if a is not None and b is not None:
        found.append(Change(workload, operation, mode, "exits", a, b))
    return found


def _by_cell(data: Data) -> dict[tuple[str, str, str], Data]:
    return {
        (w["name"], op["name"], mode): cell
        for w in data["workloads"]
        for op in w["operations"]
        for mode, cell in op["cells"].items()
    }


def compare(old: list[Record], new: list[Record]) -> tuple[list[Change], list[str]]:
    """The changes, and sentences about what cannot be compared."""
    first = {(r["workload"], r["mode"]): r for r in reversed(figures.latest(old))}
    apart: dict[tuple[str, str], str] = {}
    said = []
    for r in figures.latest(new):
        at = (r["workload"], r["mode"])
        if at in apart or at not in first or "command" not in r or "command" not in first[at]:
            continue
        apart[at] = unlike(first[at], r)
        if apart[at]:
            said.append(f"{at[0]}, {at[1]}: not comparable: {apart[at]}")
    before, now = _by_cell(figures.figures(old)), _by_cell(figures.figures(new))
    changes: list[Change] = []
    for (workload, operation, mode), cell in now.items():
        earlier = before.get((workload, operation, mode))
        if earlier is None or apart.get((workload, mode)):
            continue
        if earlier["status"] == OK and cell["status"] == OK:
            changes += changes_of(workload, operation, mode, earlier, cell)
        elif earlier["status"] != cell["status"]:
            said.append(f"{workload} {operation}, {mode}: was {earlier['status']}, is {cell['status']}: {cell.get('why', '')}")
    return changes, said


def report(old: list[Record], new: list[Record]) -> str:
    """For people: the worst first."""
    changes, said = compare(old, new)
    large = sorted((c for c in changes if abs(c.share) >= SHOWN), key=lambda c: -c.share)
    lines = [c.sentence() for c in large] + said
    lines.append(f"{len(changes) - len(large)} of {len(changes)} figures within {SHOWN:.0%} of before")
    return "\n".join(lines)
