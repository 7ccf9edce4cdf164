# SPDX-License-Identifier: BSD-2-Clause
"""A bootable ISO image with GRUB: the hypervisor and its modules, or a kernel alone.

The multiboot2 modules: a VM's description is named vmN.conf, its images vmN.kernel, vmN.initrd and
vmN.modM; a module's string starts with its name.
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from .ui import UsageError

# A module's string, and GRUB's own words, must not be split or expanded by GRUB's shell.
# Every file and volume has this date in an image for the emulator: the same contents are the same image, and take the
# same ticks. (With UEFI, GRUB looks for its volume by a date that it has chosen itself.)
DATE, EPOCH = "2023111422132000", "1700000000"
_GRUB_SPECIAL = set("\"'\\$;{}|&<>")


# "The layout of Multiboot header": within so many bytes, at a multiple of 4.
_MULTIBOOT_SEARCH = 8192
_MULTIBOOT_MAGIC = 0x1BADB002


def is_multiboot(kernel: Path) -> bool:
    """Has it a multiboot (1) header?"""
    with kernel.open("rb") as f:
        head = f.read(_MULTIBOOT_SEARCH)
    for at in range(0, len(head) - 11, 4):
        magic, flags, checksum = struct.unpack_from("<III", head, at)
        if magic == _MULTIBOOT_MAGIC and (magic + flags + checksum) & 0xFFFFFFFF == 0:
            return True
    return False


@dataclass(frozen=True)
class Module:
    name: str
    data: bytes | Path  # what the file holds, or the file itself


@dataclass
class Boot:
    """What one menu entry boots."""

    title: str
    kernel: Path
    loader: str  # GRUB's command: multiboot2, multiboot or linux
    args: str = ""
    modules: list[Module] = field(default_factory=list)  # with linux: at most one, the initrd


def quote(word: str) -> str:
    """A word for GRUB's shell: quoted where it holds anything that the shell would act on."""
    if word and not _GRUB_SPECIAL.intersection(word) and not any(c.isspace() for c in word):
        return word
    return "'" + word.replace("'", "'\\''") + "'"


def grub_config(boot: Boot, timeout: int = 0) -> str:
    """grub.cfg. `set gfxpayload=text` keeps the emulated VGA in text mode."""
    words = " ".join(quote(w) for w in boot.args.split())
    lines = [f"set timeout={timeout}", "set default=0", f"menuentry {quote(boot.title)} {{", "\tset gfxpayload=text"]
    lines.append(f"\t{boot.loader} /boot/{boot.kernel.name} {words}".rstrip())
    if boot.loader == "multiboot2":
        lines += [f"\tmodule2 --nounzip /boot/{m.name} {m.name}" for m in boot.modules]
    elif boot.loader == "linux":
        lines += [f"\tinitrd /boot/{m.name}" for m in boot.modules]
    return "\n".join([*lines, "}", ""])


def _place(source: bytes | Path, target: Path) -> None:
    if isinstance(source, bytes):
        target.write_bytes(source)
        return
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copyfile(source, target)


def make(boot: Boot, target: Path, bios_only: bool = False, timeout: int = 0) -> None:
    """Writes the image. BIOS and UEFI, or BIOS alone (smaller and quicker, for the emulator)."""
    tool = shutil.which("grub-mkrescue")
    if tool is None:
        raise UsageError("grub-mkrescue is not here: run 'make deps'")
    with tempfile.TemporaryDirectory(prefix="triptych-iso-", dir=target.parent) as tmp:
        root = Path(tmp)
        (root / "boot" / "grub").mkdir(parents=True)
        (root / "boot" / "grub" / "grub.cfg").write_text(grub_config(boot, timeout))
        _place(boot.kernel, root / "boot" / boot.kernel.name)
        for m in boot.modules:
            _place(m.data, root / "boot" / m.name)
        out = root.with_name(root.name + ".iso")
        command = [tool, "-o", str(out), "--fonts=", "--themes=", "--locales=", "--compress=xz"]
        if bios_only:
            command += ["-d", "/usr/lib/grub/i386-pc"]
        dates = [f"-volume_date {what} {DATE}".split() for what in ("uuid", "all_file_dates")] if bios_only else []
        done = subprocess.run(
            [*command, str(root), "--", *(word for date in dates for word in date)],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH},
        )
        if done.returncode != 0:
            out.unlink(missing_ok=True)
            raise UsageError(f"grub-mkrescue failed: {done.stderr.strip().splitlines()[-1:]}: run 'make deps'")
        out.rename(target)
