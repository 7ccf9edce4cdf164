# SPDX-License-Identifier: BSD-2-Clause
"""Many VMs on few processors: shares, caps, bad neighbours, coming and going, the console."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from conftest import BOOT_TIMEOUT_S, ROOT, Run, Starter, own_mode, quick, slow
from triptych_lib import control, ctl

GUESTS = ROOT / "build/guest"
SHARE = 0.05  # how far a share may be from its weight
SECOND = 100_000_000  # ticks of Bochs
SLICE = SECOND // 250
BEHIND_S = 30.0  # what is counted may still change so long after a VM's end


def tiny(folder: Path, name: str, words: str, *more: str, guest: str = "load", mem: str = "4M", reboot: bool = False) -> list[str]:
    """A VM file of a test guest, as arguments."""
    lines = ['boot = "elf"', f'kernel = "{GUESTS}/{guest}.elf"', 'initrd = ""', f'append = "{words}"', f'mem = "{mem}"']
    path = folder / f"{name}.toml"
    lines += ["testdev = true", f"reboot = {str(reboot).lower()}"]
    path.write_text("\n".join([f'name = "{name}"', *lines, *more]) + "\n")
    return ["--vm", str(path)]


def ends(run: Run) -> dict[str, str]:
    return {str(vm["name"]): f'{vm["end"]} {vm["status"]}' for vm in run.machine_lines("vm")}


def times(run: Run) -> dict[str, dict[str, int]]:
    """By VM: what the scheduler has counted."""
    lines = [line for line in run.machine_lines("stats") if "ran_ticks" in line]
    return {str(line["vm"]): {k: int(str(v)) for k, v in line.items() if k != "vm"} for line in lines}


def lost_pages(run: Run) -> list[object]:
    return [line["lost_pages"] for line in run.machine_lines("stats") if "lost_pages" in line]


def check_shares(run: Run, names: list[str]) -> None:
    """Of the time that these VMs of one CPU, all busy all the time, had together, each has had its part."""
    found = times(run)
    weights = sum(found[name]["weight"] for name in names)
    ran = sum(found[name]["ran_ticks"] for name in names)
    assert len({found[name]["cpu"] for name in names}) == 1
    for name in names:
        share, due = found[name]["ran_ticks"] / ran, found[name]["weight"] / weights
        assert abs(share / due - 1) < SHARE, f"{name}: {share:.4f} of the CPU, and {due:.4f} is due"


def test_shares_follow_weights(in_each_mode: Starter, tmp_path: Path) -> None:
    """Six busy VMs of three weights on two processors, a second of guest time for the lightest."""
    on = {cpu: [f"w{weight}on{cpu}" for weight in (100, 200, 300)] for cpu in (0, 1)}
    args = []
    for cpu, names in on.items():
        for weight, name in zip((100, 200, 300), names, strict=True):
            args += tiny(tmp_path, name, "for=6200", f"weight = {weight}", f"pin = {cpu}")
    run = in_each_mode("--host-cpus", "2", *args)
    assert run.finish(BOOT_TIMEOUT_S) == 0
    assert set(ends(run).values()) == {"exit 1"} and len(ends(run)) == 6
    for names in on.values():
        check_shares(run, names)
    assert min(t["ran_ticks"] for t in times(run).values()) > SECOND
    assert lost_pages(run) == [0]


def channels(run: Run, count: int) -> list[ctl.Client]:
    """Connections to the control channel, when there is a VM."""
    path = control.directory() / f"{run.process.pid}.sock"
    end = time.monotonic() + BOOT_TIMEOUT_S
    while not path.exists() or ", CPU " not in run.log():
        assert time.monotonic() < end and run.listen(0.2), run.log()
    return [ctl.Client(path) for _ in range(count)]


def await_run(client: ctl.Client, *names: str) -> None:
    """Each of these VMs has begun to run."""
    end = time.monotonic() + BOOT_TIMEOUT_S
    while not {str(row["vm"]) for row in client.call("stats")["vcpus"] if row["exits"]} >= set(names):
        assert time.monotonic() < end


def create(client: ctl.Client, name: str) -> None:
    """When the VM of that name that was destroyed has gone."""
    end = time.monotonic() + BEHIND_S
    while True:
        try:
            assert client.call("create", file=name) == {"created": name}
            return
        except ctl.Refused as e:
            assert "there is a VM of that name" in str(e) and time.monotonic() < end


def await_event(events: ctl.Client, event: str, name: str) -> None:
    while (got := events.receive()["params"]) != {**got, "event": event, "vm": name}:
        assert got["event"] in ("started", "stopped"), got


def check_memory(client: ctl.Client, before: dict[str, int]) -> None:
    """By owner, and what is free."""
    end = time.monotonic() + BEHIND_S
    while (now := client.call("mem")["kb"]) != before:
        assert time.monotonic() < end, f"{before} before, and now {now}"


WINDOW = 3 * SECOND  # of the processor's time; the weights' least part of it is a second


def busy_ticks(client: ctl.Client) -> dict[str, int]:
    """By VM of one vcpu: what it has run, guest and exits."""
    return {str(row["vm"]): row["guest_ticks"] + row["hv_ticks"] for row in client.call("stats")["vcpus"]}


@slow
def test_a_kernels_share_follows_its_weight(in_each_mode: Starter, tmp_path: Path) -> None:
    """A Debian kernel whose shell counts has two thirds of its processor beside a VM of half its weight that counts."""
    linux = tmp_path / "linux.toml"
    linux.write_text('name = "linux"\nweight = 200\npin = 1\n')
    spin = tiny(tmp_path, "spin", "for=100000000", "pin = 1", f'mmu = "{in_each_mode.mmu}"')
    run = in_each_mode("--host-cpus", "2", "--vm", str(linux), "--spare", spin[1])
    run.prompt()
    (client,) = channels(run, 1)
    run.send("while :; do :; done")
    create(client, "spin")
    await_run(client, "spin")
    before = busy_ticks(client)
    while sum((ran := {name: ticks - before[name] for name, ticks in busy_ticks(client).items()}).values()) < WINDOW:
        assert run.listen(1)
    print(ran)
    assert min(ran.values()) > (1 - SHARE) * SECOND
    assert ran["linux"] / sum(ran.values()) == pytest.approx(2 / 3, rel=SHARE)
    client.call("quit")
    assert run.finish(BOOT_TIMEOUT_S) == 0
    assert lost_pages(run) == [0]


def ran_ticks(run: Run, name: str) -> list[int]:
    """Of a VM, the ticks of each vcpu."""
    lines = [line for line in run.machine_lines("stats") if line.get("vm") == name and "ran_ticks" in line]
    return [int(str(line["ran_ticks"])) for line in lines]


def test_a_weight_is_the_vms(in_each_mode: Starter, tmp_path: Path) -> None:
    """Four busy vcpus of one VM have as much of their processor as the one of another, and each a quarter of that."""
    args = tiny(tmp_path, "four", "for=2000", "vcpus = 4", mem="8M") + tiny(tmp_path, "one", "for=2000")
    run = in_each_mode(*args)
    assert run.finish(BOOT_TIMEOUT_S) == 0
    four, (one,) = ran_ticks(run, "four"), ran_ticks(run, "one")
    assert one == pytest.approx(sum(four), rel=SHARE)
    assert len(four) == 4 and min(four) > (1 - 2 * SHARE) * sum(four) / 4
    assert lost_pages(run) == [0]


def test_a_cap_holds_on_an_idle_processor(in_each_mode: Starter, tmp_path: Path) -> None:
    run = in_each_mode(*tiny(tmp_path, "capped", "for=2000", "cap = 30"))
    assert run.finish(BOOT_TIMEOUT_S) == 0
    t = times(run)["capped"]
    assert t["ran_ticks"] / (t["ran_ticks"] + t["wait_ticks"]) == pytest.approx(0.3, rel=SHARE)


QUIET = {0: "quiet0", 1: "quiet1"}
# By processor: who disturbs all the time, and how; and who ends at once, by which guest.
BAD = {0: {"flood": "flood", "map0": "map"}, 1: {"storm": "storm", "map1": "map", "again": "reset"}}
CRASHES = {0: ("triple", "triple"), 1: ("garbage", "load")}


def how_far(run: Run) -> dict[str, dict[str, float]]:
    """Of the two VMs that only count: how far they came, and their share of their processor."""
    counted = {name: float(count) for name, count in re.findall(r"(quiet\d)\| spin: (\d+)", run.text)}
    assert counted.keys() == set(QUIET.values())
    t = times(run)
    return {"counted": counted, "share": {n: t[n]["ran_ticks"] / (t[n]["ran_ticks"] + t[n]["wait_ticks"]) for n in counted}}


def neighbours(triptych: Starter, folder: Path, bad: bool) -> dict[str, dict[str, float]]:
    """The figures beside VMs that disturb, or that only count as well. They begin one after the other, 0.14 s from the first to
    the last under shadow paging, and who is alone at first or at the end has more than its share: of 5 s that is not 5 %."""
    args = []
    for cpu, name in QUIET.items():
        args += tiny(folder, name, "for=5000", f"pin = {cpu}")
        for other, load in BAD[cpu].items():
            args += tiny(folder, other, f"for=5000 {load if bad else 'spin'}", f"pin = {cpu}", mem="8M", reboot=load == "reset")
        other, guest = CRASHES[cpu]
        args += tiny(folder, other, "garbage", f"pin = {cpu}", guest=guest) if bad else []
    run = triptych("--host-cpus", "2", *args)
    assert run.finish(BOOT_TIMEOUT_S) == (1 if bad else 0)
    found = ends(run)
    if bad:
        assert found.pop("triple") == "triple 0"
        assert found.pop("garbage").split()[0] in ("triple", "crash", "halt", "reset")
    assert set(found.values()) == {"exit 1"} and len(found) == 7
    for cpu, name in QUIET.items():
        check_shares(run, [name, *BAD[cpu]])
    assert lost_pages(run) == [0]
    return how_far(run)


@slow
def test_bad_neighbours(in_each_mode: Starter, tmp_path: Path) -> None:
    """One VM triple-faults, one executes garbage, one floods its console, one sends itself interrupts, one resets itself, two
    map and unmap, all without end: those that only count come as far, and have the same share, as beside VMs like themselves."""
    calm, disturbed = (neighbours(in_each_mode, tmp_path, bad) for bad in (False, True))
    print(f"{calm=} {disturbed=}")
    for figure, of in calm.items():
        for name, value in of.items():
            assert disturbed[figure][name] == pytest.approx(value, rel=SHARE), f"{figure} of {name}"


def test_a_storm_between_processors(in_each_mode: Starter, tmp_path: Path) -> None:
    """A VM on two processors sends itself interrupts from one to the other, without end: the VMs that only count have two
    thirds of their processors, since it has half its weight on each, and come as far as beside one that counts itself."""
    figures = []
    for load in ("spin", "storm"):
        args = [arg for cpu, name in QUIET.items() for arg in tiny(tmp_path, name, "for=3000", f"pin = {cpu}")]
        args += tiny(tmp_path, "other", f"for=3000 {load}", "vcpus = 2", mem="8M")
        run = in_each_mode("--host-cpus", "2", *args)
        assert run.finish(BOOT_TIMEOUT_S) == 0
        assert {line["cpu"] for line in run.machine_lines("stats") if line.get("vm") == "other" and "cpu" in line} == {0, 1}
        assert lost_pages(run) == [0]
        figures.append(how_far(run))
    calm, disturbed = figures
    print(f"{calm=} {disturbed=}")
    for name in QUIET.values():
        assert calm["share"][name] == pytest.approx(2 / 3, rel=SHARE)
        assert disturbed["share"][name] > (1 - SHARE) * 2 / 3  # the storm's processors may also wait for each other
        assert disturbed["counted"][name] > (1 - SHARE) * calm["counted"][name]


@own_mode("what floods is shadow paging")
def test_a_flood_of_tables_beside_another_vm(triptych: Starter, tmp_path: Path) -> None:
    """One VM uses up its shadow pages thousands of times; the other, whose tables are audited all the time, loses none."""
    args = tiny(tmp_path, "flood", "", 'mmu = "shadow"', "shadow_pages = 32", guest="table-flood", mem="64M")
    args += tiny(tmp_path, "witness", "", 'mmu = "shadow"', "shadow_audit = true", guest="mutate", mem="16M")
    run = triptych(*args)
    assert run.finish(BOOT_TIMEOUT_S) == 0
    assert ends(run) == {"flood": "exit 1", "witness": "exit 1"}
    said = {str(line["vm"]): {k: int(str(v)) for k, v in line.items() if k != "vm"} for line in run.machine_lines("shadow")}
    assert said["flood"]["reclaimed"] > 1000 and said["flood"]["created"] > 1000
    assert said["witness"]["reclaimed"] == 0 and said["witness"]["audits"] > 100
    assert min(t["switches_in"] for t in times(run).values()) > 20
    assert lost_pages(run) == [0]


def test_a_sleeper_wakes_at_once(in_each_mode: Starter, tmp_path: Path) -> None:
    """A VM that sleeps a millisecond and works for a tenth of one, beside three that are busy: it gets to work nearly as
    often as if it were alone, since it takes less than its share; and they share the rest."""
    busy = [f"busy{i}" for i in range(3)]
    args = tiny(tmp_path, "sleeper", "for=2000 sleep")
    for name in busy:
        args += tiny(tmp_path, name, "for=2000")
    run = in_each_mode(*args)
    assert run.finish(BOOT_TIMEOUT_S) == 0
    t = times(run)
    # 1.1 ms each without a neighbour; up to half a millisecond of waiting more.
    assert t["sleeper"]["switches_in"] > 2000 / 1.8
    ran = [t[name]["ran_ticks"] for name in busy]
    assert max(ran) < min(ran) * (1 + SHARE)


@own_mode("VMs of both modes side by side")
@pytest.mark.parametrize("model", ["corei7_skylake_x", "core2_penryn_t9600"])
def test_registers_of_one_are_not_the_others(triptych: Starter, tmp_path: Path, model: str) -> None:
    """Four VMs on one processor, in both memory modes where it has both: what is in a register stays its VM's."""
    args = ["--cpu-model", model]
    for seed in range(4):
        mmu = "ept" if model != "core2_penryn_t9600" and seed % 2 else "shadow"
        args += tiny(tmp_path, f"seed{seed}", f"for=500 seed={seed}", f'mmu = "{mmu}"', guest="keeps")
    run = triptych(*args)
    assert run.finish(BOOT_TIMEOUT_S) == 0
    assert list(ends(run).values()) == ["exit 1"] * 4
    assert min(t["switches_in"] for t in times(run).values()) > 20


def test_coming_and_going(in_each_mode: Starter, tmp_path: Path) -> None:
    """A VM is created and destroyed 200 times while others run; no page is lost, and they have their shares."""
    args = tiny(tmp_path, "one", "for=6000", "pin = 0") + tiny(tmp_path, "two", "for=6000", "pin = 1")
    args += tiny(tmp_path, "again", "for=1", "repeat = 200")
    run = in_each_mode("--host-cpus", "2", *args)
    assert run.finish(BOOT_TIMEOUT_S) == 0
    assert run.text.count("again| PASS") == 200
    assert ends(run) == {"one": "exit 1", "two": "exit 1", "again": "exit 1"}
    assert lost_pages(run) == [0]
    t = times(run)
    for name in ("one", "two"):
        # Its neighbours are the one that comes and goes, and the work that this makes.
        assert t[name]["ran_ticks"] / (t[name]["ran_ticks"] + t[name]["wait_ticks"]) > (1 - SHARE) / 3


@quick
@pytest.mark.parametrize("rounds", [20, pytest.param(200, marks=slow)])
@pytest.mark.parametrize("more", [("vcpus = 2",), ('disk = ["blank:1M", "blank:1M"]', 'net = "switch"')], ids=["two vcpus", "devices"])
def test_destroyed_and_created_again(in_each_mode: Starter, tmp_path: Path, more: tuple[str, ...], rounds: int) -> None:
    """By the control channel, while it runs, beside another VM: the allocator's counters are what they were."""
    args = tiny(tmp_path, "again", "for=100000000 storm", *more, mem="8M") + tiny(tmp_path, "stays", "for=100000000 sleep rest=10")
    run = in_each_mode("--host-cpus", "2", "--stay", *args)
    client, events = channels(run, 2)
    events.call("subscribe")
    await_run(client, "again", "stays")
    assert client.call("destroy", vm="again") == {"destroyed": "again"}
    before = client.call("mem")["kb"]
    for _ in range(rounds):
        create(client, "again")
        await_event(events, "started", "again")
        assert client.call("destroy", vm="again") == {"destroyed": "again"}
    check_memory(client, before)
    client.call("quit")
    assert run.finish(BOOT_TIMEOUT_S) == 0
    assert sum(ticks > 0 for ticks in ran_ticks(run, "again")) >= rounds
    assert lost_pages(run) == [0]


@slow
def test_64_at_once(in_each_mode: Starter, tmp_path: Path) -> None:
    args = []
    for i in range(64):
        args += tiny(tmp_path, f"vm{i}", "for=3000 sleep rest=10")
    run = in_each_mode("--host-cpus", "2", "--host-mem", "1G", *args)
    assert run.finish(BOOT_TIMEOUT_S) == 0
    assert list(ends(run).values()) == ["exit 1"] * 64
    # All had begun before the first one ended.
    log = run.log()
    assert log.rindex(f" MB, {in_each_mode.mmu}") < log.index(": exit")
    assert lost_pages(run) == [0]


def test_a_message_round_64(in_each_mode: Starter, tmp_path: Path) -> None:
    """64 VMs of 4 MB on the switch: a message goes from each to the next, and comes back with the mark of every one."""
    args = []
    for i in range(64):
        args += tiny(tmp_path, f"vm{i + 1}", "of=64 laps=3", 'net = "switch"', guest="relay")
    run = in_each_mode("--host-cpus", "2", "--host-mem", "1G", *args)
    assert run.finish(BOOT_TIMEOUT_S) == 0
    assert list(ends(run).values()) == ["exit 1"] * 64
    assert re.findall(r"^vm1\| lap (\d): (\d+) marks", run.text, re.M) == [(str(lap), "64") for lap in (1, 2, 3)]
    passed_on = re.findall(r"^vm(\d+)\| VM (\d+) of 64: 3 laps", run.text, re.M)
    assert sorted(passed_on, key=lambda p: int(p[0])) == [(str(i), str(i)) for i in range(2, 65)]
    assert lost_pages(run) == [0]


def test_lines_of_several_vms(in_each_mode: Starter, tmp_path: Path) -> None:
    """Each line on the console is one VM's."""
    names = [f"f{i}" for i in range(4)]
    args = []
    for name in names:
        args += tiny(tmp_path, name, "for=100 flood")
    run = in_each_mode("--host-cpus", "2", *args)
    assert run.finish(BOOT_TIMEOUT_S) == 0
    lines = run.text.replace("\r", "").strip().split("\n")
    for line in lines:
        assert re.fullmatch(r"f[0-3]\| (flood \d+: 0123456789abcdefghijklmnopqrstuvwxyz|flood: \d+|PASS)", line), line
    for name in names:
        mine = [line for line in lines if line.startswith(f"{name}| flood ")]
        assert [int(line.split()[2].rstrip(":")) for line in mine] == list(range(len(mine))) and len(mine) > 5


@own_mode("no guest runs")
@pytest.mark.parametrize(
    ("key", "why"),
    [("pin = 1", "pin=1: there are 1 processors, from 0 on"), ('net = "switch"\npin = 1', "pin=1")],
)
def test_a_processor_that_is_not_to_be_had(triptych: Starter, tmp_path: Path, key: str, why: str) -> None:
    run = triptych(*tiny(tmp_path, "pinned", "for=1", key), *tiny(tmp_path, "other", "for=1"))
    assert run.finish(BOOT_TIMEOUT_S) == 1
    assert ends(run) == {"pinned": "crash 0", "other": "exit 1"}
    assert why in run.log()


@own_mode("VMs of both modes side by side")
@slow
def test_eight_vms_on_two_processors(triptych: Starter, tmp_path: Path) -> None:
    """Six tiny guests and two Debian kernels: all reach their end, and none has less of its processor than is due to it."""
    args = tiny(tmp_path, "spin0", "for=8000", "pin = 0") + tiny(tmp_path, "spin1", "for=8000", "pin = 1")
    args += tiny(tmp_path, "map", "for=8000 map", "pin = 0", mem="8M")
    args += tiny(tmp_path, "storm", "for=8000 storm", "pin = 1")
    args += tiny(tmp_path, "keeps", "for=2000 seed=1", guest="keeps") + tiny(tmp_path, "dr", "", guest="dr", mem="16M")
    for i, mmu in enumerate(("ept", "shadow")):
        path = tmp_path / f"debian{i}.toml"
        path.write_text(f'append = "console=ttyS0 triptych.run=/bin/true"\nmmu = "{mmu}"\npin = {i}\n')
        args += ["--vm", str(path)]
    run = triptych("--host-cpus", "2", *args)
    assert run.finish(BOOT_TIMEOUT_S) == 0
    found = ends(run)
    assert found.pop("debian0") == found.pop("debian1") == "poweroff 0"
    assert set(found.values()) == {"exit 1"} and len(found) == 6
    t = times(run)
    for name, mine in t.items():
        # Of the time in which it could run it has its part, or more, as others sleep or have ended; but for its first turn.
        # What the CPU does for no VM, such as to create one, has a share as well.
        shares = 1 + sum(other["cpu"] == mine["cpu"] for other in t.values())
        ready = max(mine["ran_ticks"] + mine["wait_ticks"] - shares * SLICE, 1)
        part = mine["ran_ticks"] / ready
        assert part > (1 - SHARE) / shares, f"{name}: {part:.4f} of its CPU, which has {shares} shares"
    check_shares(run, ["spin0", "map"])
    check_shares(run, ["spin1", "storm"])
    assert lost_pages(run) == [0]
