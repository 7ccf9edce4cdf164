#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The smallest memory, in steps of 4 MB, with which a kernel reaches its shell natively in the emulator.

By hand, some ten boots a kernel: tests/system/smallest.py debian:cloud-amd64. test_boot.py has what it found and
boots with that under the hypervisor.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from conftest import Run

STEP_MB = 4
FAILS_MB, WORKS_MB = 32, 160
START_TIMEOUT_S = 60  # to the kernel's first line: GRUB may wait for a key
BOOT_TIMEOUT_S = 200
# A kernel that panics resets the machine at once, which ends the run.
APPEND = "console=ttyS0 panic=-1"


def reaches_the_shell(kernel: str, megs: int, directory: Path) -> bool:
    run = Run(directory / "log", "--mode", "native", "--kernel", kernel, "--mem", f"{megs}M", "--append", APPEND)
    try:
        run.expect("Linux version", START_TIMEOUT_S)
        run.prompt(BOOT_TIMEOUT_S)
    except AssertionError as e:
        print(f"{kernel} {megs} MB: {str(e)[-300:]}", flush=True)
        return False
    else:
        print(f"{kernel} {megs} MB: reaches the shell", flush=True)
        return True
    finally:
        run.stop()


def smallest(kernel: str) -> int:
    """Bisection: each bound has been seen, or is a bound from the start."""
    fails, works = FAILS_MB, WORKS_MB
    with tempfile.TemporaryDirectory() as directory:
        while works - fails > STEP_MB:
            middle = (fails + works) // 2 // STEP_MB * STEP_MB
            if reaches_the_shell(kernel, middle, Path(directory)):
                works = middle
            else:
                fails = middle
    return works


def main() -> int:
    if len(sys.argv) < 2:
        print(f"usage: {sys.argv[0]} KERNEL...", file=sys.stderr)
        return 2
    for kernel in sys.argv[1:]:
        print(f"{kernel}: {smallest(kernel)} MB", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
