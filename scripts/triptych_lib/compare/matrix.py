# SPDX-License-Identifier: BSD-2-Clause
"""What is measured: workloads x modes x repetitions, and which pairs make no sense, with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import vmconfig
from ..paths import BENCH, COUNTING, HYPERVISOR, NANO
from ..ui import UsageError, nearest
from ..vmconfig import Vm

NATIVE = "native"
# All kernels with the same timers (natively they would measure the frequency against emulated timers, and be off), and
# programs at the same places.
REPEATABLE = "tsc_early_khz=100000 norandmaps"
RTC_START = 1_700_000_000  # what the emulated machine's clock says at its start


@dataclass(frozen=True)
class Mode:
    """How guest memory is translated. `settings` are keys of a VM file."""

    name: str
    about: str
    settings: dict[str, Any] = field(default_factory=dict, hash=False)

    @property
    def native(self) -> bool:
        return self.name == NATIVE


def _oos_without(*paths: str) -> dict[str, Any]:
    return {"mmu": "shadow", "shadow": "oos", **{f"shadow_{p}": False for p in paths}}


MODES = (
    Mode(NATIVE, "no hypervisor: the same kernel on the same machine"),
    Mode("hw", "EPT: the processor walks a second level of tables", {"mmu": "ept"}),
    Mode("pure-oos", "shadow page tables; busy leaf tables go out of sync", {"mmu": "shadow", "shadow": "oos"}),
    Mode("pure-sync", "shadow page tables; every write to a table is followed", {"mmu": "shadow", "shadow": "sync"}),
    Mode("pure-vtlb", "shadow page tables as a TLB that is filled by faults", {"mmu": "shadow", "shadow": "vtlb"}),
    Mode("pure-oos-nofilter", "pure-oos; the guest's own faults exit too", _oos_without("filter")),
    Mode("pure-oos-noinstall", "pure-oos; a write to a table fills nothing in", _oos_without("install")),
    Mode("pure-oos-noprefetch", "pure-oos; one entry is filled in at a time", _oos_without("prefetch")),
    Mode("pure-oos-notargets", "pure-oos; every CR3 load exits", _oos_without("targets")),
    Mode("pure-oos-bare", "pure-oos; none of these fast paths", _oos_without("filter", "install", "prefetch", "targets")),
    Mode("para", "the guest's own tables, validated", {"mmu": "direct"}),
)  # fmt: skip
MODE_NAMES = tuple(m.name for m in MODES)
MAIN_MODES = ("native", "hw", "pure-oos", "pure-sync", "pure-vtlb", "para")


@dataclass(frozen=True)
class Workload:
    """A guest. `vm` are keys of a VM file; `weight` is its share of the time natively, for the order of runs."""

    name: str
    about: str
    vm: dict[str, Any] = field(hash=False)
    weight: float = 1.0
    modes: tuple[str, ...] = MODE_NAMES  # of a full set
    quick: tuple[str, ...] = ()  # modes of a quick set
    prints: bool = True  # lines of results; else only its accounts count
    traced: bool = False  # each exit is recorded, and its VMREADs and VMWRITEs are counted
    absent: dict[str, str] = field(default_factory=dict, hash=False)  # mode: why there is no such cell
    repeatable: str = ""  # on its command line under Bochs only
    words: str = ""  # for the program in it
    mode_words: dict[str, str] = field(default_factory=dict, hash=False)  # instead of these, in a mode
    notes: dict[str, str] = field(default_factory=dict, hash=False)  # mode: what is different there

    def command_line(self, mode: str, engine: str) -> str:
        words = self.mode_words.get(mode, self.words)
        parts = [str(self.vm.get("append", "")), self.repeatable if engine == "bochs" else "", words]
        return " ".join(p for p in parts if p)

    def note(self, mode: str) -> str:
        """What makes its figures in a mode differ from those beside them; "" for nothing."""
        return self.notes.get(mode, TRACED if self.traced else "")

    @property
    def hypervisor(self) -> Path:
        return COUNTING if self.traced else HYPERVISOR


def _linux(kernel: str, run: str = "loglevel=0 rdinit=/bin/bench") -> dict[str, Any]:
    return {"kernel": kernel, "append": f"console=ttyS0 {run}", "mem": "256M", "counters": True}


def _disk(kernel: str, io: str = "virtio") -> dict[str, Any]:
    return _linux(kernel, "loglevel=0 triptych.run=/bin/iobench") | {"io": io, "disk": ["blank:8M"]}


NO_SUCH_DISK = "natively there is no such disk"
FEWER = "at most 3 batches of an operation instead of 40: it is a hundred times slower here"
NO_ACCOUNTS = "natively nobody keeps accounts"
TRACE_KEPT = 16  # exits in the ring; what matters here is that all are counted by place
TRACED = "each exit is recorded, and its VMREADs and VMWRITEs are counted, which takes ticks: those of the account trace, and more"
WORKLOADS = (
    Workload("nano", "single operations of the processor, with no operating system around them",
             {"kernel": str(NANO), "boot": "multiboot", "initrd": "", "mem": "256M", "counters": True, "kvmclock": True},
             0.3, quick=MAIN_MODES),
    Workload("linux", "what Debian's cloud kernel does for programs", _linux("debian:cloud-amd64"), 1.0,
             quick=("native", "hw", "pure-oos"), repeatable=REPEATABLE,
             mode_words={"pure-vtlb": "-- --batches=3 --budget=1"}, notes={"pure-vtlb": FEWER}),
    Workload("linux-amd64", "the same programs on Debian's standard kernel", _linux("debian:amd64"), 3.0,
             modes=("native", "hw", "pure-oos", "pure-sync"), repeatable=REPEATABLE,
             mode_words={"pure-vtlb": "-- --batches=3 --budget=1"}, notes={"pure-vtlb": FEWER}),
    Workload("linux-nopti", "a system call of the cloud kernel without page-table isolation",
             _linux("debian:cloud-amd64", "loglevel=0 rdinit=/bin/bench pti=off"), 0.5, modes=("native", "pure-oos"),
             repeatable=REPEATABLE, words="-- getppid"),
    Workload("boot", "Debian's cloud kernel from its first instruction to its init and power-off",
             _linux("debian:cloud-amd64", "triptych.run=/bin/true"), 0.7, modes=("native", "hw", "pure-oos"),
             prints=False, traced=True, absent={NATIVE: NO_ACCOUNTS}),
    Workload("disk", "requests to a disk past all caches: virtio, on memory of the hypervisor's", _disk("debian:cloud-amd64"),
             0.7, modes=("native", "hw", "pure-oos"), repeatable=REPEATABLE, absent={NATIVE: NO_SUCH_DISK}),
    Workload("disk-ide", "the same requests and the same memory behind an emulated IDE disk",
             _disk("debian:amd64", "emulated"), 2.5, modes=("native", "hw"), repeatable=REPEATABLE,
             absent={NATIVE: NO_SUCH_DISK}),
)  # fmt: skip
WORKLOAD_NAMES = tuple(w.name for w in WORKLOADS)


@dataclass(frozen=True)
class Cell:
    """One run. `why` is set where there is nothing to run, and says why."""

    workload: Workload
    mode: Mode
    repetition: int
    why: str = ""

    @property
    def name(self) -> str:
        return f"{self.workload.name}.{self.mode.name}.{self.repetition}"


def pick(option: str, wanted: Sequence[str], known: Sequence[str]) -> list[str]:
    for name in wanted:
        if name not in known:
            raise UsageError(f"{option}: {name!r} is none of {', '.join(known)}{nearest(name, known)}")
    return [name for name in known if name in wanted]


def modes_of(text: str | None) -> list[str] | None:
    """What --modes says, in our order; `pure` stands for its three strategies, `all` for everything."""
    if text is None:
        return None
    wanted: list[str] = []
    for name in (n.strip() for n in text.split(",")):
        if name == "all":
            wanted += MODE_NAMES
        elif name == "pure":
            wanted += [n for n in MAIN_MODES if n.startswith("pure-")]
        else:
            wanted.append(name)
    return pick("--modes", wanted, MODE_NAMES)


def cells(workloads: list[str] | None, modes: list[str] | None, quick: bool, repetitions: int) -> list[Cell]:
    """The cells in the order of the tables. Modes that were named are run wherever that is possible."""
    result = []
    for w in (w for w in WORKLOADS if workloads is None or w.name in workloads):
        default = w.quick if quick and (w.quick or workloads is None) else w.modes
        chosen = set(default if modes is None else modes)
        if not chosen or (quick and workloads is None and not w.quick):
            continue
        for m in MODES:
            if m.name in chosen:
                why = w.absent.get(m.name, "")
                result += [Cell(w, m, r, why) for r in range(1, 2 if why else repetitions + 1)]
    return result


def vm_of(cell: Cell, engine: str) -> tuple[dict[str, Any], Vm]:
    """The keys of the VM file, and the VM that they describe (a mistake in the tables above is a UsageError)."""
    line = cell.workload.command_line(cell.mode.name, engine)
    keys = {"name": cell.workload.name.split("-")[0], **cell.workload.vm, **cell.mode.settings, "append": line}
    return keys, vmconfig.from_mapping(keys, f"workload {cell.workload.name}: ")


def toml(keys: dict[str, Any]) -> str:
    """A VM file with these keys: strings, booleans, numbers, and lists of them."""

    def value(v: Any) -> str:
        if isinstance(v, bool):
            return "true" if v else "false"
        if isinstance(v, int):
            return str(v)
        if isinstance(v, list):
            return f"[{', '.join(map(value, v))}]"
        return '"' + str(v).replace("\\", "\\\\").replace('"', '\\"') + '"'

    return "".join(f"{k} = {value(v)}\n" for k, v in keys.items())


def missing_file(workload: Workload) -> str:
    """What must be built before the workload can run, or nothing."""
    kernel = str(workload.vm["kernel"])
    guest = BENCH if kernel.startswith("debian:") else Path(kernel)
    for need, how in ((guest, "make"), (workload.hypervisor, "make counting" if workload.traced else "make")):
        if not need.exists():
            return f"{need} is not there: run '{how}'"
    return ""
