# SPDX-License-Identifier: BSD-2-Clause
"""A VM whose CPU others have too: what time it is there, in real and in virtual time; steal time; and spinning."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from conftest import BOOT_TIMEOUT_S, Run, Starter, complaints, quick, slow
from test_clock import TOLERANCE, apart, with_clock
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
    """Time goes on while a VM sleeps, and stands while it waits to be let in, here for its cap: by its own clocks it
    wakes in time."""
    busy = tiny(tmp_path, "busy", "for=2500")
    late = {}
    for kind in ("real", "virtual"):
        path = tiny(tmp_path, kind, "laps=1 naps=100", f'time = "{kind}"', "cap = 1", guest="elapsed")
        said = elapsed(in_each_mode("--host-cpus", "1", *busy, *path))[kind]
        assert said["of"] > 100 * HZ // 1000
        late[kind] = said["late"]
    assert late["real"] > HZ // 100
    assert late["virtual"] < HZ // 5000


@quick
def test_steal_time(in_each_mode: Starter, tmp_path: Path) -> None:
    """What the guest is told that it waited is what the scheduler has counted; in virtual time it is told nothing."""
    said, run = measure(in_each_mode, tmp_path, {"a": ("kvmclock = true",), "b": ("kvmclock = true",)})
    for name in ("a", "b"):
        waited = times(run)[name]["wait_ticks"]
        assert said[name]["stolen_ns"] * HZ / 1e9 == pytest.approx(waited, rel=0.01, abs=SLICE / 100)
        assert waited > said[name]["of"] / 3
    said, _ = measure(in_each_mode, tmp_path, {"a": ("kvmclock = true", 'time = "virtual"'), "b": ()})
    assert said["a"]["stolen_ns"] == 0


HANDOFF = re.compile(r"handoff: (\d+) rounds in (\d+) ticks; (\d+) laps in (\d+) ticks")
ROUNDS = 50
HOLD_LAPS = 200
LONG_LAPS = 1000


def handoff(start: Starter, folder: Path, *keys: str, laps: int = HOLD_LAPS, beside: tuple[str, ...] = ()) -> tuple[int, int, Run]:
    """Ticks for the rounds and for the work of the guest "handoff", whose vcpus are on one CPU."""
    args = tiny(folder, "two", f"rounds={ROUNDS} laps={laps}", "vcpus = 2", *keys, guest="handoff", mem="16M")
    run = start("--host-cpus", "1", *args, *beside)
    assert run.finish(BOOT_TIMEOUT_S) == 0, run.text + run.log()[-1000:]
    found = HANDOFF.search(run.text)
    assert found, run.text
    return int(found[2]), int(found[4]), run


def counts(run: Run, key: str, vm: str = "two") -> list[int]:
    return [int(str(line[key])) for line in run.machine_lines("stats") if "yields" in line and line["vm"] == vm]


@quick
def test_who_spins_gives_way(in_each_mode: Starter, tmp_path: Path) -> None:
    """Two vcpus that wait for each other on one CPU: a turn takes a slice each where spinning is not noticed, and
    hardly any time where it is; and who works under a lock does not share the CPU with who spins for it."""
    spun, shared, run = handoff(in_each_mode, tmp_path, "ple = false")
    assert counts(run, "yields") == [0, 0]
    assert spun > ROUNDS * SLICE
    noticed, alone, run = handoff(in_each_mode, tmp_path)
    assert noticed < spun / 10
    assert alone < 0.7 * shared
    assert sum(counts(run, "yields_to_own")) >= ROUNDS
    assert all(own <= every for own, every in zip(counts(run, "yields_to_own"), counts(run, "yields"), strict=True))


@quick
def test_spinning_takes_nothing_from_others(in_each_mode: Starter, tmp_path: Path) -> None:
    """Beside a VM of two vcpus that spin and work, one that is busy has its half as long as it is there."""
    busy = tiny(tmp_path, "busy", "for=1500")
    _, _, run = handoff(in_each_mode, tmp_path, laps=LONG_LAPS, beside=tuple(busy))
    assert sum(counts(run, "yields")) >= ROUNDS
    t = times(run)["busy"]
    assert t["ran_ticks"] / (t["ran_ticks"] + t["wait_ticks"]) > 1 / 2 * (1 - NEAR)


LINUX_SECONDS = 3
SCRIPT = f"""clock busy {LINUX_SECONDS}; cd /sys/devices/system/clocksource/clocksource0; cat current_clocksource;
echo acpi_pm > current_clocksource; cat current_clocksource; clock busy {LINUX_SECONDS}; grep -w cpu /proc/stat; dmesg""".replace("\n", " ")
JIFFY = HZ // 100


def linux_files(folder: Path, kinds: dict[str, str]) -> list[str]:
    args = []
    initrd = with_clock(folder)
    for name, keys in kinds.items():
        path = folder / f"{name}.toml"
        append = f"console=ttyS0 loglevel=3 triptych.run=/bin/sh -- -c \\\"{SCRIPT}\\\""
        path.write_text(f'initrd = "{initrd}"\nappend = "{append}"\npin = 0\n{keys}\n')
        args += ["--vm", str(path)]
    return args


@slow
def test_linux_in_real_and_in_virtual_time(in_each_mode: Starter, tmp_path: Path) -> None:
    """Two Debian kernels on one CPU. In each, TSC and PM timer agree, and no clock is complained of; the one in real time
    is told as steal time what the scheduler has counted, the one in virtual time nothing."""
    kinds = {"real": 'kvmclock = true', "virtual": 'kvmclock = true\ntime = "virtual"'}
    run = in_each_mode("--host-cpus", "1", *linux_files(tmp_path, kinds))
    assert run.finish(BOOT_TIMEOUT_S) == 0, run.text[-2000:]
    for name in kinds:
        said = "\n".join(re.findall(rf"^{name}\| (.*)$", run.text.replace("\r", ""), re.M))
        assert not complaints(said)
        assert not re.search(r"(?i)unstable|clocksource.*(skew|watchdog)|time.*backwards|lockup|stall", said)
        clocks = [json.loads(line) for line in re.findall(r'^\{"tsc".*\}', said, re.M)]
        assert len(clocks) == 2 and "\nacpi_pm\n" in said
        for clock in clocks:
            assert clock["monotonic_ns"] >= LINUX_SECONDS * 1e9
            assert apart(clock["tsc"] / HZ, clock["monotonic_ns"] / 1e9) < TOLERANCE
        found = re.search(r"^cpu +((?:\d+ ?)+)$", said, re.M)
        assert found
        steal, waited = int(found[1].split()[7]) * JIFFY, times(run)[name]["wait_ticks"]
        assert waited > LINUX_SECONDS * HZ
        assert steal == (pytest.approx(waited, rel=0.05) if name == "real" else 0)
