# SPDX-License-Identifier: BSD-2-Clause
"""Guests with several processors: Debian's kernel brings them up, takes one off and puts it back."""

from __future__ import annotations

import re

import pytest

from conftest import Run, Starter, complaints, own_mode, slow

# What a kernel says when a processor does not answer for long, or its clocks disagree.
TROUBLE = re.compile(r"soft lockup|rcu.*stall|hard LOCKUP|clocksource.*(?:unstable|skew)|TSC.*(?:warp|unstable)|(?i:not responding|stuck)")
CPU = "/sys/devices/system/cpu"


def online(run: Run) -> str:
    return run.command(f"cat {CPU}/online")


def work_done(run: Run, cpu: int) -> bool:
    """Can a program run there?"""
    return "there" in run.command(f"taskset -c {cpu} echo there")


@own_mode("several processors take EPT")
@pytest.mark.parametrize(
    ("vcpus", "host_cpus", "mmu"),
    [
        (4, 1, "ept"),
        (4, 2, "ept"),
        (2, 1, "shadow"),
        pytest.param(4, 2, "shadow", marks=slow),
        pytest.param(16, 2, "ept", marks=slow),
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
    said = run.command("dmesg")
    assert not TROUBLE.search(said) and not complaints(said)
    run.send("poweroff")
    assert run.finish() == 0
