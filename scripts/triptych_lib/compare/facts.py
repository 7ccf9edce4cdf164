# SPDX-License-Identifier: BSD-2-Clause
"""What a run depends on, in words and hashes: enough to repeat it, or to see that two runs are not comparable."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import re
import subprocess
from pathlib import Path

from ..bzimage import HEADER_MAGIC, MAGIC
from ..paths import ROOT

VERSION_OFFSET = 0x20E  # "The Linux/x86 Boot Protocol", kernel_version: where the string is, less 0x200
VULNERABILITIES = Path("/sys/devices/system/cpu/vulnerabilities")
UNITS = {
    "bochs": "instructions of guest and hypervisor; VM entry and exit are free",
    "kvm": "ticks of the time-stamp counter: time",
}


def _said(*command: str) -> str:
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def commit(untracked: str = "no") -> tuple[str, bool | None]:
    """The commit of the tree, and whether the tree is as committed; ("unknown", None) outside version control.

    untracked: "normal" if a file that is not under version control is a change too.
    """
    name = _said("git", "rev-parse", "HEAD")
    if not name:
        return "unknown", None
    status = _said("git", "status", "--porcelain", "--branch", f"--untracked-files={untracked}")
    return name, len(status.splitlines()) == 1  # the branch's line, then one for each change; none where git fails


def contents(*without: str) -> str:
    """A hash of all that the commit holds but the files and folders of the top level that are named; "" where git has none."""
    entries = [line for line in _said("git", "ls-tree", "HEAD").splitlines() if line.partition("\t")[2] not in without]
    return hashlib.sha256("\n".join(entries).encode()).hexdigest() if entries else ""


@functools.cache
def engine_version(engine: str) -> str:
    """As the distribution names it, or as the program does."""
    package, tool = ("bochs", "bochs") if engine == "bochs" else ("qemu-system-x86", "qemu-system-x86_64")
    packaged = _said("dpkg-query", "-W", "-f", "${Version}", package)
    if packaged:
        return packaged
    found = re.search(r"\d+\.\d+(\.\d+)?", _said(tool, "--version"))
    return found.group(0) if found else "unknown"


@functools.cache
def sha256(path: Path | None) -> str:
    """Of a file's contents; "" for none."""
    if path is None:
        return ""
    digest = hashlib.sha256()
    with path.open("rb") as f:
        while block := f.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@functools.cache
def kernel_version(kernel: Path) -> str:
    """What a bzImage says of itself; a file of another kind is named by its name."""
    head = kernel.open("rb").read(0x8000)
    if head[MAGIC : MAGIC + 4] != HEADER_MAGIC:
        return kernel.name
    start = 0x200 + int.from_bytes(head[VERSION_OFFSET : VERSION_OFFSET + 2], "little")
    return head[start:].partition(b"\0")[0].decode("ascii", "replace") or kernel.name


def _cpu() -> str:
    try:
        found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    except OSError:
        found = None
    return found.group(1) if found else "unknown"


def mitigations(folder: Path = VULNERABILITIES) -> dict[str, str]:
    """Each known weakness of a processor, and what the running kernel does about it."""
    try:
        return {p.name: p.read_text().strip() for p in sorted(folder.iterdir())}
    except OSError:
        return {}


@functools.cache
def host() -> dict[str, object]:
    return {
        "cpu": _cpu(),
        "cpus": os.cpu_count(),
        "kernel": platform.release(),
        "mitigations": mitigations(),
    }


def guest_mitigations(linux: bool, append: str, system: dict[str, object]) -> dict[str, str]:
    """What the guest said of itself; where it says nothing, what its command line asks for."""
    if not linux:
        return {"guest": "none, it has no operating system"}
    said = system.get("mitigations")
    if isinstance(said, dict):
        return {str(k): str(v) for k, v in said.items()}
    words = [w for w in append.split() if re.match(r"(mitigations=|no?pti\b|pti=|nospectre|spectre|spec_|mds=|retbleed)", w)]
    return {"command line": " ".join(words) or "nothing: the kernel's defaults"}
