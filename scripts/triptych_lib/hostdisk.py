# SPDX-License-Identifier: BSD-2-Clause
"""Files as physical disks of the emulated machine: what a guest writes to them is there afterwards.

The hypervisor numbers the disks that it finds; the n-th file here is its disk:n.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from .ui import UsageError
from .vmconfig import Disk, Vm

HOST_DISKS_MAX = 3  # two IDE channels have four places, and the boot image takes one
SECTOR = 512


@dataclass(frozen=True)
class HostDisk:
    path: Path
    readonly: bool = False


def _number(disks: list[HostDisk], disk: Disk) -> int:
    """Which of the machine's disks it is; added if it is none yet."""
    path = Path(disk.image)
    for n, known in enumerate(disks):
        if known.path.resolve() == path.resolve():
            if known.readonly and not disk.readonly:
                raise UsageError(f"disk {path}: it is read-only in another place, and is to be written here")
            return n
    disks.append(HostDisk(path, disk.readonly))
    return len(disks) - 1


def assign(vms: list[Vm], given: list[HostDisk]) -> tuple[list[Vm], list[HostDisk]]:
    """The machine's disks, and the VMs with their image disks named by number."""
    disks = list(given)
    result = []
    for vm in vms:
        own = [replace(d, image="", physical=f"disk:{_number(disks, d)}") if d.image else d for d in vm.disk]
        result.append(replace(vm, disk=own))
    if len(disks) > HOST_DISKS_MAX:
        raise UsageError(f"the machine takes {HOST_DISKS_MAX} disks from files, these are {len(disks)}")
    return result, disks


def _check(disk: HostDisk) -> None:
    try:
        size = disk.path.stat().st_size
        if not disk.path.is_file() or not os.access(disk.path, os.R_OK if disk.readonly else os.R_OK | os.W_OK):
            raise UsageError(f"disk {disk.path}: not a file that can be read and written")
    except OSError as e:
        raise UsageError(f"disk {disk.path}: {e.strerror}") from e
    if size == 0 or size % SECTOR:
        raise UsageError(f"disk {disk.path}: {size} bytes are not whole sectors of {SECTOR}")


def engine_lock(path: Path) -> Path:
    """The file by which Bochs says that it has the image open; it is left behind when Bochs is killed."""
    return path.with_name(path.name + ".lock")


@contextlib.contextmanager
def opened(disks: list[HostDisk]) -> Iterator[None]:
    """Holds the files against a second run of ours meanwhile."""
    with contextlib.ExitStack() as stack:
        for disk in disks:
            _check(disk)
            f = stack.enter_context(disk.path.open("rb"))
            try:
                fcntl.flock(f, (fcntl.LOCK_SH if disk.readonly else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            except OSError as e:
                raise UsageError(f"disk {disk.path}: another run has it") from e
            engine_lock(disk.path).unlink(missing_ok=True)
        try:
            yield
        finally:
            for disk in disks:
                engine_lock(disk.path).unlink(missing_ok=True)
