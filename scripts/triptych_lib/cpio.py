# SPDX-License-Identifier: BSD-2-Clause
"""The "newc" cpio format of Linux initramfs images ("initramfs buffer format" in the kernel's documentation).

Deterministic: the same entries give the same bytes. Owner 0, time 0, inode numbers in order; no
privilege is needed to put device nodes in.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    path: str  # without a leading slash
    mode: int  # type and permission bits
    data: bytes = b""
    rdev: tuple[int, int] = (0, 0)


def directory(path: str, mode: int = 0o755) -> Entry:
    return Entry(path, stat.S_IFDIR | mode)


def regular(path: str, data: bytes, mode: int = 0o644) -> Entry:
    return Entry(path, stat.S_IFREG | mode, data)


def symlink(path: str, target: str) -> Entry:
    return Entry(path, stat.S_IFLNK | 0o777, target.encode())


def chardev(path: str, major: int, minor: int, mode: int = 0o600) -> Entry:
    return Entry(path, stat.S_IFCHR | mode, rdev=(major, minor))


def _pad4(n: int) -> bytes:
    return b"\0" * (-n % 4)


def _record(entry: Entry, inode: int) -> bytes:
    name = entry.path.encode() + b"\0"
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    fields = (
        inode, entry.mode, 0, 0, links, 0, len(entry.data), 0, 0,
        entry.rdev[0], entry.rdev[1], len(name), 0,
    )  # fmt: skip
    head = b"070701" + b"".join(b"%08X" % f for f in fields) + name
    return head + _pad4(len(head)) + entry.data + _pad4(len(entry.data))


def archive(entries: list[Entry]) -> bytes:
    """All entries in the order given (a directory before what lies in it), and the trailer."""
    out = b"".join(_record(e, i) for i, e in enumerate(entries, start=1))
    out += _record(Entry("TRAILER!!!", 0), 0)
    return out + b"\0" * (-len(out) % 512)
