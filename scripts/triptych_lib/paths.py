# SPDX-License-Identifier: BSD-2-Clause
"""Where things stand in the tree."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
SAME_NUMBERS = BUILD / "same-numbers.so"
HYPERVISOR = BUILD / "triptych.elf"
COUNTING = BUILD / "counting" / "triptych.elf"  # `make counting`
BENCH = BUILD / "guest-images" / "linux" / "bench"
NANO = BUILD / "nano.elf"
IOBENCH = BENCH.with_name("iobench")
NETBENCH = BENCH.with_name("netbench")
EXITS = BENCH.with_name("exits")
RECIPE = ROOT / "guest-images" / "linux"
