# SPDX-License-Identifier: BSD-2-Clause
"""Symbols from a kernel's own table, and what `--trace` makes of them; no emulator."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest

from conftest import ROOT  # noqa: F401

from triptych_lib import kallsyms, trace  # noqa: E402
from triptych_lib.protocol import Transcript  # noqa: E402
from triptych_lib.ui import Progress  # noqa: E402
from triptych_lib.vmconfig import Vm  # noqa: E402

COUNT = 300  # more than one marker


def symbol(i: int) -> tuple[int, str]:
    return kallsyms.TEXT + 0x100 * i, "entry_SYSCALL_64" if i == 7 else f"function_{i}"


def table(token: bytes = b"function_", extra: bytes = b"", count: int = COUNT) -> bytes:
    """A kernel's image as far as it matters: with one token that is longer than a character."""
    tokens = [bytes([i]) if 0x20 < i < 0x7F else b"" for i in range(256)]
    tokens[0xF0] = token
    names, markers = b"", []
    for i in range(count):
        if i % 256 == 0:
            markers.append(len(names))
        name = b"T" + symbol(i)[1].encode()
        coded = name.replace(token, b"\xf0")
        names += bytes([len(coded)]) + coded
    offsets = struct.pack(f"<{count}i", *(-1 - 0x100 * i for i in range(count)))
    out = bytes(64) + offsets + bytes(-len(offsets) % 8)
    out += struct.pack("<QII", kallsyms.TEXT, count, 0) + names
    out += bytes(-len(out) % 8) + struct.pack(f"<{len(markers)}I", *markers) + extra
    out += bytes(-len(out) % 8) + b"\0".join(tokens) + b"\0"
    starts = [sum(len(t) + 1 for t in tokens[:i]) for i in range(256)]
    return out + bytes(-len(out) % 8) + struct.pack("<256H", *starts)


@pytest.mark.parametrize("extra", [b"", bytes(range(1, 100)) * 9], ids=["6.1", "with a table by name"])
def test_a_table_is_read(tmp_path: Path, extra: bytes) -> None:
    file = tmp_path / "vmlinux"
    file.write_bytes(table(extra=extra))
    symbols = kallsyms.read(file)
    assert symbols is not None
    assert list(zip(symbols.addresses, symbols.names)) == [symbol(i) for i in range(COUNT)]
    assert symbols.place(symbol(3)[0] + 5) == "function_3+0x5"
    assert symbols.place(kallsyms.TEXT - 1) is None and symbols.place(symbol(COUNT)[0]) is None


@pytest.mark.parametrize("cut", [0, 700, 2000])
def test_what_is_no_table(tmp_path: Path, cut: int) -> None:
    file = tmp_path / "vmlinux"
    file.write_bytes(table()[:cut])
    assert kallsyms.read(file) is None


def test_a_broken_table(tmp_path: Path) -> None:
    """The markers must agree with the names."""
    data = bytearray(table())
    at = data.index(struct.pack("<QII", kallsyms.TEXT, COUNT, 0)) + 16
    data[at] -= 1
    file = tmp_path / "vmlinux"
    file.write_bytes(bytes(data))
    assert kallsyms.read(file) is None


def test_places_get_symbols(tmp_path: Path) -> None:
    """The kernel has moved itself by 16 MB, as the entry that it gave the processor shows."""
    file = tmp_path / "vmlinux"
    file.write_bytes(b"\x7fELF" + bytes(60) + table())
    moved = 16 << 20
    stats: list[dict[str, Any]] = [
        {"vm": "linux", "vcpu": 0, "rip": hex(symbol(9)[0] + moved + 2), "reason": "CPUID", "times": 3, "spent": 300},
        {"vm": "linux", "vcpu": 0, "rip": "0x401000", "reason": "CPUID", "times": 9, "spent": 900},
        {"vm": "linux", "vcpu": 0, "syscall_entry": hex(symbol(7)[0] + moved)},
    ]
    trace.resolve(stats, [Vm(kernel=str(file))], Progress(False))
    assert stats[0]["symbol"] == "function_9+0x2" and "symbol" not in stats[1]
    lines = trace.report(Transcript(lines=["[1.0] INFO trace: tsc 1 rip 0x5 CPUID 0x0", "other"], stats=stats))
    assert lines[0] == "tsc 1 rip 0x5 CPUID 0x0"
    assert [line.split() for line in lines[2:]] == [
        ["9", "900", "CPUID", "0x401000"],
        ["3", "300", "CPUID", hex(symbol(9)[0] + moved + 2), "function_9+0x2"],
    ]


def test_no_symbols_without_a_kernel_that_has_them(tmp_path: Path) -> None:
    file = tmp_path / "guest.elf"
    file.write_bytes(b"\x7fELF" + bytes(100))
    stats: list[dict[str, Any]] = [{"vm": "linux", "vcpu": 0, "rip": "0x1", "reason": "x", "times": 1, "spent": 1}]
    trace.resolve(stats, [Vm(kernel=str(file))], Progress(False))
    assert "symbol" not in stats[0]
