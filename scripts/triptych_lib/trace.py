# SPDX-License-Identifier: BSD-2-Clause
"""What `--trace` shows at the end of a run: the last exits of each vcpu, and where most exits came from."""

from __future__ import annotations

import re
from typing import Any

from . import bzimage, images, kallsyms
from .protocol import Transcript
from .ui import Progress, UsageError
from .vmconfig import Vm

PLACES_SHOWN = 20
ENTRY = "entry_SYSCALL_64"  # what a Linux kernel's LSTAR names
_LINE = re.compile(r"\btrace: (.*)$")


def last_exits(transcript: Transcript) -> list[str]:
    return [found.group(1) for line in transcript.lines if (found := _LINE.search(line))]


def places(stats: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Instructions of the guest that exited, those with most exits first."""
    return sorted((row for row in stats if "rip" in row), key=lambda row: -int(row["times"]))


def _symbols(vm: Vm, progress: Progress) -> kallsyms.Symbols | None:
    """Those of its kernel, if that is Linux."""
    try:
        return kallsyms.read(bzimage.cached_vmlinux(images.kernel_path(vm.kernel, progress), images.cache_dir()))
    except UsageError:
        return None


def _slide(stats: list[dict[str, Any]], vm: Vm, symbols: kallsyms.Symbols) -> int | None:
    """How far its kernel has moved itself from where it is linked to, by the entry that it gave the processor."""
    linked = symbols.address(ENTRY)
    entries = [int(row["syscall_entry"], 16) for row in stats if "syscall_entry" in row and row["vm"] == vm.name]
    return entries[0] - linked if linked is not None and entries and entries[0] else None


def resolve(stats: list[dict[str, Any]], vms: list[Vm], progress: Progress) -> None:
    """Gives each place in a Linux kernel its "symbol"."""
    for vm in vms:
        rows = [row for row in places(stats) if row["vm"] == vm.name]
        symbols = _symbols(vm, progress) if rows else None
        slide = _slide(stats, vm, symbols) if symbols else None
        if symbols is None or slide is None:
            continue
        for row in rows:
            place = symbols.place(int(row["rip"], 16) - slide)
            if place:
                row["symbol"] = place


def report(transcript: Transcript) -> list[str]:
    lines = last_exits(transcript)
    rows = places(transcript.stats)
    if rows:
        lines.append(f"{'exits':>10} {'ticks':>12}  {'reason':24} guest RIP")
    for row in rows[:PLACES_SHOWN]:
        symbol = f" {row['symbol']}" if "symbol" in row else ""
        lines.append(f"{row['times']:>10} {row['spent']:>12}  {row['reason']:24} {row['rip']}{symbol}")
    return lines
