# SPDX-License-Identifier: BSD-2-Clause
"""The nano guest: natively its figures are what one counts by hand, and the same image runs in each mode."""

from __future__ import annotations

import json
from typing import Any

import pytest

from conftest import ROOT, Run, Starter, own_mode, quick

NANO = ("--kernel", str(ROOT / "build/nano.elf"), "--initrd", "")
# In Bochs an instruction is a tick. A fault is one more than its handler, which skips the instruction: of a page fault the
# handler also takes the error code off the stack.
BY_HAND = {
    "cpuid": 1,
    "callret": 2,
    "ptemod": 1,
    "ptemod-invlpg": 2,
    "syscall": 2,
    "in": 1,
    "cr8wr": 1,
    "divzero": 1 + 2,
    "pgfault": 1 + 3,
    "rdmsr-passed": 1,
    "flush-all": 2,
    "ts-toggle": 2,
    "mmio-read": 1,
    "walk-4k": 1,
    "walk-1g": 1,
}
OPERATIONS = 72


def results(run: Run) -> dict[str, dict[str, Any]]:
    assert run.finish(300) == 0, run.text[-500:]
    assert run.text.rstrip().endswith("nano: done")
    rows = [json.loads(line) for line in run.text.splitlines() if line.startswith("{")]
    assert len({row["name"] for row in rows}) == len(rows)
    return {row["name"]: row for row in rows}


@own_mode("native")
def test_natively_as_counted_by_hand(triptych: Starter) -> None:
    rows = results(triptych("--mode", "native", *NANO))
    assert len(rows) == OPERATIONS
    for name, ticks in BY_HAND.items():
        row = rows[name]
        assert (row["minimum"], row["median"], row["maximum"]) == (ticks, ticks, ticks), row
    assert rows["vmcall"] == {"name": "vmcall", "error": "#UD: no hypervisor"}
    for name, row in rows.items():
        assert "error" in row or 0 < row["minimum"] <= row["median"] <= row["maximum"], row
        assert row.get("pages", 0) == (int(name.rsplit("-", 1)[1]) if "-" in name and name[-1].isdigit() else 0)


@quick
def test_in_a_vm(in_each_mode: Starter) -> None:
    """Each trapped operation exits as often as it must, and costs more than natively; the others do not exit."""
    rows = results(in_each_mode(*NANO, "--counters", "--append", "batches=3"))
    mmu = in_each_mode.mmu
    assert len(rows) == OPERATIONS
    once = {"cpuid": "cpuid", "in": "io", "cr8wr": "cr", "rdmsr-trapped": "rdmsr", "wrmsr-trapped": "wrmsr"}
    once |= {"mmio-read": "memory", "hlt-wake": "hlt"} | ({"invlpg": "invlpg"} if mmu == "shadow" else {})
    for name, kind in once.items():
        assert abs(rows[name]["exits"][kind] - 1) < 0.02, rows[name]
    free = ["callret", "syscall", "pgfault", "divzero", "rdmsr-passed", "wrmsr-passed", "ts-toggle"]
    free += ["ptemod-invlpg", "cr3-write"] if mmu == "ept" else []
    for name in free:
        exits = {kind: n for kind, n in rows[name]["exits"].items() if kind not in ("timer", "interrupt")}
        assert not exits, rows[name]
        assert rows[name]["minimum"] == BY_HAND.get(name, 1), rows[name]
    assert rows["cpuid"]["minimum"] <= 100
    assert "error" in rows["vmcall"] and "kvmclock" in rows["vmcall"]["error"]


# A fault that is the guest's own, and one whose handler maps the page. The shadow of a TLB has nothing to tell the first by;
# and this handler is so short that under oos the table goes out of sync, when all faults exit, as with no kernel
# (test_numbers.py has Linux).
FAULTS = {"oos": (0, 2), "sync": (0, 1), "vtlb": (1, 2)}


@own_mode("each strategy of shadow paging")
@pytest.mark.parametrize("strategy", FAULTS)
def test_exits_of_page_faults(triptych: Starter, strategy: str) -> None:
    operations = ("--append", "only=pgfault,demand-fault batches=3")
    rows = results(triptych(*NANO, "--mmu", "shadow", "--shadow", strategy, "--counters", *operations))
    own, demand = rows["pgfault"], rows["demand-fault-512"]
    assert abs(own["exits"].get("memory", 0) - FAULTS[strategy][0]) < 0.02, own
    assert FAULTS[strategy][0] or own["minimum"] == BY_HAND["pgfault"], own
    assert abs(demand["exits"]["memory"] / demand["pages"] - FAULTS[strategy][1]) < 0.05, demand


@quick
def test_operations_can_be_chosen(in_each_mode: Starter) -> None:
    run = in_each_mode(*NANO, "--kvmclock", "--append", "only=vmcall,protect,ptemod,nonsense batches=1")
    rows = results(run)
    sizes = [f"protect-{1 << n}" for n in range(10)]
    assert list(rows) == ["vmcall", *sizes, "ptemod", "nonsense"]
    assert rows["nonsense"]["error"] and rows["vmcall"]["operations"] == 200 and "exits" not in rows["vmcall"]
