# SPDX-License-Identifier: BSD-2-Clause
"""The symbols of a Linux kernel, from the table that it carries for itself, so that no System.map is needed.

A kernel of a Debian package has no symbol table, and the package only a stub of System.map. But with
CONFIG_KALLSYMS_ALL its read-only data holds (kernel/kallsyms.c, scripts/kallsyms.c; the layout of 6.1):

    offsets        s32 a symbol: < 0: address = base - 1 - offset; >= 0: an absolute address
    relative_base  u64
    num_syms       u32, padded to 8 bytes
    names          a symbol: its length in tokens (two bytes with bit 7 set in the first), then the tokens
    markers        u32 for every 256th symbol: where in `names` it is
    token_table    256 strings (other tables may come before it)
    token_index    u16 each: where in token_table it is

Nothing says where that is: the token table is found by its digits, which stand for themselves, and the rest by the base,
which is the address that the kernel is linked to.
"""

from __future__ import annotations

import bisect
import itertools
import re
import struct
from dataclasses import dataclass
from pathlib import Path

DIGITS = b"".join(b"%d\0" % i for i in range(10))
TOKENS = 256
TOKEN_MAX = 64  # bytes of one, more than any has
STEP = 256  # symbols a marker
LENGTH_MAX = 512  # of a name, in tokens
TEXT = 0xFFFFFFFF81000000  # relative_base
COUNT = re.compile(re.escape(struct.pack("<Q", TEXT)) + rb"(..[\x00-\x0f]\x00)\x00{4}", re.S)


@dataclass
class Symbols:
    """Functions and data in order of address, as linked: KASLR moves a kernel as a whole."""

    addresses: list[int]
    names: list[str]

    def address(self, name: str) -> int | None:
        for a, n in zip(self.addresses, self.names, strict=True):
            if n == name:
                return a
        return None

    def place(self, address: int) -> str | None:
        """NAME+0xOFFSET; None outside the kernel's own text and data."""
        at = bisect.bisect_right(self.addresses, address) - 1
        if at < 0 or at == len(self.addresses) - 1:
            return None
        return f"{self.names[at]}+{address - self.addresses[at]:#x}"


def _string_start(data: bytes, end: int, strings: int) -> int:
    """Where that many zero-terminated strings begin which end at `end`."""
    for _ in range(strings):
        end = data.rfind(b"\0", 0, end - 1) + 1
    return end


def _tokens(data: bytes) -> list[bytes] | None:
    """What the tokens stand for."""
    for found in re.finditer(re.escape(DIGITS), data):
        start = _string_start(data, found.start(), ord("0"))
        tokens = data[start : start + TOKENS * TOKEN_MAX].split(b"\0", TOKENS)[:TOKENS]
        starts = [0, *itertools.accumulate(len(t) + 1 for t in tokens)]
        index = struct.pack(f"<{TOKENS}H", *(s & 0xFFFF for s in starts[:TOKENS]))
        at = start + starts[-1]
        if len(tokens) == TOKENS and index in data[at : at + 8 + len(index)]:
            return tokens
    return None


def _names(data: bytes, start: int, count: int, tokens: list[bytes]) -> list[bytes] | None:
    """Type and name of each symbol; None unless the markers that follow agree."""
    at, names, marked = start, [], 0
    for i in range(count):
        if i == STEP:
            marked = at - start
        length = data[at]
        at += 1
        if length & 0x80:
            length = (length & 0x7F) | data[at] << 7
            at += 1
        if not 0 < length <= LENGTH_MAX:
            return None
        names.append(b"".join(tokens[t] for t in data[at : at + length]))
        at += length
    at += -at % 8
    return names if data[at : at + 8] == struct.pack("<2I", 0, marked) else None


def read(vmlinux: Path) -> Symbols | None:
    """None if the kernel has no such table, or one of another layout."""
    data = vmlinux.read_bytes()
    tokens = _tokens(data)
    if tokens is None:
        return None
    for found in COUNT.finditer(data):
        (count,) = struct.unpack("<I", found.group(1))
        names = _names(data, found.end(), count, tokens) if found.start() % 8 == 0 and count > STEP else None
        if names is not None:
            return _symbols(data, found.start(), names)
    return None


def _symbols(data: bytes, base_at: int, names: list[bytes]) -> Symbols:
    """With the offsets, which stand before the base."""
    offsets = struct.unpack_from(f"<{len(names)}i", data, base_at - (4 * len(names) + 7 & ~7))
    symbols = sorted(  # without the absolute ones
        (TEXT - 1 - offset, name[1:].decode("ascii", "replace"))
        for offset, name in zip(offsets, names, strict=True)
        if offset < 0
    )
    return Symbols([a for a, _ in symbols], [n for _, n in symbols])
