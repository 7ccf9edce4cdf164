# SPDX-License-Identifier: BSD-2-Clause
"""Debian's kernels under shadow paging: to the shell and to the end, and not to be told from EPT by what they print."""

from __future__ import annotations

import difflib
import functools
import re
import tempfile
from pathlib import Path

import pytest

from conftest import Run, Starter, complaints, slow

CLOUD, FULL = "debian:cloud-amd64", "debian:amd64"
SKYLAKE, SANDY_BRIDGE = "corei7_skylake_x", "corei7_sandy_bridge_2600k"
STRATEGIES = ["oos", "sync", "vtlb"]
SHADOW_BOOT_TIMEOUT_S = 900

# What differs from one boot to the next in the same mode as well: the time stamp of a line, and the clocks.
TIMES = [
    (re.compile(r"^\[ *\d+\.\d+\] "), ""),
    (re.compile(r"(audit: type=2000 audit)\(\d+\.\d+:"), r"\1(TIME:"),
    (re.compile(r"(rtc_cmos .* setting system clock to) .*"), r"\1 TIME"),
    (re.compile(r"(sched_clock: Marking stable) .*"), r"\1 TIMES"),
]

# Printed by a thread of its own, between any two lines of the first one's.
ANYWHERE = re.compile(r"audit: type=2000 audit")

CELLS = [
    pytest.param(kernel, model, mem, strategy,
                 marks=[] if (kernel, model, mem) == (CLOUD, SKYLAKE, 256) and strategy != "vtlb" else [slow])
    for kernel in (CLOUD, FULL)
    for model in (SKYLAKE, SANDY_BRIDGE)
    for mem in (256, 5120)
    for strategy in STRATEGIES
]  # fmt: skip


def transcript(run: Run) -> list[str]:
    """From the first line to the end, by way of the shell."""
    assert complaints(run.prompt(SHADOW_BOOT_TIMEOUT_S)) == []
    assert "x86_64" in run.command("uname -m")
    run.send("poweroff")
    assert run.finish() == 0
    assert run.machine_lines("vm")[0]["end"] == "poweroff"
    return run.text.replace("\r", "").splitlines()


def timeless(line: str) -> str:
    for pattern, text in TIMES:
        line = pattern.sub(text, line)
    return line


def comparable(lines: list[str]) -> list[str]:
    """Without times, and with the lines at the end that may stand anywhere."""
    return sorted((timeless(x) for x in lines), key=lambda x: ANYWHERE.match(x) is not None)


def differences(a: list[str], b: list[str]) -> list[str]:
    """The lines in which two transcripts differ."""
    diff = difflib.unified_diff(comparable(a), comparable(b), "EPT", "shadow", lineterm="", n=0)
    return [line for line in diff if not line.startswith("@@")]


@functools.cache
def under_ept(kernel: str, model: str, mem: int) -> list[str]:
    """Once a process, for all strategies."""
    with tempfile.TemporaryDirectory() as directory:
        run = Run(Path(directory) / "log", *options(kernel, model, mem), "--mmu", "ept")
        try:
            return transcript(run)
        finally:
            run.stop()


def options(kernel: str, model: str, mem: int) -> tuple[str, ...]:
    return "--kernel", kernel, "--cpu-model", model, "--mem", f"{mem}M"


@pytest.mark.parametrize(("kernel", "model", "mem", "strategy"), CELLS)
def test_prints_what_it_prints_under_ept(triptych: Starter, kernel: str, model: str, mem: int, strategy: str) -> None:
    run = triptych(*options(kernel, model, mem), "--mmu", "shadow", "--shadow", strategy)
    assert differences(under_ept(kernel, model, mem), transcript(run)) == []


@pytest.mark.parametrize(
    ("a", "b", "count"),
    [
        (["[    0.5] x"], ["[   10.25] x"], 0),
        (["[    0.5] x"], ["[    0.5] y"], 2),
        (["rtc_cmos 00:00: setting system clock to 1"], ["rtc_cmos 00:00: setting system clock to 2"], 0),
        (["Memory: 1K"], ["Memory: 2K"], 2),
        (["x", "[ 1.5] audit: type=2000 audit(1.5:1): x"], ["[ 2.5] audit: type=2000 audit(2.5:1): x", "x"], 0),
        (["x", "[ 1.5] audit: type=2000 audit(1.5:1): x"], ["x"], 1),
        (["x", "y"], ["y", "x"], 2),
    ],
)
def test_only_times_are_forgiven(a: list[str], b: list[str], count: int) -> None:
    found = differences(["same", *a], ["same", *b])
    assert len([line for line in found if not line.startswith(("---", "+++"))]) == count
