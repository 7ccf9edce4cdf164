# SPDX-License-Identifier: BSD-2-Clause
"""A kernel's symbols, and how to unwind its stack, as an ELF file that gdb reads. Line numbers and types are only in the
kernel's package of debugging information (linux-image-...-dbg)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from . import bzimage, images, kallsyms, orc
from .ui import Progress, UsageError

EHDR, SHDR, SYM = 64, 64, 24
ET_EXEC, EM_X86_64 = 2, 62
SHT_PROGBITS, SHT_SYMTAB, SHT_STRTAB, SHT_NOBITS = 1, 2, 3, 8
SHF_WRITE, SHF_ALLOC, SHF_EXECINSTR = 1, 2, 4
GLOBAL, FUNC, OBJECT = 1 << 4, 2, 1  # of st_info: binding, types
# Where a kernel's code begins and ends (include/asm-generic/sections.h).
CODE = (("_text", "_etext"), ("_sinittext", "_einittext"))
LAST = 1 << 20  # bytes that the last symbol is taken to have


@dataclass(frozen=True)
class Section:
    """A range of addresses, without contents: gdb reads those from the guest."""

    name: str
    start: int
    end: int
    code: bool


def sections(symbols: kallsyms.Symbols) -> list[Section]:
    """Code as the kernel names its borders, and what is between as data."""
    found: list[Section] = []
    at, end = symbols.addresses[0], symbols.addresses[-1] + LAST
    for first, last in CODE:
        start, stop = symbols.address(first), symbols.address(last)
        if start is None or stop is None or not at <= start < stop:
            continue
        if at < start:
            found.append(Section(f".data.{len(found)}", at, start, False))
        found.append(Section(f".text.{len(found)}", start, stop, True))
        at = stop
    return [*found, Section(f".data.{len(found)}", at, end, False)]


def elf(symbols: kallsyms.Symbols, frames: bytes) -> bytes:
    """Sections, a symbol table, .debug_frame, and nothing else."""
    if not symbols.addresses:
        raise UsageError("the kernel's table of symbols is empty")
    parts = sections(symbols)
    strings, table = bytearray(b"\0"), bytearray(SYM)

    def name(text: str) -> int:
        strings.extend(text.encode() + b"\0")
        return len(strings) - len(text) - 1

    part = 0
    for address, text in zip(symbols.addresses, symbols.names, strict=True):
        while part + 1 < len(parts) and address >= parts[part + 1].start:
            part += 1
        kind = FUNC if parts[part].code else OBJECT
        table += struct.pack("<IBBHQQ", name(text), GLOBAL | kind, 0, part + 1, address, 0)
    headers = bytearray(SHDR)
    for s in parts:
        flags = SHF_ALLOC | (SHF_EXECINSTR if s.code else SHF_WRITE)
        headers += struct.pack("<IIQQQQIIQQ", name(s.name), SHT_NOBITS, flags, s.start, EHDR, s.end - s.start, 0, 0, 16, 0)
    link = len(parts) + 3  # the strings' section
    at = EHDR
    headers += struct.pack("<IIQQQQIIQQ", name(".symtab"), SHT_SYMTAB, 0, 0, at, len(table), link, 1, 8, SYM)
    at += len(table)
    headers += struct.pack("<IIQQQQIIQQ", name(".debug_frame"), SHT_PROGBITS, 0, 0, at, len(frames), 0, 0, 8, 0)
    at += len(frames)
    strtab = name(".strtab")
    headers += struct.pack("<IIQQQQIIQQ", strtab, SHT_STRTAB, 0, 0, at, len(strings), 0, 0, 1, 0)
    body = bytes(table) + frames + bytes(strings)
    body += bytes(-len(body) % 8)
    ident = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    head = ident + struct.pack(
        "<HHIQQQIHHHHHH", ET_EXEC, EM_X86_64, 1, 0, 0, EHDR + len(body), 0, EHDR, 0, 0, SHDR, link + 1, link
    )
    return head + body + bytes(headers)


def write(kernel: str, file: Path, progress: Progress) -> None:
    """UsageError where the kernel does not carry its symbols."""
    path = images.kernel_path(kernel, progress)
    with progress.step("reading the kernel's symbols"):
        vmlinux = bzimage.cached_vmlinux(path, images.cache_dir())
        symbols = kallsyms.read(vmlinux)
    if symbols is None:
        raise UsageError(f"{path}: no table of symbols (CONFIG_KALLSYMS_ALL) of a layout that is known")
    try:
        file.write_bytes(elf(symbols, orc.debug_frame(vmlinux.read_bytes())))
    except OSError as e:
        raise UsageError(f"{file}: {e.strerror}") from e
