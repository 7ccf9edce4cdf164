# SPDX-License-Identifier: BSD-2-Clause
"""Guests with several processors: a small one with all that it can do to itself, and Debian's kernel."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from conftest import ROOT, Run, Starter, compiled, complaints, own_mode, quick, slow
from test_stress import with_stress
from test_vms import ends, lost_pages, tiny
from triptych_lib import cpio

# What a kernel says when a processor does not answer for long, or its clocks disagree.
TROUBLE = re.compile(r"soft lockup|rcu.*stall|hard LOCKUP|clocksource.*(?:unstable|skew)|TSC.*(?:warp|unstable)|(?i:not responding|stuck)")
CLOCK = "/sys/devices/system/clocksource/clocksource0/current_clocksource"
CPU = "/sys/devices/system/cpu"
SMALL_VCPUS = 4
SMALL_TIMEOUT_S = 300
STRESSORS = "--cpu 4 --vm 2 --vm-bytes 24M --fork 4 --sem 4"
STRESSED_VCPUS = 4
STRESS_TIMEOUT_S = 1800
HANDOVERS_MIN = 5  # of the clocks from processor to processor, in a second, however busy these are
AFTERWARDS_S = 2


def online(run: Run) -> str:
    return run.command(f"cat {CPU}/online")


def work_done(run: Run, cpu: int) -> bool:
    """Can a program run there?"""
    return "there" in run.command(f"taskset -c {cpu} echo there")


def cpus_of(run: Run, vm: str) -> list[object]:
    """Of the vcpus of a VM, by the account of each, in the order of their numbers: all of them have run."""
    rows = [line for line in run.machine_lines("stats") if line.get("vm") == vm and "ran_ticks" in line]
    assert all(int(str(row["ran_ticks"])) > 0 for row in rows)
    return [row["cpu"] for row in sorted(rows, key=lambda row: int(str(row["vcpu"])))]


def quiet(run: Run) -> bool:
    """Has the kernel nothing to complain of?"""
    said = run.command("dmesg")
    return not TROUBLE.search(said) and not complaints(said)


@quick
def test_all_that_processors_do_to_each_other(in_each_mode: Starter, tmp_path: Path) -> None:
    """tests/guest/smp with its processors on two: among the rest, memory is taken away from one side while the other uses it."""
    keys = (f"vcpus = {SMALL_VCPUS}", "shadow_audit = true")
    run = in_each_mode("--host-cpus", "2", *tiny(tmp_path, "smp", "", *keys, guest="smp", mem="16M"))
    assert run.finish(SMALL_TIMEOUT_S) == 0
    assert ends(run) == {"smp": "exit 1"}
    assert cpus_of(run, "smp") == [0, 1] * (SMALL_VCPUS // 2)
    assert lost_pages(run) == [0]


@own_mode("a matrix of both memory modes and the numbers of processors")
@pytest.mark.parametrize(
    ("vcpus", "host_cpus", "mmu"),
    [
        pytest.param(4, 1, "ept", marks=slow),
        (4, 2, "ept"),
        pytest.param(2, 1, "shadow", marks=slow),
        pytest.param(4, 2, "shadow", marks=slow),
        pytest.param(16, 2, "ept", marks=slow),
        pytest.param(16, 2, "shadow", marks=slow),
    ],
)
def test_processors_come_up_go_and_come_back(triptych: Starter, vcpus: int, host_cpus: int, mmu: str) -> None:
    run = triptych("--vcpus", str(vcpus), "--host-cpus", str(host_cpus), "--mmu", mmu)
    run.command_timeout = 300
    run.prompt()
    last = vcpus - 1
    assert run.command("nproc").split()[-1] == str(vcpus)
    assert online(run).endswith(f"0-{last}")
    assert all(work_done(run, cpu) for cpu in range(vcpus))
    for _ in range(2):
        run.command(f"echo 0 > {CPU}/cpu{last}/online")
        assert run.command("nproc").split()[-1] == str(last)
        run.command(f"echo 1 > {CPU}/cpu{last}/online")
        assert run.command("nproc").split()[-1] == str(vcpus)
        assert work_done(run, last)
    assert run.command("cat /sys/bus/clocksource/devices/*/current*").split()[-1] in ("tsc", "kvm-clock")
    assert quiet(run)
    run.send("poweroff")
    assert run.finish() == 0


def check_clocks(said: str, seconds: int) -> dict[str, int]:
    """What tests/system/handover.c has found: every processor read the clocks, and none saw them go back."""
    found = re.search(r'^\{"readings".*\}', said, re.M)
    assert found, said[-500:]
    seen = json.loads(found.group(0))
    assert len(seen["readings"]) == STRESSED_VCPUS and min(seen["readings"]) > 0
    assert seen["handovers"] >= HANDOVERS_MIN * seconds
    assert (seen["tsc_back"], seen["monotonic_back"]) == (0, 0), seen
    return dict(seen)


@own_mode("both memory modes on both numbers of processors: a matrix of its own")
@pytest.mark.parametrize(
    ("host_cpus", "mmu", "clock", "seconds"),
    [
        (2, "ept", "kvm-clock", 3),
        (1, "ept", "tsc", 30),
        (2, "ept", "tsc", 30),
        (1, "shadow", "tsc", 30),
        (2, "shadow", "tsc", 30),
        (2, "shadow", "kvm-clock", 30),
    ],
)
@slow
def test_stress_on_all_processors(
    triptych: Starter, tmp_path: Path, host_cpus: int, mmu: str, clock: str, seconds: int
) -> None:
    """stress-ng checks what it computes and stores while the clocks are compared between processors."""
    handover = cpio.regular("bin/handover", compiled(tmp_path, "handover", "-pthread"), 0o755)
    stress = f"{shutil.which('stress-ng')} {STRESSORS} --verify -t {seconds}"
    run = triptych(
        *("--vcpus", str(STRESSED_VCPUS), "--host-cpus", str(host_cpus), "--mmu", mmu, "--mem", "512M"),
        *("--initrd", str(with_stress(tmp_path, also=[handover]))),
        *("--append", f"console=ttyS0 clocksource={clock}", *["--kvmclock"] * (clock == "kvm-clock")),
    )
    run.command_timeout = STRESS_TIMEOUT_S
    run.prompt(STRESS_TIMEOUT_S)
    assert run.command(f"cat {CLOCK}").split()[-1] == clock
    said = run.command(f"handover {seconds} > /tmp/clocks & {stress} 2>&1; wait; cat /tmp/clocks")
    assert "successful run completed" in said and not re.search(r"fail:|unsuccessful", said)
    under_stress = check_clocks(said, seconds)

    last = STRESSED_VCPUS - 1
    run.command(f"echo 0 > {CPU}/cpu{last}/online")
    assert online(run).endswith(f"0-{last - 1}")
    run.command(f"echo 1 > {CPU}/cpu{last}/online")
    assert online(run).endswith(f"0-{last}")
    check_clocks(run.command(f"handover {AFTERWARDS_S}"), AFTERWARDS_S)
    assert run.command(f"cat {CLOCK}").split()[-1] == clock
    assert quiet(run)

    run.send("poweroff")
    assert run.finish() == 0
    assert lost_pages(run) == [0]
    used = cpus_of(run, "linux")
    assert len(used) == STRESSED_VCPUS and set(used) == set(range(host_cpus))
    print(f"{mmu} on {host_cpus}: {clock} and TSC under stress {under_stress}")
