# SPDX-License-Identifier: BSD-2-Clause
"""Which engine this host can use: KVM with nested VMX where it is really there, Bochs otherwise.

"Really" means all three: the processor says vmx, /dev/kvm opens, and KVM offers VMX to its guests.
A /dev/kvm without VMX (an arm64 or AMD host, a container, nested virtualization switched off) must
fall through to Bochs.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

KVM_DEVICE = "/dev/kvm"
# _IOWR(KVMIO, 0x05, struct kvm_cpuid2), from linux/kvm.h; the size is that of the two-word header.
KVM_GET_SUPPORTED_CPUID = 0xC008AE05
CPUID_ENTRIES = 256
CPUID_1_ECX_VMX = 1 << 5

ENGINES = ("auto", "bochs", "kvm", "tcg")


class _CpuidEntry(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint32) for name in ("function", "index", "flags", "eax", "ebx", "ecx", "edx")] + [
        ("padding", ctypes.c_uint32 * 3)
    ]


class _Cpuid(ctypes.Structure):
    _fields_ = [("nent", ctypes.c_uint32), ("padding", ctypes.c_uint32), ("entries", _CpuidEntry * CPUID_ENTRIES)]


@dataclass
class HostProbe:
    """What the choice rests on; each can be replaced in a test."""

    cpuinfo: str = ""
    kvm_opens: bool = False
    kvm_offers_vmx: bool = False
    problem: str = ""  # why not KVM, in words
    tools: dict[str, bool] = field(default_factory=dict)

    @property
    def kvm(self) -> bool:
        return cpu_has_vmx(self.cpuinfo) and self.kvm_opens and self.kvm_offers_vmx


def cpu_has_vmx(cpuinfo: str) -> bool:
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "flags":
            return "vmx" in value.split()
    return False


def kvm_supported_vmx(fd: int) -> bool:
    """KVM_GET_SUPPORTED_CPUID on an open /dev/kvm: does leaf 1 show VMX?"""
    table = _Cpuid(nent=CPUID_ENTRIES)
    fcntl.ioctl(fd, KVM_GET_SUPPORTED_CPUID, table)
    return any(e.function == 1 and bool(e.ecx & CPUID_1_ECX_VMX) for e in table.entries[: table.nent])


def probe(
    cpuinfo_path: str = "/proc/cpuinfo", device: str = KVM_DEVICE, offers: Callable[[int], bool] = kvm_supported_vmx
) -> HostProbe:
    try:
        result = HostProbe(Path(cpuinfo_path).read_text())
    except OSError:
        result = HostProbe()
    result.tools = {t: shutil.which(t) is not None for t in ("bochs", "qemu-system-x86_64", "grub-mkrescue")}
    if not cpu_has_vmx(result.cpuinfo):
        result.problem = f"{cpuinfo_path} shows no vmx flag"
        return result
    try:
        fd = os.open(device, os.O_RDWR | os.O_CLOEXEC)
    except OSError as e:
        result.problem = f"{device}: {e.strerror}"
        return result
    result.kvm_opens = True
    try:
        result.kvm_offers_vmx = offers(fd)
        if not result.kvm_offers_vmx:
            result.problem = f"{device} offers no VMX to its guests (kvm_intel's option nested=1)"
    except OSError as e:
        result.problem = f"{device}: KVM_GET_SUPPORTED_CPUID: {e.strerror}"
    finally:
        os.close(fd)
    return result


def choose(wanted: str, host: HostProbe) -> str:
    """The engine for `--engine wanted`: kvm, bochs or tcg."""
    if wanted != "auto":
        return wanted
    return "kvm" if host.kvm and host.tools.get("qemu-system-x86_64", False) else "bochs"
