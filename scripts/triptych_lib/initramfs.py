# SPDX-License-Identifier: BSD-2-Clause
"""The root file system of the default guest: busybox, an init script, our benchmark."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

from . import cpio, images
from .paths import BENCH, RECIPE
from .ui import Progress, UsageError

DIRECTORIES = ("bin", "sbin", "dev", "etc", "proc", "sys", "tmp", "root", "run", "var")
OWN_COMMANDS = ("poweroff", "reboot", "halt")  # scripts of ours instead of busybox's


def applets(busybox: Path) -> list[str]:
    """The names that this busybox answers to. It is a static amd64 program: it runs on the host."""
    try:
        out = subprocess.run([str(busybox), "--list"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as e:
        raise UsageError(f"{busybox} does not run here ({e}): an x86-64 host is needed") from e
    return sorted(set(out.stdout.split()))


def entries(busybox: Path, bench: Path | None) -> list[cpio.Entry]:
    result = [cpio.directory(d) for d in DIRECTORIES]
    result += [cpio.chardev("dev/console", 5, 1), cpio.chardev("dev/null", 1, 3, 0o666)]
    result += [cpio.regular("bin/busybox", busybox.read_bytes(), 0o755)]
    result += [
        cpio.symlink(f"bin/{name}", "busybox")
        for name in applets(busybox)
        if name not in OWN_COMMANDS and name not in ("busybox", "init", "linuxrc")
    ]
    end = (RECIPE / "end").read_bytes()
    result += [cpio.regular(f"sbin/{name}", end, 0o755) for name in OWN_COMMANDS]
    result += [
        cpio.regular("init", (RECIPE / "init").read_bytes(), 0o755),
        cpio.regular("etc/profile", (RECIPE / "profile").read_bytes()),
        cpio.regular("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n"),
        cpio.regular("etc/group", b"root:x:0:\n"),
    ]
    if bench is not None:
        result.append(cpio.regular("bin/bench", bench.read_bytes(), 0o755))
    return result


def build(progress: Progress) -> Path:
    """The default initramfs, in the cache under the hash of its contents."""
    busybox = images.busybox(progress)
    data = cpio.archive(entries(busybox, BENCH if BENCH.exists() else None))
    path = images.cache_dir() / "initramfs" / (hashlib.sha256(data).hexdigest()[:16] + ".cpio")
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        tmp = path.with_name(f"{path.name}.{os.getpid()}")
        tmp.write_bytes(data)
        tmp.rename(path)
    return path
