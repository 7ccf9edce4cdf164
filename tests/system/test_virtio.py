# SPDX-License-Identifier: BSD-2-Clause
"""Virtio devices under Debian's stock drivers: a file system on a disk, a disk from a file, random bytes, a console."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from conftest import Run, Starter, complaints, own_mode, slow

REQUESTS = 2000


def hash_of(run: Run, path: str) -> str:
    found = re.search(r"\b[0-9a-f]{64}\b", run.command(f"sha256sum {path}"))
    assert found, path
    return found.group()


def interrupts(run: Run, name: str) -> int:
    line = run.command(f"grep {name} /proc/interrupts")
    assert "PCI-MSI" in line
    return int(line.split()[1])


def succeeds(run: Run, command: str) -> None:
    assert run.command(f"{command}; echo $?").split()[-1] == "0", command


def keeps_a_file_system(run: Run) -> None:
    """ext4 made, filled to the last block, thinned out, checked, and read again from the disk."""
    succeeds(run, "mkfs.ext4 -q /dev/vda")
    succeeds(run, "mount /dev/vda /mnt")
    succeeds(run, "head -c 3000000 /dev/urandom > /mnt/a")
    assert "No space left" in run.command("cat /dev/urandom > /mnt/b")
    succeeds(run, "sync")
    assert int(run.command("stat -f -c %a /mnt").split()[-1]) == 0
    before = hash_of(run, "/mnt/b")
    succeeds(run, "rm /mnt/a && sync")  # what is freed may be discarded when the journal says so
    trimmed = re.search(r"/mnt: (\d+) bytes trimmed", run.command("fstrim -v /mnt"))
    assert trimmed and int(trimmed.group(1)) >= 2 << 20
    succeeds(run, "umount /mnt")
    succeeds(run, "echo 3 > /proc/sys/vm/drop_caches")
    succeeds(run, "e2fsck -f -n /dev/vda >/tmp/fsck")
    succeeds(run, "mount /dev/vda /mnt")
    assert hash_of(run, "/mnt/b") == before
    succeeds(run, "umount /mnt")


def shows_the_file(run: Run, content: bytes) -> None:
    """The second disk is the file, and nobody can change it."""
    assert run.command("cat /sys/block/vdb/ro").split()[-1] == "1"
    assert run.command("cat /sys/block/vdb/serial").split()[-1] == "disk1"
    assert int(run.command("cat /sys/block/vdb/size").split()[-1]) * 512 == len(content)
    assert hash_of(run, "/dev/vdb") == hashlib.sha256(content).hexdigest()
    assert "not permitted" in run.command("echo x > /dev/vdb")


def one_interrupt_a_request(run: Run) -> None:
    before = interrupts(run, "virtio0-req.0")
    run.command(f"dd if=/dev/vda bs=4k count={REQUESTS} iflag=direct >/dev/null 2>&1")  # fits a line of the terminal
    assert REQUESTS <= interrupts(run, "virtio0-req.0") - before <= REQUESTS + 20


def gives_random_bytes(run: Run) -> None:
    assert run.command("cat /sys/class/misc/hw_random/rng_current").split()[-1] == "virtio_rng.0"
    read = [hash_of(run, "/tmp/r") for _ in range(2) if run.command("head -c 2000 /dev/hwrng > /tmp/r") is not None]
    assert read[0] != read[1]
    assert run.command("wc -c < /tmp/r").split()[-1] == "2000"


def has_a_network_card(run: Run) -> None:
    """Alone on the switch: the link is up, what is sent goes nowhere, and nothing comes back."""
    assert run.command("cat /sys/class/net/eth0/address").split()[-1].startswith("02:54:50:")
    run.command("ifconfig eth0 10.0.0.1 netmask 255.255.255.0 up")
    assert run.command("cat /sys/class/net/eth0/carrier").split()[-1] == "1"
    assert run.command("cat /sys/class/net/eth0/mtu").split()[-1] == "1500"
    assert "100% packet loss" in run.command("ping -c 2 -W 1 10.0.0.2")
    assert int(run.command("cat /sys/class/net/eth0/statistics/tx_packets").split()[-1]) >= 2
    assert run.command("cat /sys/class/net/eth0/statistics/rx_packets").split()[-1] == "0"


@pytest.mark.parametrize(
    ("kernel", "rings"),
    [("debian:cloud-amd64", "packed"), pytest.param("debian:amd64", "split", marks=slow)],
)
def test_disks_and_random_bytes(in_each_mode: Starter, tmp_path: Path, kernel: str, rings: str) -> None:
    content = bytes(i * 7 + i // 512 & 0xFF for i in range(1 << 20))
    (tmp_path / "image").write_bytes(content)
    run = in_each_mode("--kernel", kernel, "--rings", rings, "--disk", "blank:16M", "--disk", f"{tmp_path}/image,ro", "--rng",
                   "--net", "switch")  # fmt: skip
    assert complaints(run.prompt()) == []
    keeps_a_file_system(run)
    shows_the_file(run, content)
    one_interrupt_a_request(run)
    gives_random_bytes(run)
    assert complaints(run.command("dmesg | grep -i virtio")) == []
    has_a_network_card(run)
    run.send("poweroff")
    assert run.finish() == 0
    devices = {str(s["device"]): s for s in run.machine_lines("stats") if "device" in s}
    assert set(devices) == {"virtio-blk 0", "virtio-blk 1", "virtio-rng 0", "virtio-net 0"}
    disk = devices["virtio-blk 0"]
    assert int(str(disk["chains"])) >= REQUESTS
    assert int(str(disk["kicks"])) <= int(str(disk["chains"])) + 20
    assert "needs a reset" not in run.log()


def test_console(in_each_mode: Starter) -> None:
    run = in_each_mode("--console", "virtio", "--console-size", "132x50")
    run.prompt()
    assert run.command("tty").split()[-1] == "/dev/hvc0"
    assert run.command("stty size").split()[-2:] == ["50", "132"]
    assert run.command("cat /sys/class/virtio-ports/vport0p1/name").split()[-1] == "triptych.log"
    succeeds(run, "echo a line for the log > /dev/vport0p1")
    assert run.command("tr '\\0' x </dev/zero | head -c 30000; echo").count("x") == 30000
    run.send("poweroff")
    assert run.finish() == 0
    assert "linux: a line for the log" in run.log()
    (device,) = [s for s in run.machine_lines("stats") if s.get("device") == "virtio-console 0"]
    # Far fewer chains than bytes; each key typed is one, and each line printed.
    assert 30 < int(str(device["chains"])) < 1000


@slow
def test_without_a_bus(in_each_mode: Starter) -> None:
    """The same devices at places in memory that the ACPI tables name."""
    run = in_each_mode("--virtio", "mmio", "--disk", "blank:16M", "--rng", "--net", "switch", "--balloon", "0")
    assert complaints(run.prompt()) == []
    assert len(run.command("ls -d /sys/bus/platform/drivers/virtio-mmio/LNRO0005:*").split()) == 4
    succeeds(run, "head -c 2000000 /dev/urandom > /tmp/a")
    succeeds(run, "dd if=/tmp/a of=/dev/vda bs=64k conv=fsync")
    succeeds(run, "echo 3 > /proc/sys/vm/drop_caches")
    succeeds(run, "head -c 2000000 /dev/vda | cmp - /tmp/a")
    gives_random_bytes(run)
    assert run.command("cat /sys/class/net/eth0/address").split()[-1].startswith("02:54:50:")
    assert complaints(run.command("dmesg")) == []
    run.send("poweroff")
    assert run.finish() == 0
    assert "needs a reset" not in run.log()


@slow
def test_without_msi(in_each_mode: Starter) -> None:
    """The same driver with pci=nomsi: all queues of a device share one line of the I/O APIC, and its ISR register says why."""
    run = in_each_mode("--disk", "blank:16M", "--append", "console=ttyS0 pci=nomsi")
    assert complaints(run.prompt()) == []
    succeeds(run, "head -c 2000000 /dev/urandom > /tmp/a")
    succeeds(run, "dd if=/tmp/a of=/dev/vda bs=64k conv=fsync")
    succeeds(run, "echo 3 > /proc/sys/vm/drop_caches")
    succeeds(run, "head -c 2000000 /dev/vda | cmp - /tmp/a")
    line = run.command("grep virtio0 /proc/interrupts")
    assert "IO-APIC" in line and "MSI" not in line and int(line.split()[1]) > 0
    assert complaints(run.command("dmesg")) == []
    run.send("poweroff")
    assert run.finish() == 0
    assert "needs a reset" not in run.log()


VCPUS = 4  # and as many queues of a disk, and pairs of queues of a card


def used_by(run: Run, queues: str) -> list[int]:
    """Interrupts of each of a device's queues, of all processors together; they have a message each."""
    lines = [line.split() for line in run.command(f"grep {queues} /proc/interrupts").splitlines() if "PCI-MSI" in line]
    return [sum(int(n) for n in line[1 : 1 + VCPUS]) for line in lines]


def on_each_processor(run: Run, work: str) -> None:
    """At the same time, with its number as $c."""
    run.command(f"work() {{ c=$1; {work} || echo {{}}wrong; }}")
    both = " & ".join(f"work {c}" for c in range(VCPUS))
    assert "{}wrong" not in run.command(f"({both} & wait) 2>&1")


@own_mode("several processors take EPT")
@slow
def test_several_queues(triptych: Starter) -> None:
    """Each processor has its queue of the disk and its pair of the card, and all of them work at the same time."""
    run = triptych("--vcpus", str(VCPUS), "--disk", "blank:16M", "--net", "uplink")
    assert complaints(run.prompt()) == []
    run.command("stty cols 999")
    assert run.command("cat /sys/block/vda/mq/*/cpu_list").split()[-VCPUS:] == [str(c) for c in range(VCPUS)]
    assert len(run.command("ls -d /sys/class/net/eth0/queues/[rt]x-*").split()) == 2 * VCPUS
    on_each_processor(run, "dd if=/dev/urandom of=/tmp/a$c bs=64k count=16 2>/dev/null")
    before = used_by(run, "virtio0-req")
    assert len(before) == VCPUS
    on_each_processor(run, "taskset -c $c dd if=/tmp/a$c of=/dev/vda bs=64k seek=$((c*16)) oflag=direct 2>/dev/null")
    on_each_processor(run, "taskset -c $c dd if=/dev/vda bs=4k skip=$((c*256)) count=256 iflag=direct 2>/dev/null | cmp - /tmp/a$c")
    assert all(now - then >= 256 for now, then in zip(used_by(run, "virtio0-req"), before, strict=True))
    before = used_by(run, "virtio1-input")
    assert len(before) == VCPUS
    on_each_processor(run, "taskset -c $c ping -c 20 -i 0.1 10.0.2.2 >/tmp/p$c")
    assert run.command("cat /tmp/p?").count(" 0% packet loss") == VCPUS
    assert all(now > then for now, then in zip(used_by(run, "virtio1-input"), before, strict=True))
    assert complaints(run.command("dmesg")) == []
    run.send("poweroff")
    assert run.finish() == 0
    assert "needs a reset" not in run.log()


STREAM = 4_000_000
IPERF_BYTES = 2_000_000
SOCKET_BUFFER = 256 << 10  # and less is in it
EXITS_A_PACKET = 2  # the gateway's windows are small: see docs/virtio.md; shadow paging adds the guest's page faults


class Server:
    """On the host: takes one stream to its end, or sends one."""

    def __init__(self, gives: int) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.took = 0
        self.gives = gives
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self) -> None:
        link, _ = self.listener.accept()
        with link, self.listener:
            link.sendall(bytes(self.gives))
            if self.gives:
                link.shutdown(socket.SHUT_WR)
            while data := link.recv(65536):
                self.took += len(data)


def stream(run: Run, what: str) -> dict[str, float]:
    server = Server(STREAM if what == "receive" else 0)
    out = run.command(f"netbench 10.0.2.2 {server.port} {what} {STREAM}")
    found = re.search(r"^\{.*\}$", out, re.M)
    assert found, out
    server.thread.join(10)
    assert server.took == (STREAM if what == "send" else 0)
    figures: dict[str, float] = json.loads(found.group())
    print(what, figures)
    return figures


def iperf3_passes(run: Run, options: str) -> None:
    """To a server on the host, which knows how much has come; from it, the client in the guest does."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    listener.close()
    with subprocess.Popen(["iperf3", "-s", "-1", "-J", "-p", str(port)], stdout=subprocess.PIPE, text=True) as server:
        try:
            succeeds(run, f"sleep 1; iperf3 -c 10.0.2.2 -p {port} -n {IPERF_BYTES} {options} >/tmp/said 2>&1")
            said = json.loads(server.communicate(timeout=30)[0])
        finally:
            server.kill()
    end = said["end"]["sum_sent" if options else "sum_received"]
    print("iperf3", options or "send", f"{end['bytes']} bytes, {end['bits_per_second'] / 1e6:.1f} Mbit/s of the host's time")
    assert end["bytes"] > IPERF_BYTES - SOCKET_BUFFER  # it ends when all is written; that much may stay there


@pytest.mark.parametrize("kernel", ["debian:cloud-amd64", pytest.param("debian:amd64", marks=slow)])
def test_uplink(in_each_mode: Starter, kernel: str) -> None:
    """Through the machine's network card to the emulator's own gateway, with an address from its DHCP server."""
    run = in_each_mode("--kernel", kernel, "--net", "uplink", "--counters")
    assert complaints(run.prompt()) == []
    assert re.search(r"inet 10\.0\.2\.\d+/24", run.command("ip address show eth0"))
    assert " 0% packet loss" in run.command("ping -c 5 10.0.2.2")
    for what in ("send", "receive"):
        exits = stream(run, what)["exits"]
        assert exits < EXITS_A_PACKET or in_each_mode.mmu == "shadow"
    for options in ("", "--reverse"):
        iperf3_passes(run, options)
    run.send("poweroff")
    assert run.finish() == 0
    (card,) = run.machine_lines("net")
    assert int(str(card["bytes_sent"])) > STREAM and int(str(card["bytes_received"])) > STREAM
    assert card["refused"] == 0
