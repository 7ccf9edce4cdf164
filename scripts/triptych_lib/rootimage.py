# SPDX-License-Identifier: BSD-2-Clause
"""A root file system for the default guest: Debian packages in an ext4 image, made without root rights.

mmdebstrap chooses and unpacks the packages in a user namespace and yields an archive; fakeroot remembers whose
each file is while mke2fs copies them into the image. The archive is kept in the cache.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from . import images
from .paths import IOBENCH, RECIPE
from .ui import Progress, UsageError

SUITE = "bookworm"
PACKAGES = ("busybox-static", "e2fsprogs", "fio", "iperf3", "stress-ng")
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
SIZE_MIN = 384 << 20
LABEL = "triptych"


def _run(command: list[str], what: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    except FileNotFoundError as e:
        raise UsageError(f"{command[0]} is not here: run 'make deps'") from e
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if line.startswith(("E:", "mke2fs"))] or done.stderr.splitlines()
        raise UsageError(f"{what}: {' '.join(said[-3:]) or 'no reason given'}")


def bootstrap_command(packages: list[str], archive: Path) -> list[str]:
    """Without a mode: mmdebstrap takes root's if it may, and otherwise a user namespace."""
    return [
        "mmdebstrap",
        "--variant=essential",
        "--architectures=amd64",
        f"--include={','.join(packages)}",
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT),
        '--aptopt=Acquire::Languages "none"',
        "--format=tar",
        SUITE,
        str(archive),
    ]


def _archive(packages: list[str], progress: Progress) -> Path:
    tag = hashlib.sha256(" ".join([SUITE, *packages, *LEFT_OUT]).encode()).hexdigest()[:12]
    path = images.cache_dir() / "root" / f"{tag}.tar"
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        with progress.step(f"fetching {len(packages)} packages and what they need"):
            _run(bootstrap_command(packages, part), "mmdebstrap")
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)
    return path


# In fakeroot, so that the files are root's in the image; devices are the kernel's business.
_FILL = """set -e
tar -x -f "$1" -C "$2" --numeric-owner --exclude=./dev/*
cp "$3/init" "$2/sbin/init"
for end in poweroff reboot halt; do cp "$3/end" "$2/sbin/$end"; done
chmod 755 "$2/sbin/init" "$2/sbin/poweroff" "$2/sbin/reboot" "$2/sbin/halt"
cp "$3/profile" "$2/etc/profile"
echo triptych > "$2/etc/hostname"
: > "$2/etc/triptych-root"
[ ! -e "$6" ] || cp "$6" "$2/usr/local/bin/"
mke2fs -q -t ext4 -L "$4" -d "$2" "$5"
"""


def make(target: Path, size: int, more: list[str], progress: Progress) -> None:
    """Writes the image; it replaces a file that is there."""
    if size < SIZE_MIN:
        raise UsageError(f"--size: at least {SIZE_MIN >> 20}M is expected")
    if not target.parent.is_dir():
        raise UsageError(f"{target}: {target.parent} is not a directory")
    if shutil.which("fakeroot") is None or shutil.which("mke2fs") is None:
        raise UsageError("fakeroot and mke2fs are needed: run 'make deps'")
    archive = _archive(sorted({*PACKAGES, *more}), progress)
    part = target.with_name(f"{target.name}.{os.getpid()}")
    try:
        with tempfile.TemporaryDirectory(prefix="triptych-root-") as tree, progress.step(f"writing {target}"):
            with part.open("wb") as f:
                f.truncate(size)
            fill = ["fakeroot", "sh", "-c", _FILL, "fill", str(archive), tree, str(RECIPE), LABEL, str(part), str(IOBENCH)]
            _run(fill, f"{target}")
        part.rename(target)
    finally:
        part.unlink(missing_ok=True)
