# SPDX-License-Identifier: BSD-2-Clause
"""What docs/numbers.md promises of whole boots: exits, the hypervisor's share of the time, its memory."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from conftest import Starter, own_mode, slow

from triptych_lib.compare import lines, matrix

EXITS_MAX = 100_000
SHARE_MAX = 0.03
MEMORY_MAX = 2 << 20
GUEST_MEMORY = 256 << 20
TO_INIT = ("--mem", "256M", "--append", "console=ttyS0 triptych.run=/bin/true")


def only(rows: list[dict[str, Any]], key: str) -> dict[str, Any]:
    (row,) = (row for row in rows if key in row)
    return row


def check_exits(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The accounts of a boot: complete, and within what is demanded. The rows by reason."""
    reasons = {row["exit"]: row for row in rows if "exit" in row}
    total = only(rows, "exits")
    assert {"io", "cpuid", "memory", "wrmsr", "interrupt", "timer"} <= reasons.keys()
    assert sum(row["count"] for name, row in reasons.items() if name != "none") == total["exits"]
    assert sum(row["ticks"] for row in reasons.values()) == total["hv_ticks"]
    assert total["exits"] <= EXITS_MAX
    assert total["hv_ticks"] <= SHARE_MAX * (total["hv_ticks"] + total["guest_ticks"])
    return reasons


def check_memory(rows: list[dict[str, Any]], log: str) -> int:
    """What the hypervisor takes for itself and a VM of 256 MB, in bytes."""
    memory = only(rows, "guest_bytes")
    assert memory["guest_bytes"] == GUEST_MEMORY
    allocator = re.search(r"page allocator (\d+)", log)
    assert allocator is not None
    own = int(memory["hv_bytes"] + memory["image_bytes"] + memory["table_bytes"]) + int(allocator.group(1)) * 1024
    assert own <= MEMORY_MAX
    return own


@own_mode("limits of a guest with EPT; what shadow paging costs is measured by test_measured.py")
# A boot of the other kernel is long, and test_boot.py checks its accounts too.
@pytest.mark.parametrize("kernel", ["debian:cloud-amd64", pytest.param("debian:amd64", marks=slow)])
def test_a_boot_to_init(triptych: Starter, tmp_path: Path, kernel: str) -> None:
    file = tmp_path / "stats"
    run = triptych("--kernel", kernel, "--mmu", "ept", *TO_INIT, "--stats-json", str(file))
    assert run.finish(300) == 0
    assert "/bin/true ended with status 0" in run.text
    rows = json.loads(file.read_text())["stats"]
    assert rows == run.machine_lines("stats"), "the log and --stats-json tell the same"
    reasons = check_exits(rows)
    print(kernel, only(rows, "exits"), only(rows, "guest_bytes"), "own memory", check_memory(rows, run.log()))
    for name, row in sorted(reasons.items(), key=lambda item: -item[1]["count"]):
        print(f"{name:10} {row['count']:7} {row['ticks']:10}")


@own_mode("each strategy that knows the guest's own faults")
@pytest.mark.parametrize("strategy", ["oos", "sync"])
@slow
def test_a_page_on_demand_takes_one_exit(triptych: Starter, strategy: str) -> None:
    """The write to the table; the fault before it is the guest's own, and the access after it goes ahead."""
    words = f"console=ttyS0 loglevel=0 {matrix.REPEATABLE} rdinit=/bin/bench -- fault-anonymous"
    run = triptych("--mem", "256M", "--mmu", "shadow", "--shadow", strategy, "--counters", "--append", words)
    assert run.finish(300) == 0
    (anonymous,) = (op for op in lines.read(run.text).operations if op["name"] == "fault-anonymous")
    assert abs(anonymous["exits"]["memory"] - 1) < 0.03, anonymous
    assert anonymous["exits"].get("cr", 0) < 0.01, anonymous
