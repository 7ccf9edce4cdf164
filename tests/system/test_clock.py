# SPDX-License-Identifier: BSD-2-Clause
"""The guest's clocks against the machine's time-stamp counter, over a minute: 0.1 %."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from conftest import Starter, compiled, slow
from triptych_lib import cpio, initramfs
from triptych_lib.ui import Progress

SECONDS = 60
TOLERANCE = 0.001
BOCHS_HZ = 100_000_000  # ips in its configuration
BUSY_TIMEOUT_S = 400
END_S = 0.5  # from the last reading of the counter to the machine's end, at most
BEGIN_S = 0.2  # from the line about the VM to its first entry: the log goes out before, at 115,200 bits a second


def with_clock(directory: Path) -> Path:
    """The default initramfs with tests/system/clock.c in it: the kernel unpacks one archive after the other."""
    more = cpio.archive([cpio.regular("bin/clock", compiled(directory, "clock"), 0o755)])
    both = directory / "initrd"
    both.write_bytes(initramfs.build(Progress(False)).read_bytes() + more)
    return both


def apart(a: float, b: float) -> float:
    return abs(a / b - 1)


def logged_at(log: str, what: str) -> float:
    found = re.search(rf"\[ *([\d.]+)\] INFO linux: {what}", log)
    assert found, log[-500:]
    return float(found.group(1))


@pytest.mark.parametrize("how", ["idle", "busy"])
@slow
def test_clocks_agree_with_the_machines_counter(in_each_mode: Starter, tmp_path: Path, how: str) -> None:
    run = in_each_mode("--initrd", str(with_clock(tmp_path)), "--stats-json", str(tmp_path / "stats"))
    run.prompt()
    run.send(f"clock {how} {SECONDS}; poweroff")
    assert run.finish(BUSY_TIMEOUT_S) == 0
    found = re.search(r'^\{"tsc".*\}', run.text, re.M)
    assert found, run.text[-500:]
    seen = json.loads(found.group(0))

    # The machine: its counter's rate as the hypervisor measured it, and as it really is.
    rate = re.search(r"TSC (\d+\.\d+) MHz", run.log())
    assert rate is not None
    hz = float(rate.group(1)) * 1e6
    assert apart(hz, BOCHS_HZ) < TOLERANCE

    # The guest's clocks against the guest's counter.
    seconds = seen["tsc"] / hz
    assert seconds > SECONDS * (1 - TOLERANCE)
    assert apart(seen["monotonic_ns"] / 1e9, seconds) < TOLERANCE
    assert apart(seen["realtime_ns"] / 1e9, seconds) < TOLERANCE

    # The guest's counter against the emulator's count of ticks, which the machine's counter is: both began
    # at the machine's reset.
    ticks = json.loads((tmp_path / "stats").read_text())["ticks"]
    assert 0 < ticks - seen["at"] < END_S * hz

    # What the accounts say the VM took, against the log's own clock.
    account = next(s for s in run.machine_lines("stats") if "idle_ticks" in s)
    parts = [account[k] for k in ("guest_ticks", "hv_ticks", "idle_ticks")]
    total = sum(p for p in parts if isinstance(p, int))
    begin, end = (logged_at(run.log(), what) for what in ("256 MB", "poweroff"))
    assert abs(end - begin - total / hz) < BEGIN_S

    share = account["idle_ticks"] / (SECONDS * hz)
    print(how, seen, "of", hz, "Hz; ticks", ticks, "total", total, "log", begin, end, "idle", share)
    assert share > 0.97 if how == "idle" else share < 0.5
