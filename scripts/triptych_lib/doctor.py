# SPDX-License-Identifier: BSD-2-Clause
"""`triptych doctor`: what this host can do, and what to install."""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

from . import bochs, engine, images
from .ui import STATUS_CRASHED, STATUS_OK


@dataclass(frozen=True)
class Need:
    tool: str  # a command, or a file if it starts with "/"
    package: str
    why: str
    required: bool = True

    def present(self) -> bool:
        return Path(self.tool).exists() if self.tool.startswith("/") else shutil.which(self.tool) is not None


OVMF = "/usr/share/ovmf/OVMF.fd"

NEEDS = (
    Need("gcc", "build-essential", "builds the hypervisor"),
    Need("grub-mkrescue", "grub-common", "makes the boot image"),
    Need("/usr/lib/grub/i386-pc", "grub-pc-bin", "boots by BIOS, also in Bochs"),
    Need("/usr/lib/grub/x86_64-efi", "grub-efi-amd64-bin", "boots by UEFI", required=False),
    Need("xorriso", "xorriso", "writes the boot image"),
    Need("mformat", "mtools", "makes the UEFI part of the boot image"),
    Need("bochs", "bochs", "a machine with VT-x in software"),
    Need(str(bochs.BIOS), "bochsbios", "its firmware"),
    Need(str(bochs.VGABIOS), "vgabios", "its display firmware"),
    Need("qemu-system-x86_64", "qemu-system-x86", "nested KVM, and the test without VT-x", required=False),
    Need(OVMF, "ovmf", "UEFI firmware for QEMU: the test of a UEFI boot", required=False),
    Need("iasl", "acpica-tools", "compiles the guests' ACPI tables"),
    Need("zstd", "zstd", "unpacks kernels for PVH", required=False),
    Need("apt-get", "apt", "fetches Debian's kernels", required=False),
)


def report(host: engine.HostProbe, built: bool) -> int:
    """Prints the report. Status 0 when `triptych run` can work here."""
    missing = [n for n in NEEDS if not n.present()]
    print(f"host       {platform.machine()}, {os.cpu_count()} CPUs")
    print(f"VT-x       {'nested KVM works here' if host.kvm else 'no: ' + host.problem}")
    chosen = engine.choose("auto", host)
    print(f"engine     {chosen}" + (" (slower than a processor by a factor of about 30)" if chosen == "bochs" else ""))
    print(f"hypervisor {'built' if built else 'not built yet: run make'}")
    print(f"cache      {images.cache_dir()}")
    for n in missing:
        weight = "needed" if n.required else "useful"
        print(f"missing    {n.tool}: {weight}, {n.why} (package {n.package})")
    if missing:
        print("to install what is missing: make deps")
    return STATUS_CRASHED if any(n.required for n in missing) else STATUS_OK
