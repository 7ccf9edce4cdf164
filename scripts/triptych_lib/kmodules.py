# SPDX-License-Identifier: BSD-2-Clause
"""Kernel modules for an initramfs: those wanted and what they depend on, with the lists that modprobe reads.

A module says in its section .modinfo, as strings "key=value", what it depends on and which devices it drives.
"""

from __future__ import annotations

import lzma
import re
from dataclasses import dataclass
from pathlib import Path

from . import cpio
from .ui import UsageError

SUFFIX = re.compile(r"\.ko(\.xz)?$")

@dataclass(frozen=True)
class Module:
    name: str  # with '_' throughout, as the kernel has it
    path: str  # below lib/modules/RELEASE
    data: bytes
    depends: tuple[str, ...]
    aliases: tuple[str, ...]

def _info(data: bytes, key: bytes) -> list[str]:
    return [m.decode() for m in re.findall(rb"\0" + key + rb"=([\x20-\x7e]*)(?=\0)", data)]

def read(path: Path, base: Path) -> Module:
    data = path.read_bytes()
    if path.suffix == ".xz":
        data = lzma.decompress(data)
    depends = [d.replace("-", "_") for line in _info(data, b"depends") for d in line.split(",") if d]
    place = SUFFIX.sub(".ko", str(path.relative_to(base)))
    return Module(
        SUFFIX.sub("", path.name).replace("-", "_"), place, data, tuple(depends), tuple(_info(data, b"alias"))
    )

def closure(wanted: list[str], there: dict[str, Module]) -> list[Module]:
    """The wanted modules that exist (others are built into the kernel) after what they depend on."""
    result: dict[str, Module] = {}

    def add(name: str, why: str) -> None:
        if name in result:
            return
        if name not in there:
            raise UsageError(f"kernel module {why} depends on {name}, which is not in the package")
        for d in there[name].depends:
            add(d, name)
        result[name] = there[name]

    for name in wanted:
        if name in there:
            add(name, name)
    return list(result.values())

def entries(release: Path, wanted: list[str]) -> list[cpio.Entry]:
    """lib/modules/RELEASE in an initramfs: modules, modules.dep, modules.alias."""
    there = {m.name: m for m in (read(p, release) for p in sorted(release.rglob("*.ko*")))}
    chosen = closure(wanted, there)

    def needs(m: Module) -> list[str]:
        """Paths of all that m needs, the first to be loaded last, as modprobe expects it."""
        return [d.path for d in reversed(closure(list(m.depends), there))]

    dep = "".join(f"{m.path}: {' '.join(needs(m))}".rstrip() + "\n" for m in chosen)
    alias = "".join(f"alias {a} {m.name}\n" for m in chosen for a in m.aliases)
    base = f"lib/modules/{release.name}"
    folders = sorted({str(p) for m in chosen for p in Path(f"{base}/{m.path}").parents if str(p) not in (".", "lib")})
    result = [cpio.directory(f) for f in folders]
    result += [cpio.regular(f"{base}/{m.path}", m.data) for m in chosen]
    result += [
        cpio.regular(f"{base}/modules.dep", dep.encode()),
        cpio.regular(f"{base}/modules.alias", alias.encode()),
    ]
    return result
