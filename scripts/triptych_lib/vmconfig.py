# SPDX-License-Identifier: BSD-2-Clause
"""A VM's description: from a TOML file or from options, checked here, written out for the hypervisor.

The keys are those of hv/vm/manifest.h; `kernel`, `initrd` and `modules` name files of the host here
and boot modules there.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from . import images
from .ui import UsageError, nearest

NAME_MAX = 31
CMDLINE_MAX = 2047
MODULES_MAX = 32
MODULE_ARGS_MAX = 255
VCPUS_MAX = 16
MEM_MIN = 4 << 20
MEM_STEP = 2 << 20
MEM_MAX = 512 << 30
BOOTS = ("auto", "linux64", "pvh", "multiboot", "elf")
MMUS = ("auto", "ept", "shadow", "direct")
SHADOWS = ("oos", "sync", "vtlb")
SHADOW_PAGES = range(32, (1 << 20) + 1)
SHADOW_AUDIT_MAX = 1_000_000  # one of so many flushes
WEIGHTS = range(1, 10001)
CAPS = range(0, 1601)  # percent of a CPU, of all vcpus together
PINS = range(0, 64)
REPEATS = range(1, 1000001)
IOS = ("virtio", "emulated")
RINGS = ("packed", "split")
TIMES = ("real", "virtual")
VIRTIOS = ("pci", "mmio")
CONSOLES = ("uart", "virtio")
NETS = ("none", "switch", "uplink")
DISKS_MAX = 8
BALLOON_STEPS_MAX = 8
PAGE = 4096
BLANK = "blank:"
IMAGE = "image:"
DISK_NUMBER_MAX = 99
PARTITION = re.compile(r"part:[A-Za-z0-9_.-]{1,36}")
UUID = re.compile(r"uuid:[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
MODES = {"hw": ("ept", "virtio"), "pure": ("shadow", "emulated"), "para": ("direct", "virtio")}
DEFAULT_APPEND = "console=ttyS0"
SUFFIXES = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


@dataclass(frozen=True)
class ModuleFile:
    file: str
    args: str = ""


@dataclass(frozen=True)
class Disk:
    """One of: a file, whose contents the guest may change in memory only; zeros of a size; a file that becomes
    a physical disk of the emulated machine, and keeps what is written; a disk or partition that the machine has."""

    file: str = ""
    blank: int = 0
    image: str = ""
    physical: str = ""  # part:NAME, uuid:UUID or disk:NUMBER
    readonly: bool = False


@dataclass
class Vm:
    name: str = "linux"
    boot: str = "auto"
    kernel: str = images.DEFAULT_KERNEL
    initrd: str | None = None  # None: ours with a Debian kernel, none otherwise; "": none
    modules: list[ModuleFile] = field(default_factory=list)
    append: str | None = None
    mem: int = 256 << 20
    vcpus: int = 1
    mmu: str = "auto"
    shadow: str = "oos"
    shadow_pages: int = 0
    shadow_filter: bool = True
    shadow_prefetch: bool = True
    shadow_install: bool = True
    shadow_targets: bool = True
    shadow_audit: bool | int = False
    io: str = "virtio"
    disk: list[Disk] = field(default_factory=list)
    rng: bool = False
    console: str = "uart"
    console_size: str = ""
    net: str = "none"
    balloon: str = ""
    virtio: str = "pci"
    rings: str = "packed"
    testdev: bool = False
    debugexit: bool = False
    kvmclock: bool = False
    time: str = "real"
    ple: bool = True
    counters: bool = False
    weight: int = 100
    cap: int = 0
    pin: int | None = None
    repeat: int = 1
    reboot: bool = True

    @property
    def stock(self) -> bool:
        return self.kernel.startswith("debian:")

    @property
    def devices(self) -> bool:
        """Has it any that need drivers beyond those of the platform?"""
        return bool(self.disk or self.rng or self.console == "virtio" or self.net != "none" or self.balloon)

    @property
    def command_line(self) -> str:
        if self.append is not None:
            return self.append
        if not self.stock:
            return ""
        return DEFAULT_APPEND + (" triptych.net=dhcp" if self.net == "uplink" else "")


def parse_size(text: str) -> int:
    """'256M' in bytes; ValueError says what would be valid."""
    found = re.fullmatch(r"(\d+)([KMG])", text.strip().upper())
    if not found:
        raise ValueError("a number with K, M or G is expected, such as 256M")
    return int(found.group(1)) * SUFFIXES[found.group(2)]


def format_size(size: int) -> str:
    for suffix in ("G", "M", "K"):
        if size % SUFFIXES[suffix] == 0:
            return f"{size // SUFFIXES[suffix]}{suffix}"
    raise ValueError(f"{size} is not a multiple of 1K")


def _mem(value: Any) -> int:
    if not isinstance(value, str):
        raise ValueError('a string such as "256M" is expected')
    size = parse_size(value)
    if size < MEM_MIN or size > MEM_MAX or size % MEM_STEP:
        raise ValueError("a multiple of 2M from 4M to 512G is expected")
    return size


def _name(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(rf"[A-Za-z0-9_.-]{{1,{NAME_MAX}}}", value):
        raise ValueError(f"1 to {NAME_MAX} characters of A-Z a-z 0-9 _ . - are expected")
    return value


def _choice(*known: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if value not in known:
            raise ValueError(f"one of {', '.join(known)} is expected{nearest(str(value), known)}")
        return str(value)

    return check


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("a string is expected")
    return value


def _line(limit: int) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        text = _string(value)
        if any(ord(c) < 0x20 or ord(c) == 0x7F for c in text):
            raise ValueError("one line without control characters is expected")
        if len(text.encode()) > limit:
            raise ValueError(f"at most {limit} characters are possible, these are {len(text.encode())}")
        return text

    return check


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false is expected")
    return value


def _vcpus(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= VCPUS_MAX:
        raise ValueError(f"a number from 1 to {VCPUS_MAX} is expected")
    return value


def _whole(known: range) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value not in known:
            raise ValueError(f"a number from {known.start} to {known.stop - 1} is expected")
        return value

    return check


def _pin(value: Any) -> int | None:
    return None if value == "any" else _whole(PINS)(value)


def _shadow_pages(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or (value and value not in SHADOW_PAGES):
        raise ValueError(f"0, or a number from {SHADOW_PAGES.start} to {SHADOW_PAGES.stop - 1} is expected")
    return value


def _shadow_audit(value: Any) -> bool | int:
    if not isinstance(value, int) or not 0 <= value <= SHADOW_AUDIT_MAX:
        raise ValueError(f"true, false, or a number up to {SHADOW_AUDIT_MAX} is expected")
    return value if isinstance(value, bool) or value else False


def _modules(value: Any) -> list[ModuleFile]:
    if not isinstance(value, list) or len(value) > MODULES_MAX:
        raise ValueError(f"a list of at most {MODULES_MAX} files is expected")
    result = []
    for item in value:
        if isinstance(item, str):
            item = {"file": item}
        if not isinstance(item, dict) or not set(item) <= {"file", "args"} or "file" not in item:
            raise ValueError('each is a file name or { file = "...", args = "..." }')
        result.append(ModuleFile(_string(item["file"]), _line(MODULE_ARGS_MAX)(item.get("args", ""))))
    return result


def parse_disk(text: str) -> dict[str, Any]:
    """What a disk is, as a mapping, from the short form FILE, blank:SIZE, image:FILE, part:NAME, uuid:UUID, disk:N."""
    if text.startswith(BLANK):
        return {"blank": text.removeprefix(BLANK)}
    if text.startswith(IMAGE):
        return {"image": text.removeprefix(IMAGE)}
    if text.startswith(("part:", "uuid:", "disk:")):
        return {"physical": text}
    return {"file": text}


def _physical(text: str) -> str:
    number = re.fullmatch(r"disk:(\d+)", text)
    if not (PARTITION.fullmatch(text) or UUID.fullmatch(text) or (number and int(number.group(1)) <= DISK_NUMBER_MAX)):
        raise ValueError("part:NAME (1 to 36 characters of A-Z a-z 0-9 _ . -), uuid:UUID or disk:NUMBER is expected")
    return text


def _disk(item: Any) -> Disk:
    if isinstance(item, str):
        item = parse_disk(item)
    kinds = {"file", "blank", "image", "physical"}
    if not isinstance(item, dict) or not set(item) <= kinds | {"readonly"} or len(kinds & set(item)) != 1:
        raise ValueError(
            'each is a file name, "blank:64M", "image:FILE", "part:NAME", "uuid:UUID", "disk:0", '
            'or { file, blank, image or physical = "...", readonly = true }'
        )
    readonly = _bool(item.get("readonly", False))
    if "file" in item:
        return Disk(file=_string(item["file"]), readonly=readonly)
    if "image" in item:
        return Disk(image=_string(item["image"]), readonly=readonly)
    if "physical" in item:
        return Disk(physical=_physical(_string(item["physical"])), readonly=readonly)
    size = parse_size(_string(item["blank"]))
    if not 0 < size <= MEM_MAX:
        raise ValueError("a blank disk has 1K to 512G")
    return Disk(blank=size, readonly=readonly)


def _disks(value: Any) -> list[Disk]:
    if not isinstance(value, list) or len(value) > DISKS_MAX:
        raise ValueError(f"a list of at most {DISKS_MAX} disks is expected")
    return [_disk(item) for item in value]


def _console_size(value: Any) -> str:
    found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", _string(value))
    if not found or not all(0 < int(n) < 1 << 16 for n in found.groups()):
        raise ValueError('columns and rows such as "80x24" are expected')
    return found.group()


def _balloon(value: Any) -> str:
    """Steps SIZE@SECONDS, or a size alone; spelled as the hypervisor reads them."""
    steps = []
    last = 0
    for step in _string(value).split():
        found = re.fullmatch(r"(0|\d+[KMG])(?:@(\d{1,6}))?", step.upper())
        if not found:
            raise ValueError('steps such as "128M@5 0@20" are expected: sizes, and the seconds from which on they hold')
        size = parse_size(found.group(1)) if found.group(1) != "0" else 0
        seconds = int(found.group(2) or 0)
        if size % PAGE or size > MEM_MAX or seconds < last:
            raise ValueError("multiples of 4K, in the order of their seconds, are expected")
        last = seconds
        steps.append(f"{found.group(1)}@{seconds}")
    if not 0 < len(steps) <= BALLOON_STEPS_MAX:
        raise ValueError(f"1 to {BALLOON_STEPS_MAX} steps are expected")
    return " ".join(steps)


KEYS: dict[str, Callable[[Any], Any]] = {
    "name": _name,
    "boot": _choice(*BOOTS),
    "kernel": _string,
    "initrd": _string,
    "modules": _modules,
    "append": _line(CMDLINE_MAX),
    "mem": _mem,
    "vcpus": _vcpus,
    "mmu": _choice(*MMUS),
    "shadow": _choice(*SHADOWS),
    "shadow_pages": _shadow_pages,
    "shadow_filter": _bool,
    "shadow_prefetch": _bool,
    "shadow_install": _bool,
    "shadow_targets": _bool,
    "shadow_audit": _shadow_audit,
    "io": _choice(*IOS),
    "disk": _disks,
    "rng": _bool,
    "console": _choice(*CONSOLES),
    "console_size": _console_size,
    "net": _choice(*NETS),
    "balloon": _balloon,
    "virtio": _choice(*VIRTIOS),
    "rings": _choice(*RINGS),
    "testdev": _bool,
    "debugexit": _bool,
    "kvmclock": _bool,
    "time": _choice(*TIMES),
    "ple": _bool,
    "counters": _bool,
    "weight": _whole(WEIGHTS),
    "cap": _whole(CAPS),
    "pin": _pin,
    "repeat": _whole(REPEATS),
    "reboot": _bool,
}


def from_mapping(values: dict[str, Any], where: str, spell: Callable[[str], str] = str) -> Vm:
    """A VM from key and value pairs. `where` and `spell` make the errors name the file and key, or the option."""
    values = dict(values)
    mode = values.pop("mode", None)
    settings: dict[str, Any] = {}
    if mode is not None:
        try:
            settings["mmu"], settings["io"] = MODES[_choice(*MODES)(mode)]
        except ValueError as e:
            raise UsageError(f"{where}{spell('mode')}: {e}") from e
    for key, value in values.items():
        if key not in KEYS:
            known = [*KEYS, "mode"]
            raise UsageError(f"{where}{key}: no such key{nearest(key, known)}; valid keys are {', '.join(known)}")
        try:
            settings[key] = KEYS[key](value)
        except ValueError as e:
            raise UsageError(f"{where}{spell(key)}: {e}") from e
    return Vm(**settings)


def from_toml(path: Path) -> Vm:
    """A VM file. File names in it are relative to where it stands."""
    try:
        values = tomllib.loads(path.read_text())
    except OSError as e:
        raise UsageError(f"{path}: {e.strerror}") from e
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise UsageError(f"{path}: not TOML: {e}") from e
    vm = from_mapping({"name": re.sub(r"[^A-Za-z0-9_.-]", "-", path.stem)[:NAME_MAX], **values}, f"{path}: ")

    def beside(name: str) -> str:
        return name if not name or name.startswith("debian:") else str(path.parent / name)

    vm.kernel = beside(vm.kernel)
    vm.initrd = beside(vm.initrd) if vm.initrd is not None else None
    vm.modules = [ModuleFile(beside(m.file), m.args) for m in vm.modules]
    vm.disk = [replace(d, file=beside(d.file), image=beside(d.image)) for d in vm.disk]
    return vm


def _disk_source(disk: Disk, vm: int, number: int) -> str:
    if disk.blank:
        return BLANK + format_size(disk.blank)
    return disk.physical or f"vm{vm}.disk{number}"


def manifest(vm: Vm, index: int, has_initrd: bool) -> str:
    """The text module that hv/vm/manifest.h describes. Image disks must have become physical ones: see hostdisk.py."""

    def yes(value: bool) -> str:
        return "yes" if value else "no"

    lines = [f"name={vm.name}", f"boot={vm.boot}", f"kernel=vm{index}.kernel"]
    if has_initrd:
        lines.append(f"initrd=vm{index}.initrd")
    lines += [f"module=vm{index}.mod{n} {m.args}".rstrip() for n, m in enumerate(vm.modules)]
    lines += [f"disk={_disk_source(d, index, n)}" + (" ro" if d.readonly else "") for n, d in enumerate(vm.disk)]
    if vm.console_size:
        lines.append(f"console_size={vm.console_size}")
    if vm.balloon:
        lines.append(f"balloon={vm.balloon}")
    lines += [
        f"append={vm.command_line}",
        f"mem={format_size(vm.mem)}",
        f"vcpus={vm.vcpus}",
        f"mmu={vm.mmu}",
        f"shadow={vm.shadow}",
        f"shadow_pages={vm.shadow_pages}",
        f"shadow_filter={yes(vm.shadow_filter)}",
        f"shadow_prefetch={yes(vm.shadow_prefetch)}",
        f"shadow_install={yes(vm.shadow_install)}",
        f"shadow_targets={yes(vm.shadow_targets)}",
        f"shadow_audit={yes(vm.shadow_audit) if isinstance(vm.shadow_audit, bool) else vm.shadow_audit}",
        f"io={vm.io}",
        f"rng={yes(vm.rng)}",
        f"console={vm.console}",
        f"net={vm.net}",
        f"virtio={vm.virtio}",
        f"rings={vm.rings}",
        f"testdev={yes(vm.testdev)}",
        f"debugexit={yes(vm.debugexit)}",
        f"kvmclock={yes(vm.kvmclock)}",
        f"time={vm.time}",
        f"ple={yes(vm.ple)}",
        f"counters={yes(vm.counters)}",
        f"weight={vm.weight}",
        f"cap={vm.cap}",
        f"pin={'any' if vm.pin is None else vm.pin}",
        f"repeat={vm.repeat}",
        f"reboot={yes(vm.reboot)}",
    ]
    return "\n".join(lines) + "\n"
