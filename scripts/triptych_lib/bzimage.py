# SPDX-License-Identifier: BSD-2-Clause
"""The ELF kernel inside a Linux bzImage, for boot protocols that want an ELF (PVH).

The setup header says where the compressed payload is ("The Linux/x86 Boot Protocol", payload_offset
and payload_length); its first bytes say how it is packed.
"""

from __future__ import annotations

import bz2
import hashlib
import lzma
import os
import struct
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

from .ui import UsageError

HEADER_MAGIC = b"HdrS"
VERSION_WITH_PAYLOAD = 0x0208
ELF_MAGIC = b"\x7fELF"
SETUP_SECTS = 0x1F1
MAGIC = 0x202
VERSION = 0x206
PAYLOAD_OFFSET = 0x248
PAYLOAD_LENGTH = 0x24C
HEADER_END = 0x250
SECTOR = 512


def _tool(*command: str) -> Callable[[bytes], bytes]:
    def unpack(data: bytes) -> bytes:
        try:
            # Trailing bytes (the size that the kernel build appends) make the tools complain after
            # all is unpacked: what counts is the output.
            return subprocess.run(command, input=data, capture_output=True).stdout
        except FileNotFoundError as e:
            raise UsageError(f"{command[0]} is needed to unpack this kernel: run 'make deps'") from e

    return unpack


def _lzma(data: bytes) -> bytes:
    return lzma.LZMADecompressor(format=lzma.FORMAT_AUTO).decompress(data)


def _gzip(data: bytes) -> bytes:
    return zlib.decompressobj(wbits=31).decompress(data)


UNPACKERS: list[tuple[bytes, str, Callable[[bytes], bytes]]] = [
    (b"\xfd7zXZ\x00", "xz", _lzma),
    (b"\x28\xb5\x2f\xfd", "zstd", _tool("zstd", "-dcq")),
    (b"\x1f\x8b\x08", "gzip", _gzip),
    (b"BZh", "bzip2", lambda data: bz2.BZ2Decompressor().decompress(data)),
    (b"\x5d\x00\x00", "lzma", _lzma),
    (b"\x02\x21\x4c\x18", "lz4", _tool("lz4", "-dcq")),
    (b"\x89LZO", "lzo", _tool("lzop", "-dcq")),
]


def is_bzimage(data: bytes) -> bool:
    return data[MAGIC : MAGIC + 4] == HEADER_MAGIC


def payload(data: bytes, name: str) -> bytes:
    """The compressed kernel of a bzImage."""
    if len(data) < HEADER_END or not is_bzimage(data):
        raise UsageError(f"{name}: not a Linux bzImage: no 'HdrS' at offset 0x202")
    (version,) = struct.unpack_from("<H", data, VERSION)
    if version < VERSION_WITH_PAYLOAD:
        raise UsageError(f"{name}: boot protocol {version >> 8}.{version & 255}, 2.8 or later is needed to find the ELF")
    setup = data[SETUP_SECTS] or 4
    offset, length = struct.unpack_from("<II", data, PAYLOAD_OFFSET)
    start = (setup + 1) * SECTOR + offset
    if length == 0 or start + length > len(data):
        raise UsageError(
            f"{name}: the header puts the payload at {start:#x} with {length:#x} bytes, the file has {len(data):#x}"
        )
    return data[start : start + length]


def vmlinux(data: bytes, name: str) -> bytes:
    """The ELF kernel of a bzImage."""
    packed = payload(data, name)
    for magic, how, unpack in UNPACKERS:
        if not packed.startswith(magic):
            continue
        try:
            elf = unpack(packed)
        except (lzma.LZMAError, OSError, EOFError, ValueError, zlib.error) as e:
            raise UsageError(f"{name}: the {how} payload does not unpack: {e}") from e
        # The last word of the payload is the unpacked size, modulo 4 GB: gzip's own, or put there by
        # the kernel's build. It is what tells a truncated payload, which some unpackers accept.
        (expected,) = struct.unpack("<I", packed[-4:])
        if elf and len(elf) & 0xFFFFFFFF != expected:
            raise UsageError(
                f"{name}: the {how} payload unpacks to {len(elf)} bytes and should to {expected}: truncated or corrupt"
            )
        if not elf.startswith(ELF_MAGIC):
            raise UsageError(f"{name}: the {how} payload unpacks to something that is no ELF file")
        return elf
    raise UsageError(f"{name}: payload of an unknown compression, its first bytes are {packed[:4].hex()}")


def cached_vmlinux(kernel: Path, cache: Path) -> Path:
    """The ELF of a bzImage file, kept in the cache under the hash of the bzImage."""
    data = kernel.read_bytes()
    if data.startswith(ELF_MAGIC):
        return kernel
    path = cache / "vmlinux" / (hashlib.sha256(data).hexdigest()[:16] + ".elf")
    if not path.exists():
        elf = vmlinux(data, str(kernel))
        path.parent.mkdir(parents=True, exist_ok=True)
        tmp = path.with_suffix(f".{os.getpid()}")
        tmp.write_bytes(elf)
        tmp.rename(path)
    return path
