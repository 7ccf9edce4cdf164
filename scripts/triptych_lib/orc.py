# SPDX-License-Identifier: BSD-2-Clause
"""How to unwind a Linux kernel's stack: from the tables that it carries for itself (ORC) to those that gdb reads.

A kernel is compiled without frame pointers, and says for each instruction where the caller's stack pointer was and where
RBP is saved (Documentation/x86/orc-unwinder.rst, arch/x86/include/asm/orc_types.h):

    .orc_unwind_ip   s32 an entry: where it begins, relative to this word
    .orc_unwind      s16 sp_offset, s16 bp_offset, u16: sp_reg 4 bits, bp_reg 4 bits, kind of frame

The same in DWARF (section .debug_frame): the caller's stack pointer is the CFA.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator

ENTRY = struct.Struct("<hhH")
ROWS = 64  # of the table to a description: gdb carries out those before the one that it looks for

# Registers of ORC, and of DWARF.
UNDEFINED, PREV_SP, BP, SP, BP_INDIRECT, SP_INDIRECT = 0, 1, 4, 5, 8, 9
PLAIN = {2: 1, 3: 5, BP: 6, SP: 7, 6: 10, 7: 13}  # DX, DI, BP, SP, R10, R13
RBP, RSP, RETURN = 6, 7, 16

# Kinds of frames, as Linux 6.4 and later number them; before that (with a field of 2 bits) they were CALL, REGS, PARTIAL,
# and a bit of its own said END.
NONE, END, CALL, REGS, PARTIAL = range(5)
OLD_KINDS = (CALL, REGS, PARTIAL, NONE)
OLD_END = 1 << 10

# struct pt_regs, and the frame of an interrupt alone.
REGS_BP, REGS_IP, REGS_SP = 32, 128, 152
PARTIAL_IP, PARTIAL_SP = 0, 24

# DWARF, "Call Frame Instructions"
ADVANCE, RESTORE, UNDEF, SAME = 0x04, 0x06, 0x07, 0x08
CFA_EXPRESSION, EXPRESSION, OFFSET, CFA = 0x0F, 0x10, 0x11, 0x12
DEREF, PLUS, BREG = 0x06, 0x23, 0x70
CIE = b"\xff\xff\xff\xff\x01\0\x01\x01" + bytes([RETURN]) + bytes([CFA, RSP, 8, OFFSET, RETURN, 0x78])


def section(elf: bytes, name: bytes) -> tuple[int, bytes] | None:
    """Address and contents of a section of a 64-bit ELF file."""
    (table,) = struct.unpack_from("<Q", elf, 40)
    size, count, strings = struct.unpack_from("<HHH", elf, 58)
    headers = [struct.unpack_from("<IIQQQQ", elf, table + size * i) for i in range(count)]
    names = headers[strings][4] if strings < count else 0
    for h in headers:
        if elf[names + h[0] : names + h[0] + len(name) + 1] == name + b"\0":
            return h[3], elf[h[4] : h[4] + h[5]]
    return None


def _signed(n: int) -> bytes:
    """SLEB128."""
    out = bytearray()
    while not -64 <= n < 64:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n & 0x7F)
    return bytes(out)


def _block(code: bytes) -> bytes:
    return _signed(len(code)) + code  # shorter than 64 bytes: the same in ULEB128


def _cfa(reg: int, offset: int) -> bytes | None:
    if reg in PLAIN:
        return bytes([CFA, PLAIN[reg]]) + _signed(offset)
    if reg == BP_INDIRECT:
        return bytes([CFA_EXPRESSION]) + _block(bytes([BREG + RBP]) + _signed(offset) + bytes([DEREF]))
    if reg == SP_INDIRECT:
        return bytes([CFA_EXPRESSION]) + _block(bytes([BREG + RSP, 0, DEREF, 0x11]) + _signed(offset) + b"\x22")
    return None


def _at(reg: int, offset: int) -> bytes:
    """It is saved there, relative to the CFA."""
    return bytes([OFFSET, reg]) + _signed(offset)


def _bp(reg: int, offset: int) -> bytes:
    if reg == PREV_SP:
        return _at(RBP, offset)
    if reg == BP:
        return bytes([EXPRESSION, RBP]) + _block(bytes([BREG + RBP]) + _signed(offset))
    return bytes([SAME, RBP])


def row(sp_offset: int, bp_offset: int, sp_reg: int, bp_reg: int, kind: int) -> bytes:
    """All that holds at an instruction."""
    cfa = _cfa(sp_reg, sp_offset)
    if cfa is None or kind in (NONE, END):
        return bytes([UNDEF, RETURN])
    if kind == REGS:
        return cfa + _at(RETURN, REGS_IP) + _at(RSP, REGS_SP) + _at(RBP, REGS_BP)
    if kind == PARTIAL:
        return cfa + _at(RETURN, PARTIAL_IP) + _at(RSP, PARTIAL_SP) + _bp(bp_reg, bp_offset)
    return cfa + _at(RETURN, -8) + bytes([RESTORE, RSP]) + _bp(bp_reg, bp_offset)


def _rows(at: int, ips: bytes, entries: bytes) -> Iterator[tuple[int, bytes]]:
    """Where each row of the table begins, and what it says, in order of addresses."""
    words = [ENTRY.unpack_from(entries, i) for i in range(0, len(entries) - ENTRY.size + 1, ENTRY.size)]
    old = Counter(word >> 8 & 3 for _, _, word in words).most_common(1)[0][0] == OLD_KINDS.index(CALL)
    known: dict[tuple[int, int, int], bytes] = {}
    starts: list[int] = [at + 4 * i + d for i, (d,) in enumerate(struct.iter_unpack("<i", ips[: len(ips) & ~3]))]
    for start, (sp_offset, bp_offset, word) in sorted(zip(starts, words, strict=False)):
        entry = sp_offset, bp_offset, word
        if entry not in known:
            kind = (END if word & OLD_END else OLD_KINDS[word >> 8 & 3]) if old else word >> 8 & 7
            known[entry] = row(sp_offset, bp_offset, word & 15, word >> 4 & 15, kind)
        yield start, known[entry]


def _padded(body: bytes) -> bytes:
    body += bytes(-(len(body) + 4) % 8)  # DW_CFA_nop
    return struct.pack("<I", len(body)) + body


def debug_frame(elf: bytes) -> bytes:
    """The contents of .debug_frame; nothing where the kernel has no such tables."""
    ips, entries = section(elf, b".orc_unwind_ip"), section(elf, b".orc_unwind")
    if ips is None or entries is None or not entries[1]:
        return b""
    table = list(_rows(ips[0], ips[1], entries[1]))
    out = bytearray(_padded(CIE))
    for first in range(0, len(table), ROWS):
        part = table[first : first + ROWS]
        start = at = part[0][0]
        end = table[first + ROWS][0] if first + ROWS < len(table) else part[-1][0] + 1
        code = bytearray()
        for where, says in part:
            if where != at:
                code += struct.pack("<BI", ADVANCE, where - at)
                at = where
            code += says
        out += _padded(struct.pack("<IQQ", 0, start, end - start) + bytes(code))
    return bytes(out)
