# SPDX-License-Identifier: BSD-2-Clause
"""Debian's kernels under shadow paging: to the shell and to the end, and not to be told from EPT by what they print."""

from __future__ import annotations

import difflib
import fcntl
import hashlib
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import CELL, ROOT, Run, Starter, complaints, own_mode, slow

CLOUD, FULL = "debian:cloud-amd64", "debian:amd64"
SKYLAKE, SANDY_BRIDGE, PENRYN = "corei7_skylake_x", "corei7_sandy_bridge_2600k", "core2_penryn_t9600"
STRATEGIES = ["oos", "sync", "vtlb"]
SHORT = {CLOUD: "cloud", FULL: "full", SKYLAKE: "skylake", SANDY_BRIDGE: "sandybridge", PENRYN: "penryn"}
SHADOW_BOOT_TIMEOUT_S = 900
VTLB_BOOT_TIMEOUT_S = 3600
TRANSCRIPTS = ROOT / "build/transcripts"

# What differs from one boot to the next in the same mode as well: the time stamp of a line, the clocks.
TIMES = [
    (re.compile(r"^\[ *\d+\.\d+\] "), ""),
    (re.compile(r"(audit: type=2000 audit)\(\d+\.\d+:"), r"\1(TIME:"),
    (re.compile(r"(rtc_cmos .* setting system clock to) .*"), r"\1 TIME"),
    (re.compile(r"(sched_clock: Marking stable) .*"), r"\1 TIMES"),
    (re.compile(r"(node 0 deferred pages initialised in) \d+ms"), r"\1 TIME"),
    # The frequency that the hypervisor measured, to a few millionths.
    (re.compile(r"(tsc: Detected \d+)\.\d{3} MHz"), r"\1 MHz"),
    (re.compile(r"(clocksource: tsc(-early)?: mask: 0xf+) .*"), r"\1 TIMES"),
    (re.compile(r"(Calibrating delay loop .*) \(lpj=\d+\)"), r"\1"),
]
# And the memory that is free early on, by where the kernel lies (KASLR): a table more or less, and with much memory,
# most of which it counts later, whether it lies itself in what it has counted yet. With nokaslr it is the same.
PLACE = [
    (re.compile(r"(Memory:) \d+K(/\d+K available)"), r"\1 FREE\2"),
    (re.compile(r"(Memory: .*, )\d+K( reserved,)"), r"\1RESERVED\2"),
    (re.compile(r"(NODE_DATA\(0\) allocated) \[mem 0x[0-9a-f]+-0x[0-9a-f]+\]"), r"\1 PLACE"),
    # Below 4 GB from the top, unless the kernel lies there: then below the kernel.
    (re.compile(r"(software IO TLB: mapped) \[mem 0x[0-9a-f]+-0x[0-9a-f]+\]"), r"\1 PLACE"),
    (re.compile(r"^(Linux \S+ on x86_64, 1 CPU), \d+ kB$"), r"\1, TOTAL"),
]

# Printed by threads of their own, between any two lines of the first one's.
ANYWHERE = re.compile(r"audit: type=2000 audit|Trying to unpack rootfs image|Freeing initrd memory")

# Penryn has no EPT, so Sandy Bridge is its reference; what the kernel says of the processor itself is left out.
REFERENCE = {PENRYN: SANDY_BRIDGE}
PROCESSOR = {
    PENRYN: re.compile(
        r"smpboot: CPU0: Intel"  # its name
        r"|Performance Events: unsupported p6 CPU model \d+ "  # its number
        r"|Last level [id]TLB entries: "  # the sizes of its TLBs
        r"|x86/fpu: Supporting XSAVE feature 0x004: 'AVX registers'"  # it has no AVX, so less state to save
        r"|x86/fpu: xstate_offset\[2\]|x86/fpu: Enabled xstate features|signal: max sigframe size"
    )
}
NEVER = re.compile(r"(?!)")
# Printed if the TSC and the processor differ in frequency, by one kHz say.
SOMETIMES = re.compile(r"tsc: Detected \d+ MHz TSC")

# Both kernels, each machine, little memory and memory above 4 GB, each strategy: -k full-penryn-5120-oos is one.
CELLS = [
    pytest.param(kernel, model, mem, strategy, id=f"{SHORT[kernel]}-{SHORT[model]}-{mem}-{strategy}",
                 marks=[] if (kernel, model, mem, strategy) == (CLOUD, SKYLAKE, 256, "oos") else [slow])
    for kernel in (CLOUD, FULL)
    for model in (SKYLAKE, SANDY_BRIDGE, PENRYN)
    for mem in (256, 5120)
    for strategy in STRATEGIES
]  # fmt: skip


def transcript(run: Run, limit: float) -> str:
    """From the first line to the end, by way of the shell and a few processes."""
    assert complaints(run.prompt(limit)) == []
    run.command_timeout = limit
    assert "x86_64" in run.command("uname -m")
    assert run.command("for i in 1 2 3; do ls /bin | wc -l; done | uniq | grep -c .") == "1"
    run.send("poweroff")
    assert run.finish(limit) == 0
    assert complaints(run.text) == []
    assert run.machine_lines("vm")[0]["end"] == "poweroff"
    return run.text.replace("\r", "")


def forgiven(line: str, kaslr: bool) -> str:
    for pattern, text in TIMES + (PLACE if kaslr else []):
        line = pattern.sub(text, line)
    return line


def comparable(lines: list[str], but: re.Pattern[str], kaslr: bool) -> list[str]:
    """Without times and some lines, and with those at the end that may stand anywhere."""
    rest = [x for x in (forgiven(line, kaslr) for line in lines) if not but.match(x) and not SOMETIMES.match(x)]
    return sorted(rest, key=lambda x: x if ANYWHERE.match(x) else "")


def differences(a: list[str], b: list[str], but: re.Pattern[str] = NEVER, kaslr: bool = True) -> list[str]:
    """The lines in which two transcripts differ."""
    ours, theirs = (comparable(x, but, kaslr) for x in (a, b))
    diff = difflib.unified_diff(ours, theirs, "EPT", "shadow", lineterm="", n=0)
    return [line for line in diff if not line.startswith("@@")]


def options(kernel: str, model: str, mem: int) -> tuple[str, ...]:
    return "--kernel", kernel, "--cpu-model", model, "--mem", f"{mem}M"


def kept(name: str, boot: Callable[[], str]) -> list[str]:
    """A transcript, from the file that it is kept in; once a build of the hypervisor, for all who compare with it."""
    build = hashlib.sha256((ROOT / "build/triptych.elf").read_bytes()).hexdigest()[:16]
    file = TRANSCRIPTS / build / name
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not file.exists():
            text = boot()
            file.write_text(text)
    return file.read_text().splitlines()


@own_mode("a cell is a strategy, compared with EPT")
@pytest.mark.parametrize(("kernel", "model", "mem", "strategy"), CELLS)
def test_prints_what_it_prints_under_ept(
    triptych: Starter, record_property: Callable[[str, object], None], kernel: str, model: str, mem: int, strategy: str
) -> None:
    cell = f"{SHORT[kernel]}-{SHORT[model]}-{mem}-{strategy}"
    limit = VTLB_BOOT_TIMEOUT_S if strategy == "vtlb" else SHADOW_BOOT_TIMEOUT_S
    start = time.monotonic()
    record_property(CELL, cell)
    run = triptych(*options(kernel, model, mem), "--mmu", "shadow", "--shadow", strategy)
    seen = transcript(run, limit)
    record_property("seconds", round(time.monotonic() - start))
    like = REFERENCE.get(model, model)
    reference = kept(
        f"{SHORT[kernel]}-{SHORT[like]}-{mem}-ept",
        lambda: transcript(triptych(*options(kernel, like, mem), "--mmu", "ept"), SHADOW_BOOT_TIMEOUT_S),
    )
    found = differences(reference, seen.splitlines(), PROCESSOR.get(model, NEVER))
    assert found == [], f"{len(found) - 2} lines differ:\n" + "\n".join(found)


@own_mode("one run in each mode, compared")
@slow
def test_without_kaslr_memory_is_the_same_too(triptych: Starter) -> None:
    """What the other test forgives of the line "Memory:" is the kernel's place, and not the memory mode."""
    fixed = (*options(CLOUD, SANDY_BRIDGE, 5120), "--append", "console=ttyS0 nokaslr")
    ept, shadow = (
        transcript(triptych(*fixed, "--mmu", mmu), SHADOW_BOOT_TIMEOUT_S).splitlines() for mmu in ("ept", "shadow")
    )
    found = differences(ept, shadow, kaslr=False)
    assert found == [], f"{len(found) - 2} lines differ:\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("a", "b", "count"),
    [
        (["[    0.5] x"], ["[   10.25] x"], 0),
        (["[    0.5] x"], ["[    0.5] y"], 2),
        (["rtc_cmos 00:00: setting system clock to 1"], ["rtc_cmos 00:00: setting system clock to 2"], 0),
        (["Memory: 1K/261752K available"], ["Memory: 1K/261748K available"], 2),
        (["Memory: 1K/5242488K available"], ["Memory: 2K/5242488K available"], 0),
        (["Memory: 1K/5242488K available (1K"], ["Memory: 1K/5242488K available (2K"], 2),
        (["NODE_DATA(0) allocated [mem 0x17ffd4000-0x17fffefff]"], ["NODE_DATA(0) allocated [mem 0x17ffd3000-0x17fffdfff]"], 0),
        (["software IO TLB: mapped [mem 0xbc000000-0xc0000000] (64MB)"], ["software IO TLB: mapped [mem 0xb7200000-0xbb200000] (64MB)"], 0),
        (["software IO TLB: mapped [mem 0xbc000000-0xc0000000] (64MB)"], ["software IO TLB: mapped [mem 0xbc000000-0xbe000000] (32MB)"], 2),
        (["Linux 6.1 on x86_64, 1 CPU, 5048464 kB"], ["Linux 6.1 on x86_64, 1 CPU, 5048460 kB"], 0),
        (["Linux 6.1 on x86_64, 1 CPU, 5048464 kB"], ["Linux 6.2 on x86_64, 1 CPU, 5048464 kB"], 2),
        (["Memory: 1K/9K available (1K x, 5K reserved, 0K"], ["Memory: 1K/9K available (1K x, 6K reserved, 0K"], 0),
        (["x", "[ 1.5] audit: type=2000 audit(1.5:1): x"], ["[ 2.5] audit: type=2000 audit(2.5:1): x", "x"], 0),
        (["x", "[ 1.5] audit: type=2000 audit(1.5:1): x"], ["x"], 1),
        (["x", "y"], ["y", "x"], 2),
        (["[ 0.0] tsc: Detected 100.000 MHz processor"], ["[ 0.0] tsc: Detected 100.002 MHz processor"], 0),
        (["[ 0.0] tsc: Detected 100.000 MHz processor"], ["[ 0.0] tsc: Detected 101.000 MHz processor"], 2),
    ],
)
def test_only_times_are_forgiven(a: list[str], b: list[str], count: int) -> None:
    found = differences(["same", *a], ["same", *b])
    assert len([line for line in found if not line.startswith(("---", "+++"))]) == count


def test_only_what_a_processor_is_known_for_is_left_out() -> None:
    a = ["signal: max sigframe size: 1776", "x86/fpu: Enabled xstate features 0x7", "Kernel/User page tables isolation: enabled"]
    assert differences(a[:2], ["signal: max sigframe size: 1520"], PROCESSOR[PENRYN]) == []
    assert "-" + a[2] in differences(a, a[:2], PROCESSOR[PENRYN])
    assert "-" + a[0] in differences(a, a[1:])
