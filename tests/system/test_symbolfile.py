# SPDX-License-Identifier: BSD-2-Clause
"""What `triptych symbols` writes, as binutils read it; no emulator."""

from __future__ import annotations

import re
import struct
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT  # noqa: F401

from triptych_lib import kallsyms, orc, symbolfile  # noqa: E402
from triptych_lib.ui import UsageError  # noqa: E402

T = kallsyms.TEXT
SYMBOLS = kallsyms.Symbols(
    [T, T + 0x10, T + 0x1000, T + 0x2000, T + 0x3000, T + 0x3010, T + 0x4000],
    ["_text", "first", "_etext", "variable", "_sinittext", "start_kernel", "_einittext"],
)

# sp_offset, bp_offset, sp_reg, bp_reg, kind: what stands in the table of Linux 6.1, and of 6.4.
OLD = {orc.CALL: 0, orc.REGS: 1 << 8, orc.PARTIAL: 2 << 8, orc.END: orc.OLD_END}
NEW = {kind: kind << 8 for kind in range(5)}
ROWS = [
    (0x00, 8, 0, orc.SP, 0, orc.CALL),
    (0x10, 16, -16, orc.SP, orc.PREV_SP, orc.CALL),
    (0x20, 16, -16, orc.BP, orc.PREV_SP, orc.CALL),
    (0x30, 0, 0, orc.SP, 0, orc.REGS),
    (0x40, 24, 0, orc.SP, 0, orc.PARTIAL),
    (0x50, 8, 0, orc.SP_INDIRECT, 0, orc.CALL),
    (0x60, -8, 0, orc.BP_INDIRECT, orc.BP, orc.CALL),
    (0x70, 4104, 0, orc.SP, 0, orc.CALL),
    (0x80, 8, 0, orc.SP, 0, orc.END),
]


def kernel(kinds: dict[int, int], rows: list[tuple[int, int, int, int, int, int]] = ROWS, of: int = 1) -> bytes:
    """An ELF file with the two sections; each row comes `of` times, one behind the other."""
    at = T + 0x100000
    table = [(i * 0x100 + r[0], *r[1:]) for i in range(of) for r in rows]
    ips = b"".join(struct.pack("<i", T + r[0] - (at + 4 * i)) for i, r in enumerate(table))
    entries = b"".join(struct.pack("<hhH", r[1], r[2], r[3] | r[4] << 4 | kinds[r[5]]) for r in table)
    names = b"\0.orc_unwind_ip\0.orc_unwind\0.shstrtab\0"
    body = ips + entries + names
    sections = [(0, 0, 0, 0), (1, at, 64, len(ips)), (16, at + len(ips), 64 + len(ips), len(entries))]
    sections.append((28, 0, 64 + len(ips) + len(entries), len(names)))
    headers = b"".join(struct.pack("<IIQQQQIIQQ", n, 1, 0, a, o, s, 0, 0, 1, 0) for n, a, o, s in sections)
    head = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0, 0, 64 + len(body), 0, 64, 0, 0, 64, len(sections), 3)
    return head + body + headers


def readelf(tmp_path: Path, frames: bytes, *args: str) -> str:
    file = tmp_path / "symbols.elf"
    file.write_bytes(symbolfile.elf(SYMBOLS, frames))
    done = subprocess.run(["readelf", "-W", *args, str(file)], capture_output=True, text=True, check=True)
    assert not done.stderr, done.stderr
    return done.stdout


def test_symbols_stand_in_code_and_data(tmp_path: Path) -> None:
    out = readelf(tmp_path, b"", "-sS")
    parts = re.findall(r"\[ *(\d)\] (\.\w+\.\d) +NOBITS +(\w+) \w+ (\w+) 00 +(\w+)", out)
    assert [(p[1], int(p[2], 16) - T, int(p[3], 16), p[4]) for p in parts] == [
        (".text.0", 0, 0x1000, "AX"),
        (".data.1", 0x1000, 0x2000, "WA"),
        (".text.2", 0x3000, 0x1000, "AX"),
        (".data.3", 0x4000, symbolfile.LAST, "WA"),
    ]
    rows = dict(re.findall(r"0 (\w+) +GLOBAL DEFAULT +\d (\w+)", out))
    assert rows == {"FUNC": rows["FUNC"], "OBJECT": rows["OBJECT"]}
    assert re.search(rf"{T + 0x3010:016x} +0 FUNC +GLOBAL DEFAULT +3 start_kernel", out)
    assert re.search(rf"{T + 0x2000:016x} +0 OBJECT +GLOBAL DEFAULT +2 variable", out)


def test_a_kernel_without_symbols() -> None:
    with pytest.raises(UsageError):
        symbolfile.elf(kallsyms.Symbols([], []), b"")


@pytest.mark.parametrize("kinds", [OLD, NEW], ids=["6.1", "6.4"])
def test_frames(tmp_path: Path, kinds: dict[int, int]) -> None:
    out = readelf(tmp_path, orc.debug_frame(kernel(kinds)), "--debug-dump=frames-interp")
    found = [line.split()[1:] for line in out.splitlines() if line.startswith("ffffffff81")]
    assert found == [
        ["rsp+8", "s", "u", "c-8"],
        ["rsp+16", "c-16", "u", "c-8"],
        ["rbp+16", "c-16", "u", "c-8"],
        ["rsp+0", "c+32", "c+152", "c+128"],
        ["rsp+24", "s", "c+24", "c+0"],
        ["exp", "s", "u", "c-8"],
        ["exp", "exp", "u", "c-8"],
        ["rsp+4104", "s", "u", "c-8"],
        ["rsp+4104", "s", "u", "u"],
    ]
    text = readelf(tmp_path, orc.debug_frame(kernel(kinds)), "--debug-dump=frames")
    assert "DW_OP_breg7 (rsp): 0; DW_OP_deref; DW_OP_consts: 8; DW_OP_plus" in text
    assert "DW_OP_breg6 (rbp): -8; DW_OP_deref" in text
    assert "DW_CFA_expression: r6 (rbp) (DW_OP_breg6 (rbp): 0)" in text


def test_many_frames_have_many_descriptions(tmp_path: Path) -> None:
    """Each covers the addresses up to the next."""
    out = readelf(tmp_path, orc.debug_frame(kernel(OLD, of=20)), "--debug-dump=frames")
    ranges = [(int(a, 16), int(b, 16)) for a, b in re.findall(r"FDE .* pc=(\w+)\.\.(\w+)", out)]
    assert len(ranges) == -(-20 * len(ROWS) // orc.ROWS)
    assert ranges[0][0] == T
    assert all(a[1] == b[0] for a, b in zip(ranges, ranges[1:], strict=False))


def test_no_tables() -> None:
    assert orc.debug_frame(kernel(OLD, [])) == b""
