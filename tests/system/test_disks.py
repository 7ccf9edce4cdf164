# SPDX-License-Identifier: BSD-2-Clause
"""Disks that keep what is written: physical disks of the emulated machine behind virtio and behind IDE.

A partition of a disk, the root file system on a disk, data after the emulator was killed, and what requests cost.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import power_cuts
import pytest

from conftest import ROOT, Run, Starter, complaints, own_mode, slow
from test_machine import boot_in_qemu
from triptych_lib import iso, rootimage
from triptych_lib.ui import Progress

MB = 1 << 20
REQUESTS = 1000
# So much memory of the machine that each of a guest's roots finds its place under shadow paging, and CR3 loads take no
# exits (docs/shadow.md). In 512 MB a process has them or not by where its root lies.
ROOTS = ["--host-mem", "1G"]
PATTERN = bytes((i * 31 + i // 512) & 0xFF for i in range(4 * MB))


def succeeds(run: Run, command: str) -> None:
    assert run.command(f"{command}; echo $?").split()[-1] == "0", command


def ready(run: Run) -> str:
    """At the prompt, with lines so long that no command is wrapped."""
    said = run.prompt()
    run.command("stty cols 999")
    return said


def hash_of(run: Run, path: str) -> str:
    found = re.search(r"\b[0-9a-f]{64}\b", run.command(f"sha256sum {path}"))
    assert found, path
    return found.group()


def blank(path: Path, size: int) -> Path:
    with path.open("wb") as f:
        f.truncate(size)
    return path


def partitioned(path: Path) -> Path:
    """Two partitions, made by another program than the one that reads them; the pattern fills the second."""
    blank(path, 32 * MB)
    table = "label: gpt\nstart=2048,size=16384,name=root\nstart=20480,size=8192,name=data\n"
    subprocess.run(["sfdisk", "-q", str(path)], input=table, text=True, check=True)
    with path.open("r+b") as f:
        f.seek(20480 * 512)
        f.write(PATTERN)
    return path


def power_off(run: Run) -> None:
    run.send("poweroff")
    assert run.finish() == 0, run.log()[-800:]


def costs(run: Run, device: str, what: str, depth: int, where: str = "", requests: int = REQUESTS) -> dict[str, Any]:
    found = re.search(r"^\{.*\}$", run.command(f"iobench {device} {what} {requests} 4096 {depth} {where}"), re.M)
    assert found
    figures: dict[str, Any] = json.loads(found.group())
    return figures


def interrupts(run: Run, disk: str) -> int:
    """So far, of all queues of the virtio device of a disk."""
    name = run.command(f"readlink /sys/block/{disk}/device").split("/")[-1]
    lines = run.command(f"grep {name}-req /proc/interrupts").splitlines()
    return sum(int(line.split()[1]) for line in lines if f"{name}-req" in line)


def due(run: Run, disk: str, what: str, depth: int, **how: Any) -> tuple[dict[str, Any], float]:
    """What requests cost, and the exits that each causes: all exits for ports, which are the notifications; and an end
    of an interrupt for each that the disk's device has sent, by the guest's own count."""
    before = interrupts(run, disk)
    figures = costs(run, f"/dev/{disk}", what, depth, **how)
    sent = interrupts(run, disk) - before
    assert figures["by"]["memory"][0] * figures["requests"] > sent - 0.5  # each end is an exit, and so are the timer's
    return figures, figures["by"]["io"][0] + sent / figures["requests"]


def within_limits(figures: dict[str, Any], caused: float, depth: int) -> None:
    """On a RAM disk, which is done in the exit of the notification. All exits are a few more: the guest's timer comes
    250 times a second, and each time is up to four exits, so that a slower machine has more of them in a request."""
    print(figures, f"due: {caused}")
    assert caused <= (2 if depth == 1 else 1 / 8)
    assert figures["exits"] <= (2.1 if depth == 1 else 1 / 8)


@slow
def test_a_partition_and_what_requests_cost(in_each_mode: Starter, tmp_path: Path) -> None:
    image = partitioned(tmp_path / "disk.img")
    before = image.read_bytes()
    # At 1,000 MHz: few of the exits are those of the guest's timer, which come with the time.
    run = in_each_mode("--host-disk", str(image), "--disk", "part:data", "--disk", "blank:8M", "--counters", "--host-mhz", "1000", *ROOTS)
    assert complaints(ready(run)) == []
    assert 'part:root: number 1, 8 MB, uuid:' in run.log()
    assert run.command("cat /sys/block/vda/size").split()[-1] == "8192"
    assert hash_of(run, "/dev/vda") == hashlib.sha256(PATTERN).hexdigest()
    succeeds(run, "! dd if=/dev/zero of=/dev/vda bs=512 seek=8192 count=1 2>/dev/null")
    for device in ("vda", "vdb"):
        for depth in (1, 32):
            figures, caused = due(run, device, "write", depth)
            print(device, figures, f"due: {caused}")
            if device == "vdb":
                within_limits(figures, caused, depth)
        in_order = costs(run, f"/dev/{device}", "write", 32, "sequential")
        print(device, "in order", in_order)
        assert in_order["exits"] < 1 / 2  # on the physical disk requests that follow each other are one command
    power_off(run)
    after = image.read_bytes()
    assert after[: 20480 * 512] == before[: 20480 * 512]
    assert after[28672 * 512 :] == before[28672 * 512 :]
    for sector in range(20480, 28672):  # iobench writes the numbers of sectors
        piece = after[sector * 512 : (sector + 1) * 512]
        assert piece == before[sector * 512 : (sector + 1) * 512] or int.from_bytes(piece[:8], "little") == sector - 20480


@pytest.mark.parametrize("kernel", ["debian:cloud-amd64", "debian:amd64"])
@slow
def test_a_file_system_survives_a_killed_machine(in_each_mode: Starter, tmp_path: Path, kernel: str) -> None:
    image = blank(tmp_path / "disk.img", 32 * MB)
    run = in_each_mode("--kernel", kernel, "--disk", f"image:{image}")
    assert complaints(ready(run)) == []
    succeeds(run, "mkfs.ext4 -q /dev/vda")
    succeeds(run, "mount /dev/vda /mnt")
    run.command("head -c 3000000 /dev/urandom > /mnt/a; cp /mnt/a /mnt/b; rm /mnt/a; sync")
    before = hash_of(run, "/mnt/b")
    run.process.kill()  # and its emulator with it, at once
    run.process.wait()
    time.sleep(1)
    copy = tmp_path / "copy.img"
    shutil.copyfile(image, copy)
    subprocess.run(["e2fsck", "-p", str(copy)], check=False)
    assert subprocess.run(["e2fsck", "-f", "-n", str(copy)], check=False).returncode == 0
    run = in_each_mode("--kernel", kernel, "--disk", f"image:{image}")
    ready(run)
    succeeds(run, "mount /dev/vda /mnt")
    assert hash_of(run, "/mnt/b") == before
    succeeds(run, "umount /mnt")
    succeeds(run, "e2fsck -f -n /dev/vda >/tmp/fsck")
    power_off(run)


@slow
def test_ide_has_the_same_contents(in_each_mode: Starter, tmp_path: Path) -> None:
    """The stock kernel's ata_piix, on a RAM disk and on a physical disk; then what it wrote, through virtio."""
    (tmp_path / "pattern").write_bytes(PATTERN)
    image = blank(tmp_path / "disk.img", 32 * MB)
    run = in_each_mode("--kernel", "debian:amd64", "--io", "emulated", "--counters",
                   "--disk", str(tmp_path / "pattern"), "--disk", f"image:{image}")  # fmt: skip
    assert complaints(ready(run)) == []
    assert "ata_piix" in run.command("ls /sys/bus/pci/drivers")
    assert hash_of(run, "/dev/sda") == hashlib.sha256(PATTERN).hexdigest()
    succeeds(run, "mkfs.ext4 -q /dev/sdb")
    succeeds(run, "mount /dev/sdb /mnt")
    succeeds(run, "cp /dev/sda /mnt/pattern")
    succeeds(run, "umount /mnt")
    succeeds(run, "e2fsck -f -n /dev/sdb >/tmp/fsck")
    print("ide", costs(run, "/dev/sda", "read", 1))
    power_off(run)
    run = in_each_mode("--kernel", "debian:amd64", "--disk", f"image:{image},ro")
    ready(run)
    succeeds(run, "mount -o ro /dev/vda /mnt")
    assert hash_of(run, "/mnt/pattern") == hashlib.sha256(PATTERN).hexdigest()
    power_off(run)


WAYS = {
    "virtio": ("/dev/vda", ("--io", "virtio"), ""),
    "IDE, DMA": ("/dev/sda", ("--io", "emulated"), ""),
    "IDE, PIO": ("/dev/sda", ("--io", "emulated"), " libata.dma=0"),
}


@slow
def test_what_a_request_costs_each_way(in_each_mode: Starter, tmp_path: Path) -> None:
    """One image and one pattern of requests through virtio, through IDE's DMA and through its PIO: equal hashes, and
    the lines of the table in docs/virtio.md."""
    pattern = PATTERN[:MB]  # and fewer requests: a word of PIO is an exit
    (tmp_path / "pattern").write_bytes(pattern)
    before = hashlib.sha256(pattern).hexdigest()
    hashes = set()
    exits: dict[str, float] = {}
    for way, (device, options, words) in WAYS.items():
        run = in_each_mode("--kernel", "debian:amd64", "--append", f"console=ttyS0{words}", *options, "--counters",
                           "--host-mhz", "1000", *ROOTS, "--disk", str(tmp_path / "pattern"))  # fmt: skip
        assert complaints(ready(run)) == []
        assert hash_of(run, device) == before
        for what in ("read", "write"):
            for depth in (1, 32):
                print(f"{way}, {what}, {depth} at a time:")
                if way == "virtio":
                    figures, caused = due(run, "vda", what, depth, requests=250)
                    within_limits(figures, caused, depth)
                else:
                    figures = costs(run, device, what, depth, requests=250)
                    print(figures)
                exits[f"{way} {what} {depth}"] = figures["exits"]
        hashes.add(hash_of(run, device))  # of what was read and written, past all caches
        power_off(run)
    assert len(hashes) == 1 and before not in hashes
    assert exits["virtio read 1"] < exits["IDE, DMA read 1"] < exits["IDE, PIO read 1"]


# With ids of its own for the packages' users, as `useradd` gives them to everybody: /etc/subuid, "User namespaces".
AS_NOBODY = (
    'mount --bind "$0" /etc/subuid && mount --bind "$0" /etc/subgid && '
    'exec setpriv --reuid nobody --regid nogroup --clear-groups env "HOME=$1" "TMPDIR=$1" "TRIPTYCH_CACHE=$1/cache" '
    'PYTHONDONTWRITEBYTECODE=1 "$2" root-image --size 768M "$1/root.img"'
)


@slow
@pytest.mark.skipif(os.geteuid() != 0, reason="it is without root rights anyway, and all that make a root image are tests of it")
def test_a_root_image_without_root_rights() -> None:
    with tempfile.TemporaryDirectory() as folder:  # not pytest's own, which is for root alone
        ids, home = Path(folder) / "ids", Path(folder) / "home"
        Path(folder).chmod(0o755)
        ids.write_text("nobody:200000:65536\n")
        home.mkdir()
        shutil.chown(home, "nobody", "nogroup")
        command = ["unshare", "--mount", "sh", "-c", AS_NOBODY, str(ids), str(home), str(ROOT / "scripts/triptych")]
        subprocess.run(command, check=True, timeout=900)
        image = home / "root.img"
        assert subprocess.run(["e2fsck", "-f", "-n", str(image)], check=False).returncode == 0
        said = subprocess.run(["debugfs", "-R", "stat /etc/shadow", str(image)], capture_output=True, text=True, check=True).stdout
        assert re.search(r"Mode: +0640 .*?User: +0 +Group: +42 ", said, re.S)


def fio_passes(run: Run, device: str, depth: int, direct: int, pattern: str) -> None:
    """Written, flushed, dropped from the cache and read back. Through the cache libaio would do one request at a time."""
    engine = "libaio" if direct else "io_uring"
    line = (
        f"fio --name=t --filename={device} --size=2M --bs=4k --ioengine={engine} --iodepth={depth} --direct={direct} "
        f"--rw={pattern} --end_fsync=1 --verify=crc32c --verify_fatal=1 >/tmp/fio 2>&1"
    )
    succeeds(run, line)


@pytest.mark.parametrize("kernel", ["debian:cloud-amd64", "debian:amd64"])
@slow
def test_root_file_system_and_fio(in_each_mode: Starter, tmp_path: Path, kernel: str) -> None:
    root = tmp_path / "root.img"
    rootimage.make(root, 768 * MB, [], Progress())
    image = blank(tmp_path / "disk.img", 32 * MB)
    parts = partitioned(tmp_path / "parts.img")
    module = tmp_path / "module"  # of GRUB's, a RAM disk with copy on write
    module.write_bytes(PATTERN)
    run = in_each_mode("--kernel", kernel, "--disk", f"image:{root}", "--disk", f"image:{image}", "--disk", "blank:16M",
                   "--host-disk", str(parts), "--disk", "part:data", "--disk", str(module), "--append", "console=ttyS0 root=LABEL=triptych")  # fmt: skip
    ready(run)
    assert "/dev/root / ext4" in run.command("grep ' / ' /proc/mounts").replace("/dev/vda", "/dev/root")
    for device in ("/dev/vdb", "/dev/vdc", "/dev/vdd", "/dev/vde"):
        for depth in (1, 32):
            for direct in (0, 1):
                for pattern in ("write", "randwrite"):
                    fio_passes(run, device, depth, direct, pattern)
    rest = hashlib.sha256(PATTERN[2 * MB :]).hexdigest()
    assert rest in run.command("dd if=/dev/vde bs=1M skip=2 2>/dev/null | sha256sum")
    assert "stress-ng" in run.command("stress-ng --version")
    assert "iperf 3" in run.command("iperf3 --version")
    power_off(run)
    assert subprocess.run(["e2fsck", "-f", "-n", str(root)], check=False).returncode == 0


def test_preflight_names_the_disks_of_a_machine_without_vtx(tmp_path: Path) -> None:
    """QEMU's q35, without VT-x: AHCI, its interrupts, and a table whose first copy is damaged."""
    good, bad = partitioned(tmp_path / "good.img"), partitioned(tmp_path / "bad.img")
    with bad.open("r+b") as f:
        f.seek(512 + 60)
        f.write(b"\xff")
    command = [str(ROOT / "scripts/triptych"), "preflight", "--engine", "tcg", "--timeout", "120",
               "--host-disk", str(good), "--host-disk", f"{bad},ro"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    said = done.stdout
    assert done.returncode == 1 and "no VT-x" in done.stderr, said + done.stderr
    assert 'disk:0: ahci, 32 MB, "QEMU HARDDISK", serial "host0"' in said
    assert said.count("part:root: number 1, 8 MB") == 2 and said.count("part:data: number 2, 4 MB") == 2
    assert "disk:1: the first partition table is damaged; its copy is used" in said
    assert "interrupts do not arrive" not in said


@pytest.mark.parametrize(("machine", "driver"), [("q35", "ahci"), ("pc", "ata")])
def test_controllers_of_another_maker_keep_what_is_written(tmp_path: Path, machine: str, driver: str) -> None:
    """QEMU's AHCI and its IDE: the hypervisor alone writes all of a partition, flushes, reads it back, and nothing else."""
    disk, image = partitioned(tmp_path / "disk.img"), tmp_path / "try.iso"
    before = disk.read_bytes()
    words = "log=com2 console=com1 try-disk=data preflight"
    iso.make(iso.Boot("try", ROOT / "build/triptych.elf", "multiboot2", words), image, True)
    log = "\n".join(boot_in_qemu(image, tmp_path, "-drive", f"file={disk},format=raw,if=ide,index=0", machine=machine))
    assert f'disk:0: {driver}, 32 MB, "QEMU HARDDISK"' in log
    assert "part:data: written, flushed and read back: all is there" in log
    assert "interrupts do not arrive" not in log
    after = disk.read_bytes()
    first, end = 20480 * 512, 28672 * 512
    assert after[:first] == before[:first] and after[end:] == before[end:]
    assert len({after[at : at + 8] for at in range(first, end, 8)}) == (end - first) // 8


@own_mode("no guest runs")
def test_wrong_disks(triptych: Starter, tmp_path: Path) -> None:
    image = partitioned(tmp_path / "disk.img")
    for disks, why in (
        (["part:nobody"], "no disk has such a partition"),
        (["disk:5"], "no disk of that number"),
        (["part:data", "disk:0"], "another virtual disk has it"),
    ):
        run = triptych("--host-disk", str(image), *(word for d in disks for word in ("--disk", d)))
        assert run.finish(300) == 1
        assert why in run.log()


@slow
def test_power_cuts(in_each_mode: Starter, tmp_path: Path) -> None:
    """The emulator is killed at a random moment of a workload that syncs all the time, twenty times."""
    power_cuts.cuts(in_each_mode, tmp_path / "disk.img", 20, seed=4)
