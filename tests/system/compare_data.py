# SPDX-License-Identifier: BSD-2-Clause
"""Records such as `triptych compare` writes, made up: for tests that need no emulator."""

from __future__ import annotations

import sys
from typing import Any

from conftest import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

from triptych_lib.compare import facts, store  # noqa: E402

Record = dict[str, Any]
TICKS = {"native": 1.0, "hw": 1.05, "pure-oos": 2.5, "pure-sync": 3.0, "pure-vtlb": 80.0, "pure-oos-bare": 6.0}
NO_PARA = "VM nano: mmu=direct is not to be had: this version has no direct paging; mmu=auto takes what there is"
ODD_NAME = 'mmap-mmm-munmap <name> & "quotes"'


def operation(name: str, ticks: float, **more: Any) -> Record:
    return {"name": name, "operations": 100, "minimum": ticks, "median": ticks, "maximum": ticks * 2, "mean": ticks, **more}


def stats(mode: str, scale: int = 1) -> list[Record]:
    """Accounts that add up but for 17 ticks."""
    if mode == "native":
        return []
    exits = {"memory": (40 * scale, 52_000 * scale), "cpuid": (1000, 98_000), "io": (17, 5_100)}
    rows: list[Record] = [{"vm": "g", "vcpu": 0, "exit": k, "count": n, "ticks": t} for k, (n, t) in exits.items()]
    handled = sum(t for _, t in exits.values())
    rows.append({"vm": "g", "vcpu": 0, "exits": 1, "guest_ticks": 700_000, "hv_ticks": handled, "idle_ticks": 300})
    cpu = {"boot_ticks": 900, "hypervisor_ticks": 2_000, "backend_ticks": 0, "cpu_idle_ticks": 300}
    rows.append({"ledger": 0, **cpu, "elapsed_ticks": 700_000 + handled + sum(cpu.values()) + 17,
                 "guest_sum": 700_000, "exit_sum": handled})
    return rows


def traced(mode: str) -> Record:
    """A boot each exit of which was recorded, with VMREADs and VMWRITEs by reason."""
    rows = stats(mode)
    for row in rows:
        if "exit" in row:
            row |= {"vmreads": row["count"] * 3, "vmwrites": row["count"]}
    rows.append({"vm": "g", "rip": "0xffffffff81000010", "reason": "CPUID", "times": 600, "spent": 58_800, "symbol": "native_cpuid+0x2"})
    rows.append({"vm": "g", "rip": "0x401000", "reason": "EPT violation", "times": 40, "spent": 52_000})
    rows.append({"vm": "g", "rip": "0xffffffff81000020", "reason": "CPUID", "times": 400, "spent": 39_200, "symbol": "<odd>+0x2"})
    return record("boot", mode, operations=[], stats=rows, traced=True, images={"kernel": "aa", "hypervisor": "cc"})


def operations(mode: str) -> list[Record]:
    by = TICKS[mode]
    exits = {} if mode in ("native", "hw") else {"memory": 1.5}
    counted = {} if mode == "native" else {"exits": exits}
    found = [operation("cpuid", 10 if mode == "native" else 98, **({} if mode == "native" else {"exits": {"cpuid": 1.0}}))]
    found += [operation("getppid", 355.02, **counted), operation(ODD_NAME, 1234.5 * by, **counted)]
    found += [operation(f"fork-{n}", (1000 + 50 * n) * by, pages=n, **counted) for n in (1, 8, 64, 512)]
    found.append({"name": "walk-1g", "error": "no 1 GB pages"})
    return found


def record(workload: str, mode: str, repetition: int = 1, engine: str = "bochs", **more: Any) -> Record:
    made = {
        "format": store.FORMAT, "key": f"{workload}.{mode}.{repetition}", "workload": workload, "mode": mode,
        "repetition": repetition, "status": "ok", "why": "", "unit": facts.UNITS[engine], "operations": operations(mode),
        "date": "2026-11-21T11:00:00+00:00", "commit": "f2ed3ae", "tree_clean": True,
        "host": {"cpu": "Some CPU", "cpus": 2, "kernel": "6.1.0", "mitigations": {"meltdown": "Not affected", "mds": "Mitigation: X"}},
        "engine": engine, "engine_version": "2.7", "cpu_model": "corei7_skylake_x", "kernel": "6.1.0-56-cloud-amd64",
        "vm": {"name": "g", "append": "console=ttyS0 nokaslr"}, "images": {"kernel": "aa", "hypervisor": "" if mode == "native" else "bb"},
        "command": f"scripts/triptych run --vm build/compare/cells/{workload}.{mode}.{repetition}.toml",
        "mitigations": {"meltdown": "Mitigation: PTI"}, "note": "", "ticks": 1_000_000, "seconds": 4.2, "stats": stats(mode),
    }  # fmt: skip
    return {**made, **more}


def cannot(workload: str, mode: str, why: str = NO_PARA) -> Record:
    made = record(workload, "native", key=f"{workload}.{mode}", status="cannot", why=why, operations=[], stats=[])
    return {**made, "mode": mode}


def full(engine: str = "bochs") -> list[Record]:
    """Two workloads, in most modes, twice; one mode that there is not and one that failed; a boot that was traced."""
    found = [record(w, m, r, engine) for w in ("nano", "linux") for m in TICKS for r in (1, 2)]
    found += [cannot(w, "para") for w in ("nano", "linux")]
    found += [traced(mode) for mode in ("hw", "pure-oos")]
    for r in found:
        if r["workload"] == "linux" and r["mode"] == "pure-sync" and r["repetition"] == 2:
            r |= {"status": "failed", "why": "timed out", "operations": []}
    return found
