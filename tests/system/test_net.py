# SPDX-License-Identifier: BSD-2-Clause
"""Two guests on the hypervisor's inner switch: ping, iperf3 in both directions, and what a packet costs in exits.

The machine has 1,000 MHz, so that few of the exits are those of the guests' timer ticks, which come with the time.
Under shadow paging a CR3 load takes no exit where the machine's frame with the guest's number is free for its root:
the machine has memory for that, and the guests have different kernels, as those that are booted alike have their
tables in the same frames. A program's start takes some 800 exits there, so the stream is longer.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from conftest import BOOT_TIMEOUT_S, COMMAND_TIMEOUT_S, Run, Starter, complaints, slow

BYTES = {"ept": 60 << 20, "shadow": 200 << 20}
PACKET = 1448  # bytes of data in a full-size packet: Ethernet's 1,500 less the headers of IP and TCP
CLOUD, FULL = "debian:cloud-amd64", "debian:amd64"
KERNELS = {CLOUD: FULL, FULL: CLOUD}  # of a: of b
SOCKET_BUFFER = 4 << 20  # the most that Linux gives a socket (tcp_wmem)
PACKETS_AN_EXIT = 16  # of both guests together
SERVER = "echo server; sleep 1; for i in 1 2; do exits iperf3 -s -1 >/tmp/said; tail -n 1 /tmp/said; done"


def two_guests(triptych: Starter, folder: Path, kernel: str, *first: str) -> Run:
    """a, which is typed to, and b, with a kernel, which serves iperf3 twice and counts its exits meanwhile."""
    a, b = folder / "a.toml", folder / "b.toml"
    append = "console=ttyS0 triptych.net=10.0.0."
    a.write_text("\n".join(['name = "a"', f'append = "{append}1/24"', "counters = true", 'net = "switch"', *first]))
    b.write_text(f'name = "b"\nkernel = "{kernel}"\nnet = "switch"\ncounters = true\nappend = "{append}2/24 '
                 f'triptych.run=/bin/sh -- -c \\"{SERVER}\\""\n')  # fmt: skip
    run = triptych("--host-mhz", "1000", "--host-mem", "1100M", "--vm", str(a), "--vm", str(b))
    run.expect("b| server", BOOT_TIMEOUT_S)
    run.seen = 0
    run.expect("a| triptych:~# ", BOOT_TIMEOUT_S)
    assert complaints(run.text) == []
    return run


def command(run: Run, line: str) -> str:
    """In guest a; what both say until it has succeeded."""
    run.send(f"{line} && echo done")
    return run.expect("| done", COMMAND_TIMEOUT_S)


def exits(said: str, name: str) -> dict[str, int]:
    found = re.search(rf'^{name}\| (\{{"by":.*\}})\r?$', said, re.M)
    assert found, said
    figures = json.loads(found.group(1))
    print(name, figures)
    return {**figures["by"], "all": figures["exits"]}


def stream(run: Run, options: str, length: int) -> None:
    """A stream between the two; each guest's exits."""
    said = command(run, f"sleep 1; exits iperf3 -c 10.0.0.2 -n {length} {options} >/tmp/said; tail -n 1 /tmp/said; sleep 1")
    figures = {name: exits(said, name) for name in ("a", "b")}
    packets = {name: length / PACKET / f["all"] for name, f in figures.items()}
    both = 1 / sum(1 / p for p in packets.values())
    print(f"packets an exit: a {packets['a']:.1f}, b {packets['b']:.1f}, both together {both:.1f}")
    assert both >= PACKETS_AN_EXIT


@pytest.mark.parametrize("kernel", [CLOUD, FULL])
@slow
def test_two_guests(in_each_mode: Starter, tmp_path: Path, kernel: str) -> None:
    run = two_guests(in_each_mode, tmp_path, KERNELS[kernel], f'kernel = "{kernel}"')
    assert " 0% packet loss" in command(run, "ping -c 5 10.0.0.2")
    stream(run, "", BYTES[in_each_mode.mmu])
    stream(run, "--reverse", BYTES[in_each_mode.mmu])
    run.send("poweroff")
    assert run.finish() == 0
    cards = {str(card["vm"]): card for card in run.machine_lines("net")}
    for card in cards.values():
        # iperf3 ends when it has written all; what is in a socket's buffer by then may stay there.
        assert card["refused"] == 0 and int(str(card["bytes_sent"])) > BYTES[in_each_mode.mmu] - SOCKET_BUFFER
        # Packets go as they are, as large as a driver makes them.
        assert int(str(card["large"])) < 2 * BYTES[in_each_mode.mmu] / PACKET / 8


@slow
def test_emulated_card(in_each_mode: Starter, tmp_path: Path) -> None:
    """The stock kernel's ne2k-pci in one guest, virtio in the other."""
    run = two_guests(in_each_mode, tmp_path, CLOUD, f'kernel = "{FULL}"', 'io = "emulated"')
    assert "ne2k-pci" in command(run, "readlink /sys/class/net/eth0/device/driver")
    assert " 0% packet loss" in command(run, "ping -c 5 -s 1400 10.0.0.2")
    for options in ("", "--reverse"):
        said = command(run, f"sleep 1; exits iperf3 -c 10.0.0.2 -n 1M {options} >/tmp/said; tail -n 1 /tmp/said; sleep 1")
        figures = exits(said, "a")
        print(f"{figures['io'] * PACKET / (1 << 20):.0f} exits for ports a packet")
    run.send("poweroff")
    assert run.finish() == 0
    assert "ne2k-pci" not in "\n".join(complaints(run.text))
    (card,) = [card for card in run.machine_lines("net") if card["vm"] == "a"]
    assert card["refused"] == 0 and int(str(card["sent"])) >= 724 and int(str(card["received"])) >= 724
