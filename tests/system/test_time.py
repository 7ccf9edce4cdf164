# SPDX-License-Identifier: BSD-2-Clause
"""What time it is in a VM whose CPU others have too: in real time, in virtual time; and steal time."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conftest import BOOT_TIMEOUT_S, Run, Starter, quick
from test_vms import ends, times, tiny

HZ = 100_000_000  # of Bochs
LAPS = 500  # of the guest "elapsed": twenty slices and more
SLICE = HZ // 250
NEAR = 0.03
ELAPSED = re.compile(r"^(?:(\w+)\| )?elapsed: (\d+) ticks; stolen (\d+) ns of (\d+) ticks; late by (\d+) ticks", re.M)


def elapsed(run: Run) -> dict[str, dict[str, int]]:
    """By VM: what its clocks and its steal time have said."""
    assert run.finish(BOOT_TIMEOUT_S) == 0, run.text + run.log()[-1000:]
    assert set(ends(run).values()) == {"exit 1"}
    keys = ("ticks", "stolen_ns", "of", "late")
    return {m[1] or "": dict(zip(keys, map(int, m.groups()[1:]), strict=True)) for m in ELAPSED.finditer(run.text.replace("\r", ""))}


def measure(start: Starter, folder: Path, how: dict[str, tuple[str, ...]], *more: str) -> tuple[dict[str, dict[str, int]], Run]:
    args = [a for name, keys in how.items() for a in tiny(folder, name, f"laps={LAPS}", *keys, guest="elapsed")]
    run = start("--host-cpus", "1", *args, *more)
    return elapsed(run), run


@quick
def test_real_and_virtual_time(in_each_mode: Starter, tmp_path: Path) -> None:
    """The same work takes twice as long by the clocks of a VM that shares its CPU with another; in virtual time, as
    long as alone. (The guest has its clocks agree.)"""
    alone = measure(in_each_mode, tmp_path, {"alone": ()})[0][""]["ticks"]
    assert alone > 20 * SLICE
    both, _ = measure(in_each_mode, tmp_path, {"a": (), "b": ()})
    for name in ("a", "b"):
        assert both[name]["ticks"] / alone == pytest.approx(2, rel=NEAR + SLICE / alone)
    for keys in (("weight = 300",), ("cap = 40",), ()):
        mixed, _ = measure(in_each_mode, tmp_path, {"a": ('time = "virtual"', *keys), "b": ('time = "virtual"',)})
        for name in ("a", "b"):
            assert mixed[name]["ticks"] / alone == pytest.approx(1, rel=NEAR)


@quick
def test_a_nap_in_virtual_time(in_each_mode: Starter, tmp_path: Path) -> None:
    """Time goes on while a VM sleeps, and stands while it waits to be let in: by its own clocks it wakes in time."""
    busy = tiny(tmp_path, "busy", "for=2500")
    late = {}
    for kind in ("real", "virtual"):
        path = tiny(tmp_path, kind, "laps=1 naps=100", f'time = "{kind}"', guest="elapsed")
        said = elapsed(in_each_mode("--host-cpus", "1", *path, *busy))[kind]
        assert said["of"] > 100 * HZ // 1000
        late[kind] = said["late"]
    assert late["real"] > HZ // 4000  # the neighbour keeps the CPU for half a millisecond
    assert late["virtual"] < HZ // 20000


@quick
def test_steal_time(in_each_mode: Starter, tmp_path: Path) -> None:
    """What the guest is told that it waited is what the scheduler has counted; in virtual time it is told nothing."""
    said, run = measure(in_each_mode, tmp_path, {"a": ("kvmclock = true",), "b": ("kvmclock = true",)})
    for name in ("a", "b"):
        waited = times(run)[name]["wait_ticks"]
        assert said[name]["stolen_ns"] * HZ / 1e9 == pytest.approx(waited, rel=0.01, abs=SLICE / 100)
        assert said[name]["stolen_ns"] * HZ / 1e9 == pytest.approx(said[name]["of"] / 2, rel=NEAR + SLICE / waited)
    said, _ = measure(in_each_mode, tmp_path, {"a": ("kvmclock = true", 'time = "virtual"'), "b": ()})
    assert said["a"]["stolen_ns"] == 0
