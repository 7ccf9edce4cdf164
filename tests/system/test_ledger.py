# SPDX-License-Identifier: BSD-2-Clause
"""The ledger adds up in whole runs, and an account that is left out is noticed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from conftest import ROOT, Starter, quick

from triptych_lib import ledger  # noqa: E402

NANO = ("--kernel", str(ROOT / "build/nano.elf"), "--initrd", "")
SHORT = ("--append", "only=cpuid,in,mmio-read,hlt-wake,fork-8 batches=5")


def row(**more: int) -> dict[str, Any]:
    accounts = {"boot_ticks": 100, "hypervisor_ticks": 50, "backend_ticks": 3, "trace_ticks": 2, "cpu_idle_ticks": 45}
    return {"ledger": 0, "elapsed_ticks": 1000, **accounts, "guest_sum": 600, "exit_sum": 200, **more}


VCPU = [
    {"vm": "a", "vcpu": 0, "exit": "io", "count": 2, "ticks": 150},
    {"vm": "a", "vcpu": 0, "exit": "cpuid", "count": 1, "ticks": 50},
    {"vm": "a", "vcpu": 0, "exits": 3, "guest_ticks": 600, "hv_ticks": 200, "idle_ticks": 45},
]


def test_accounts_that_add_up() -> None:
    assert ledger.problems([*VCPU, row()]) == []
    assert ledger.problems([*VCPU, row(elapsed_ticks=1009)]) == []
    assert ledger.problems(VCPU) == [], "a run without a report has nothing to check"


@pytest.mark.parametrize(
    ("stats", "says"),
    [
        ([*VCPU, row(elapsed_ticks=1011)], "11 ticks of CPU 0"),
        ([*VCPU, row(elapsed_ticks=980)], "-20 ticks of CPU 0"),
        ([*VCPU[1:], row()], "come to 650 ticks, and were charged 800"),
        ([*VCPU, row(), row(ledger=1, guest_sum=0, exit_sum=0)], "800 ticks of CPU 1"),
    ],
)
def test_accounts_that_do_not(stats: list[dict[str, Any]], says: str) -> None:
    assert any(says in problem for problem in ledger.problems(stats)), ledger.problems(stats)


@quick
@pytest.mark.parametrize("cpus", [1, 2])
def test_every_tick_is_accounted_for(in_each_mode: Starter, tmp_path: Path, cpus: int) -> None:
    file = tmp_path / "stats"
    run = in_each_mode(*NANO, *SHORT, "--host-cpus", str(cpus), "--stats-json", str(file))
    assert run.finish(300) == 0, run.log()
    told = json.loads(file.read_text())
    assert told["ledger"] == {"cpus": cpus, "problems": []}
    for cpu in ledger.cpus(told["stats"]):
        print(cpu)
        assert abs(cpu["residual_ticks"]) < ledger.RESIDUAL_MAX * cpu["elapsed_ticks"]
    first = ledger.cpus(told["stats"])[0]
    assert first["exit_sum"] > ledger.RESIDUAL_MAX * first["elapsed_ticks"], "else the next test shows nothing"


@quick
def test_a_handler_left_out_is_noticed(in_each_mode: Starter, tmp_path: Path) -> None:
    file = tmp_path / "stats"
    run = in_each_mode(*NANO, "--hv-args", "ledger_omit=memory", "--append", "only=mmio-read batches=200", "--stats-json", str(file))
    assert run.finish(300) == 1
    told = json.loads(file.read_text())
    assert "are in no account" in told["why"] and told["ledger"]["problems"]
    assert "in no account" in run.log()


@quick
def test_the_last_exits(in_each_mode: Starter) -> None:
    """The ring has the exits in order, the places count them, and neither disturbs what the guest does."""
    run = in_each_mode(*NANO, "--trace", "20", "--append", "only=cpuid batches=3")
    assert run.finish(300) == 0, run.log()
    lines = re.findall(r"trace: tsc (\d+) rip 0x([0-9a-f]+) (.*) 0x[0-9a-f]+$", run.log(), re.M)
    assert len(lines) == 20 and [int(t) for t, _, _ in lines] == sorted(int(t) for t, _, _ in lines)
    assert lines[-1][2] == "I/O instruction", "the last exit switched off"
    places = [row for row in run.machine_lines("stats") if "rip" in row]
    most = max((row for row in places if row["reason"] == "CPUID"), key=lambda row: row["times"])
    assert most["times"] == 200 * (3 + 1)
    assert 30 <= most["spent"] / most["times"] <= 100
    (total,) = (row for row in run.machine_lines("stats") if "traced" in row)
    (vcpu,) = (row for row in run.machine_lines("stats") if "exits" in row)
    # A deadline that comes before an entry is accounted as an exit; the last exit is not accounted any more.
    assert abs(total["traced"] - vcpu["exits"]) <= 0.01 * vcpu["exits"] and total["without_place"] == 0
    (cpu,) = ledger.cpus(run.machine_lines("stats"))
    assert cpu["trace_ticks"] > 0


@quick
def test_vmreads_and_vmwrites(in_each_mode: Starter) -> None:
    """By hand, from vmx/quick.c: a CPUID reads the reason, RIP, the length, RFLAGS and the blocking; it writes RIP and the timer."""
    run = in_each_mode(*NANO, "--hypervisor", str(ROOT / "build/counting/triptych.elf"), "--append", "only=cpuid")
    assert run.finish(300) == 0, run.log()
    (row,) = (row for row in run.machine_lines("stats") if row.get("exit") == "cpuid")
    # All but a few, at the start, are of a leaf that is constant; the others ask for more registers.
    assert 0 <= row["vmreads"] - 5 * row["count"] <= 20
    # vmx_exit_quick() leaves the timer to the run loop, uncounted, where the deadline has come by then: here once at most.
    assert -1 <= row["vmwrites"] - 2 * row["count"] <= 20


CRASHES = ("--kernel", str(ROOT / "build/guest/unknown-insn.elf"), "--boot", "elf", "--initrd", "", "--mem", "16M", "--testdev")
DEVICE = 0xFF000000  # the test device, LAYOUT_TESTDEV


@quick
@pytest.mark.parametrize("recorded", [0, 2])  # it has three
def test_the_report_of_a_crash(in_each_mode: Starter, recorded: int) -> None:
    """Registers, the instruction, the walks; and the last exits, of which the very last is there without a record."""
    run = in_each_mode(*CRASHES, *(("--trace", str(recorded)) if recorded else ()))
    assert run.finish(120) == 1
    (line,) = run.machine_lines("crash")
    crash: dict[str, Any] = dict(line)
    assert crash["vcpu"] == 0 and crash["bits"] == 64 and "does not know" in crash["why"]
    assert re.match("0f10", crash["bytes"])  # MOVUPS
    registers = crash["registers"]
    assert len(registers) == 16 + 7 and registers["rip"] == crash["rip"]
    assert hex(DEVICE) in registers.values()
    assert [row["segment"] for row in crash["segments"]] == ["es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"]
    assert [row["level"] for row in crash["guest"]][:2] == [4, 3] and crash["gpa"] == crash["rip"]
    walk = crash.get("ept") or crash["shadow"]
    assert walk[-1]["leads_to"] == "page" and "x" in walk[-1]["rights"]
    assert len(crash["exits"]) == (recorded or 1)
    last = crash["exits"][-1]
    assert last["rip"] == crash["rip"] and last["tsc"] > 0
    if "ept" in crash:
        assert last["reason"] == "EPT violation" and crash["exit_gpa"] == crash["exit_gva"] == hex(DEVICE)
    else:
        assert last["reason"] == "exception or NMI" and last["info"] == hex(DEVICE)
    told = crash["story"][-1 if recorded else 1]
    assert re.search(r" us ago, .*(touched memory that is not mapped so \(to read\)|raised an exception that we intercept)", told)


@quick
def test_a_crash_shows_the_last_exits(in_each_mode: Starter) -> None:
    run = in_each_mode(*CRASHES, "--trace", "8")
    assert run.finish(120) == 1
    _, crash, after = run.log().partition("crashed:")
    assert crash and 1 <= len(re.findall(r"trace: tsc \d+ rip 0x", after)) <= 8, run.log()
    assert run.log().count("trace: linux, vcpu 0: the last") == 1, "once, at the crash"
