# SPDX-License-Identifier: BSD-2-Clause
"""Debian's stock kernels, from the boot loader to the shell and to the end."""

from __future__ import annotations

import pytest

from conftest import COMPLAINT, NATIVE_TOO, Run, Starter, complaints, own_mode, slow
from test_numbers import check_exits, check_memory

MB = 1 << 20
KERNELS = ["debian:cloud-amd64", "debian:amd64"]
# The kernel's own part of 256 MB and of 5 GB, its table of pages included, is less than this.
KERNEL_SHARE = 0.2

# kernel, boot protocol, guest memory in MB; with 5 GB there is memory above the hole below 4 GB.
BOOTS = [
    ("debian:cloud-amd64", "linux64", 256),
    ("debian:amd64", "linux64", 256),
    pytest.param("debian:cloud-amd64", "pvh", 256, marks=slow),
    pytest.param("debian:cloud-amd64", "linux64", 5120, marks=slow),
    pytest.param("debian:amd64", "pvh", 256, marks=slow),
    pytest.param("debian:cloud-amd64", "pvh", 5120, marks=slow),
    pytest.param("debian:amd64", "linux64", 5120, marks=slow),
    pytest.param("debian:amd64", "pvh", 5120, marks=slow),
]


# What tests/system/smallest.py found natively, in MB.
SMALLEST = [("debian:cloud-amd64", 88), ("debian:amd64", 92)]


def memory_kb(run: Run) -> int:
    return int(run.command("awk '/MemTotal/{print $2}' /proc/meminfo").split()[-1])


@pytest.mark.parametrize(("kernel", "boot", "mem"), BOOTS)
def test_reaches_the_shell_and_powers_off(in_each_mode: Starter, kernel: str, boot: str, mem: int) -> None:
    run = in_each_mode("--kernel", kernel, "--boot", boot, "--mem", f"{mem}M")
    run.prompt()
    assert "x86_64" in run.command("uname -m")
    assert memory_kb(run) * 1024 > mem * MB * (1 - KERNEL_SHARE)
    assert "ttyS0" in run.command("cat /proc/interrupts")
    clock = run.command("date -u -s '2031-07-14 12:34:56' >/dev/null; hwclock -u -w; hwclock -u -r")
    assert "Jul 14 12:34:5" in clock, "what the kernel wrote into the RTC"
    run.send("poweroff")
    assert run.finish() == 0
    assert complaints(run.text) == []
    assert run.machine_lines("vm")[0]["end"] == "poweroff"
    if mem == 256 and in_each_mode.mmu == "ept":
        check_exits(run.machine_lines("stats"))
        check_memory(run.machine_lines("stats"), run.log())


@pytest.mark.parametrize(("kernel", "mem"), SMALLEST)
@slow
def test_what_is_enough_natively_is_enough(in_each_mode: Starter, kernel: str, mem: int) -> None:
    run = in_each_mode("--kernel", kernel, "--mem", f"{mem}M")
    assert complaints(run.prompt()) == []
    run.send("poweroff")
    assert run.finish() == 0


@pytest.mark.parametrize(
    ("append", "command", "end", "status"),
    [
        ("", "reboot", "reset", 0),
        pytest.param("", "halt", "halt", 0, marks=slow),
        pytest.param("reboot=t", "reboot", "triple", 1, marks=slow),  # Linux restarts a machine by a triple fault if told so
    ],
)
def test_other_ends(in_each_mode: Starter, append: str, command: str, end: str, status: int) -> None:
    run = in_each_mode("--no-reboot", "--append", f"console=ttyS0 {append}")
    run.prompt()
    run.send(command)
    assert run.finish() == status
    assert run.machine_lines("vm")[0]["end"] == end


@slow
def test_reboot_starts_again(in_each_mode: Starter) -> None:
    run = in_each_mode()
    run.prompt()
    run.send("reboot")
    run.prompt()
    run.send("poweroff")
    assert run.finish() == 0


@own_mode("native")
@slow
@pytest.mark.parametrize("kernel", KERNELS)
def test_what_is_forgiven_is_in_the_native_log_too(triptych: Starter, kernel: str) -> None:
    run = triptych("--mode", "native", "--kernel", kernel)
    found = [line for line in run.prompt().splitlines() if COMPLAINT.search(line)]
    assert [n for n in NATIVE_TOO if not any(n in line for line in found)] == []
    run.send("poweroff")
    assert run.finish() == 0
