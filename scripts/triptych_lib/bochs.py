# SPDX-License-Identifier: BSD-2-Clause
"""Bochs 2.7 as the machine: its configuration, how it is started, what its log says at the end.

COM1, COM2 and, for a debugger, COM3 are TCP connections that Bochs makes to us, so bytes are never lost and no port has to
be guessed. Its exit status is always 1: the last panic line of its log says why it ended.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from .hostdisk import HostDisk
from .paths import SAME_NUMBERS
from .ui import UsageError

DEFAULT_CPU = "corei7_skylake_x"
MEGS_MAX = 2048  # of the host's memory: its configuration takes no more, the rest goes to a file
HOLE_START_MB = 3072  # Bochs counts the device hole from here to 4 GB as memory that the machine has
HOLE_MB = 1024
NIC_MAC = "52:54:00:12:34:56"
BIOS = Path("/usr/share/bochs/BIOS-bochs-latest")
VGABIOS = Path("/usr/share/bochs/VGABIOS-lgpl-latest")
POWERED_OFF = "ACPI control: soft power off"


@dataclass(frozen=True)
class Host:
    """The machine to emulate."""

    cpu_model: str
    cpus: int
    mem_mb: int
    disks: tuple[HostDisk, ...] = ()
    rtc: int | None = None  # seconds since 1970 at its start, and the same random numbers every time; None: now
    nic: bool = False  # an e1000, behind which the emulator translates addresses (10.0.2.0/24)
    mhz: int = 100  # millions of instructions a second


def memory_line(megs: int) -> str:
    """For `megs` of usable memory.

    What is beyond MEGS_MAX is swapped to a file in blocks of 128 KB, and Bochs may take a block that holds a
    stack in use (see scrub() in hv/mem/page.c): rare, but a crash with much memory and not with little may be that.
    """
    if megs <= MEGS_MAX:
        return f"megs: {megs}"
    return f"memory: guest={megs + (HOLE_MB if megs > HOLE_START_MB else 0)}, host={MEGS_MAX}"


# In the order in which the hypervisor finds them; the boot image is ata0-master.
DISK_PLACES = ("ata0-slave", "ata1-master", "ata1-slave")
SECOND_CHANNEL = "ata1: enabled=1, ioaddr1=0x170, ioaddr2=0x370, irq=15"


def disk_lines(disks: tuple[HostDisk, ...]) -> list[str]:
    """Geometry is found out by Bochs. Read-only files are kept so by a mode that writes elsewhere, and forgets."""
    lines = [SECOND_CHANNEL] if len(disks) > 1 else []
    for place, disk in zip(DISK_PLACES, disks, strict=False):
        mode = "volatile" if disk.readonly else "flat"
        lines.append(f"{place}: type=disk, path={disk.path.resolve()}, mode={mode}, cylinders=0")
    return lines


def nic_lines(host: Host, work: Path) -> list[str]:
    """`ethdev` is the folder that its TFTP server shows: one that is empty."""
    if not host.nic:
        return []
    folder = work / "tftp"
    folder.mkdir(exist_ok=True)
    return ["pci: enabled=1, chipset=i440fx, slot1=e1000", f"e1000: enabled=1, mac={NIC_MAC}, ethmod=slirp, ethdev={folder}"]


def config(host: Host, iso: Path, com_ports: tuple[int, ...], log: Path) -> str:
    return "\n".join(
        [
            "config_interface: textconfig",
            'display_library: rfb, options="timeout=0"',
            f"romimage: file={BIOS}",
            f"vgaromimage: file={VGABIOS}",
            memory_line(host.mem_mb),
            f"cpu: model={host.cpu_model}, count={host.cpus}, ips={host.mhz}000000, reset_on_triple_fault=0",
            f"clock: sync=none, time0={'utc' if host.rtc is None else host.rtc}",
            f"ata0-master: type=cdrom, path={iso}, status=inserted",
            *disk_lines(host.disks),
            *nic_lines(host, log.parent),
            "boot: cdrom",
            *(f"com{n}: enabled=1, mode=socket-client, dev=127.0.0.1:{port}" for n, port in enumerate(com_ports, 1)),
            "sound: driver=dummy",
            "plugin_ctrl: unmapped=1, biosdev=1, speaker=0",
            "port_e9_hack: enabled=1",
            "panic: action=fatal",
            "error: action=report",
            f"log: {log}",
            "",
        ]
    )


def command(work: Path, host: Host, iso: Path, com_ports: tuple[int, ...]) -> list[str]:
    """Writes the configuration into `work` and returns the command to start there."""
    tool = shutil.which("bochs")
    if tool is None or not BIOS.exists() or not VGABIOS.exists():
        raise UsageError("bochs is not here, or without its BIOS: run 'make deps'")
    (work / "bochsrc").write_text(config(host, iso, com_ports, work / "bochs.log"))
    (work / "rc").write_text("continue\n")  # Debian's build starts in its debugger
    if host.rtc is not None and not SAME_NUMBERS.exists():
        raise UsageError(f"{SAME_NUMBERS} is not there: run 'make'")
    preload = ["env", f"LD_PRELOAD={SAME_NUMBERS}"] if host.rtc is not None else []
    return [*preload, tool, "-q", "-f", str(work / "bochsrc"), "-rc", str(work / "rc")]


@dataclass
class Ending:
    """What Bochs' log says of the end."""

    powered_off: bool
    ticks: int | None
    why: str


_LINE = re.compile(r"^(\d{11,})([a-z])\[(.{6})\] (.*)$")


def read_log(log: Path) -> Ending:
    """The last panic message and the last tick of a Bochs log."""
    ticks: int | None = None
    why = ""
    try:
        with log.open(errors="replace") as f:
            for line in f:
                found = _LINE.match(line)
                if not found:
                    continue
                ticks = int(found.group(1))
                if found.group(2) == "p":
                    why = found.group(4).replace(">>PANIC<< ", "")
    except OSError:
        return Ending(False, None, "Bochs left no log")
    return Ending(POWERED_OFF in why, ticks, why or "Bochs ended without a word")
