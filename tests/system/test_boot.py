# SPDX-License-Identifier: BSD-2-Clause
"""Debian's stock kernels, from the boot loader to the shell and to the end."""

from __future__ import annotations

import os
import re

import pytest

from conftest import Starter

COMPLAINT = re.compile(r"\bBUG\b|WARNING|(?i:unable to|firmware bug|unchecked msr)")
# Printed by the same kernel, booted natively in the same emulator.
NATIVE_TOO = re.compile(r"RETBleed: WARNING|TSC_DEADLINE disabled due to Errata")

# Minutes each: TRIPTYCH_SLOW=1 asks for them.
slow = pytest.mark.skipif("TRIPTYCH_SLOW" not in os.environ, reason="slow: set TRIPTYCH_SLOW=1")

# kernel, boot protocol, guest memory, machine memory
BOOTS = [
    ("debian:cloud-amd64", "linux64", "256M", "1G"),
    ("debian:amd64", "linux64", "256M", "1G"),
    pytest.param("debian:cloud-amd64", "pvh", "256M", "1G", marks=slow),
    pytest.param("debian:amd64", "pvh", "256M", "1G", marks=slow),
    pytest.param("debian:cloud-amd64", "linux64", "5G", "6G", marks=slow),
]


def complaints(text: str) -> list[str]:
    return [line for line in text.splitlines() if COMPLAINT.search(line) and not NATIVE_TOO.search(line)]


@pytest.mark.parametrize(("kernel", "boot", "mem", "host"), BOOTS)
def test_reaches_the_shell_and_powers_off(triptych: Starter, kernel: str, boot: str, mem: str, host: str) -> None:
    run = triptych("--kernel", kernel, "--boot", boot, "--mem", mem, "--host-mem", host)
    log = run.prompt()
    assert complaints(log) == []
    assert "x86_64" in run.command("uname -m")
    total = int(run.command("awk '/MemTotal/{print $2}' /proc/meminfo").split()[-1])
    assert total > (4 << 20 if mem == "5G" else 200 << 10)
    assert "ttyS0" in run.command("cat /proc/interrupts")
    run.send("poweroff")
    assert run.finish() == 0
    assert run.machine_lines("vm")[0]["end"] == "poweroff"


@pytest.mark.parametrize(("command", "end"), [("reboot", "reset"), ("halt", "halt")])
def test_other_ends(triptych: Starter, command: str, end: str) -> None:
    run = triptych("--no-reboot")
    run.prompt()
    run.send(command)
    assert run.finish() == 0
    assert run.machine_lines("vm")[0]["end"] == end


@slow
def test_reboot_starts_again(triptych: Starter) -> None:
    run = triptych()
    run.prompt()
    run.send("reboot")
    run.prompt()
    run.send("poweroff")
    assert run.finish() == 0


@slow
def test_native_kernel_has_the_same_complaints(triptych: Starter) -> None:
    """What COMPLAINT would find in a native boot is what NATIVE_TOO forgives, and no more."""
    run = triptych("--mode", "native")
    found = [line for line in run.prompt().splitlines() if COMPLAINT.search(line)]
    assert all(NATIVE_TOO.search(line) for line in found), found
    run.send("poweroff")
    run.finish()


@slow
def test_clock_agrees_while_idle(triptych: Starter) -> None:
    """The guest's clock against the TSC, over a sleep of a minute: 0.1 %."""
    run = triptych("--kernel", "debian:cloud-amd64")
    run.prompt()
    text = run.command("a=$(cut -d' ' -f1 /proc/uptime); sleep 60; b=$(cut -d' ' -f1 /proc/uptime); echo $a $b")
    start, end = (float(x) for x in re.findall(r"\d+\.\d+", text)[-2:])
    assert 59.9 < end - start < 60.3
    run.send("poweroff")
    assert run.finish() == 0
    idle = [s for s in run.machine_lines("stats") if "idle_ticks" in s][0]["idle_ticks"]
    assert isinstance(idle, int) and idle > 50 * 100_000_000 * 0.9, "HLT gives the CPU up"
