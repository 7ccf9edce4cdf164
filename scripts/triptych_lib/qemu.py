# SPDX-License-Identifier: BSD-2-Clause
"""QEMU as the machine: nested KVM on an Intel host, or TCG, which has no VT-x and serves to test the refusal."""

from __future__ import annotations

import shutil
from pathlib import Path

from .bochs import NIC_MAC, Host
from .ui import UsageError

DEFAULT_CPU = {"kvm": "host", "tcg": "max"}
TOOL = "qemu-system-x86_64"
DISK_PLACES = (0, 1, 3)  # ports of the AHCI controller; -cdrom takes 2


def command(accel: str, host: Host, iso: Path, com_ports: tuple[int, ...], tool: str = TOOL) -> list[str]:
    """A pure function. `accel` is kvm or tcg; the serial ports connect to us as TCP clients."""
    cpu = host.cpu_model
    if accel == "kvm" and cpu != "host" and "vmx" not in cpu:
        cpu += ",+vmx"
    serial = []
    for name, port in zip(("com1", "com2", "com3"), com_ports, strict=False):
        serial += ["-chardev", f"socket,id={name},host=127.0.0.1,port={port},server=off,nodelay=on"]
        serial += ["-serial", f"chardev:{name}"]
    drives = []
    for n, (place, disk) in enumerate(zip(DISK_PLACES, host.disks, strict=False)):
        options = "format=raw,if=none,cache=writeback" + (",snapshot=on" if disk.readonly else "")
        drives += ["-drive", f"id=disk{n},{options},file={str(disk.path.resolve()).replace(',', ',,')}"]
        drives += ["-device", f"ide-hd,drive=disk{n},bus=ide.{place},serial=host{n}"]
    nic = ["-nic", f"user,model=e1000,mac={NIC_MAC}"] if host.nic else []
    return [
        tool,
        "-accel", accel,
        "-cpu", cpu,
        "-machine", "q35",
        "-smp", str(host.cpus),
        "-m", f"{host.mem_mb}M",
        "-cdrom", str(iso),
        "-boot", "d",
        "-display", "none",
        "-nodefaults",
        "-no-reboot",
        "-monitor", "none",
        *drives,
        *nic,
        *serial,
    ]  # fmt: skip


def find_tool() -> str:
    tool = shutil.which(TOOL)
    if tool is None:
        raise UsageError(f"{TOOL} is not here: run 'make deps'")
    return tool
