# SPDX-License-Identifier: BSD-2-Clause
"""stress-ng's stressors of memory and of fork under shadow paging, with the auditor at one of so many flushes.

The auditor ends the VM if an entry differs from the guest's tables. And the pool holds at the end what it held after the same
had run for a moment, in the same guest: the kernel's own tables have grown by then, and what else is left does not grow.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from conftest import ROOT, Run, Starter, complaints, own_mode, slow
from triptych_lib import cpio, initramfs
from triptych_lib.ui import Progress

MOMENT = 10  # seconds of the guest's
SECONDS = 180
# One audit in so many. Under vtlb the guest gets less done in 180 s, and so flushes less often: 145,000 times.
FLUSHES_PER_AUDIT = {"oos": 5000, "sync": 5000, "vtlb": 1000}
AUDITS_MIN = 50
STRESS_TIMEOUT_S = 3600
LOG_TIMEOUT_S = 30
# Of shadow pages. Tables of processes that are gone stay until their memory is used for something else, so it is before pages are
# counted, but for these megabytes; what was in them, and tables that the kernel itself has made meanwhile, are the pages more.
LEFT_FREE_MB = 32
PAGES_MORE_MAX = 8
STRESSORS = "--vm 2 --vm-bytes 24M --mmap 1 --mmap-bytes 24M --mremap 1 --mremap-bytes 8M --brk 1 --fork 2 --vfork 1"


def libraries(program: Path) -> list[Path]:
    """What ldd says it is linked with, its loader included."""
    out = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=True).stdout
    return sorted({Path(p) for p in re.findall(r"(/\S+) \(0x", out)})


def with_stress(directory: Path, drivers_for: str | None = None, also: Sequence[cpio.Entry] = ()) -> Path:
    """The default initramfs with stress-ng in it, as on this host; with drivers for a stock kernel; with other files."""
    program = shutil.which("stress-ng")
    assert program is not None, "stress-ng is not here: run 'make deps'"
    files = [Path(program), *libraries(Path(program))]
    folders = {"/".join(f.parts[1:n]) for f in files for n in range(2, len(f.parts))} - {"bin"}
    more = cpio.archive(
        [cpio.directory(name) for name in sorted(folders)]
        + [cpio.regular(str(f)[1:], f.read_bytes(), 0o755) for f in files]
        + list(also)
        + [cpio.regular("bin/stress", f'#!/bin/sh\n{program} {STRESSORS} --verify -t "$1" 2>&1\n'.encode(), 0o755)]
    )
    both = directory / "initrd"
    both.write_bytes(initramfs.build(Progress(False), drivers_for).read_bytes() + more)
    return both


def boot(triptych: Starter, directory: Path, strategy: str, initrd: Path) -> Run:
    vm = directory / "vm.toml"
    vm.write_text(
        f'name = "linux"\nkernel = "debian:cloud-amd64"\ninitrd = "{initrd}"\nmem = "512M"\n'
        f'mmu = "shadow"\nshadow = "{strategy}"\nshadow_audit = {FLUSHES_PER_AUDIT[strategy]}\n'
    )
    run = triptych("--vm", str(vm))
    run.command_timeout = STRESS_TIMEOUT_S
    assert complaints(run.prompt(STRESS_TIMEOUT_S)) == []
    return run


def stress(run: Run, seconds: int) -> None:
    assert "successful run completed" in run.command(f"stress {seconds}")


def use_free_memory(run: Run) -> None:
    found = re.search(r"MemFree: +(\d+) kB", run.command("cat /proc/meminfo"))
    assert found
    count = int(found.group(1)) // 1024 - LEFT_FREE_MB
    run.command(f"dd if=/dev/zero of=/tmp/fill bs=1M count={count}; rm /tmp/fill")


def shadow_pages(run: Run) -> int:
    """In use now, asked of the monitor, which audits them and has them in the log."""
    use_free_memory(run)
    earlier = len(run.machine_lines("shadow"))
    command = [str(ROOT / "scripts/triptych"), "ctl", "--run", str(run.process.pid), "audit", "linux"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=STRESS_TIMEOUT_S)
    assert done.stdout.split() == ["mistakes:", "0"]
    end = time.monotonic() + LOG_TIMEOUT_S
    while len(said := run.machine_lines("shadow")) == earlier:
        assert time.monotonic() < end, "nothing in the log"
        time.sleep(0.1)
    return int(str(said[-1]["pages"]))


@own_mode("what is stressed is shadow paging")
@slow
@pytest.mark.parametrize("strategy", list(FLUSHES_PER_AUDIT))
def test_memory_and_fork_stressors(triptych: Starter, tmp_path: Path, strategy: str) -> None:
    run = boot(triptych, tmp_path, strategy, with_stress(tmp_path))
    stress(run, MOMENT)
    before = shadow_pages(run)
    stress(run, SECONDS)
    after = shadow_pages(run)
    run.send("poweroff")
    assert run.finish(STRESS_TIMEOUT_S) == 0
    assert complaints(run.text) == []
    audits = int(str(run.machine_lines("shadow")[-1]["audits"]))
    print(f"{strategy}: {audits} audits, {before} shadow pages after {MOMENT} s, {after} after {SECONDS} s")
    assert audits >= AUDITS_MIN
    assert after <= before + PAGES_MORE_MAX
