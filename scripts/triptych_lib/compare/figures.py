# SPDX-License-Identifier: BSD-2-Clause
"""From records to the figures that are shown: medians, spreads, ratios to native, agreement, a model.

The result is plain data (dicts and lists), which the page carries as JSON too. A figure is ticks an operation: the
median over repetitions of the workload's own median. Where a repetition failed there is no figure but a reason.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from typing import Any

from .. import trace
from . import matrix
from .store import CANNOT, FAILED, OK, Record

PLACES = 20  # the instructions of a guest with most exits, of a run that was traced
MODEL_E = (500, 1000, 2000)  # assumed ticks of one exit and entry of a processor
Data = dict[str, Any]


def latest(records: Iterable[Record]) -> list[Record]:
    """Of several measurements of one cell, the last."""
    found: dict[tuple[str, str, int], Record] = {}
    for r in records:
        found[r["workload"], r["mode"], r["repetition"]] = r
    return list(found.values())


def differences(first: Record, other: Record) -> list[str]:
    """Where two runs of one cell do not agree to the tick, in words."""
    said = []
    a, b = ({op["name"]: op for op in r["operations"]} for r in (first, other))
    for name in [*a, *(n for n in b if n not in a)]:
        if name not in a or name not in b:
            said.append(f"{name}: in one run only")
            continue
        for key in sorted(a[name].keys() | b[name].keys()):
            x, y = a[name].get(key), b[name].get(key)
            if x != y:
                said.append(f"{name}, {key}: {x} and {y}")
    if first.get("ticks") != other.get("ticks"):
        said.append(f"the whole run: {first.get('ticks')} and {other.get('ticks')} ticks")
    return said


def _why(runs: list[Record]) -> tuple[str, str]:
    """The status of a cell as a whole, and its reason."""
    bad = [r for r in runs if r["status"] == FAILED]
    if bad:
        return FAILED, f"{len(bad)} of {len(runs)} runs failed: {bad[0]['why']}"
    cannot = [r for r in runs if r["status"] == CANNOT]
    return (CANNOT, str(cannot[0]["why"])) if cannot else (OK, "")


def _exits(ops: list[Data]) -> dict[str, float] | None:
    """Exits an operation by reason, or None where the guest could not see them. The first run's; see `differences`."""
    return {str(k): float(v) for k, v in ops[0]["exits"].items()} if "exits" in ops[0] else None


def operation(name: str, runs: list[Record]) -> Data:
    """One operation in one mode."""
    status, why = _why(runs)
    if status != OK:
        return {"status": status, "why": why}
    ops = [op for r in runs for op in r["operations"] if op["name"] == name]
    errors = [op["error"] for op in ops if "error" in op]
    if errors:
        return {"status": CANNOT, "why": errors[0]}
    if len(ops) < len(runs):
        return {"status": FAILED, "why": f"{len(ops)} of {len(runs)} runs printed it"}
    values = [float(op["median"]) for op in ops]
    ticks = statistics.median(values)
    result: Data = {"status": OK, "ticks": ticks, "spread": max(values) - min(values), "runs": len(values)}
    result |= {"minimum": min(op["minimum"] for op in ops), "maximum": max(op["maximum"] for op in ops)}
    exits = _exits(ops)
    if exits is not None:
        result["exits"] = exits
    return result


def _model(cell: Data, native: bool) -> dict[str, float] | None:
    """Ticks + exits x E: a model of a processor on which an exit is not free."""
    if cell["status"] != OK or ("exits" not in cell and not native):
        return None
    exits = 0.0 if native else sum(cell["exits"].values())
    return {str(e): cell["ticks"] + exits * e for e in MODEL_E}


def _row(name: str, by_mode: dict[str, list[Record]], counted: bool) -> Data:
    cells = {mode: operation(name, runs) for mode, runs in by_mode.items()}
    base = cells.get(matrix.NATIVE, {}).get("ticks")
    for mode, cell in cells.items():
        if base and cell["status"] == OK:
            cell["ratio"] = cell["ticks"] / base
        model = _model(cell, mode == matrix.NATIVE) if counted else None
        if model is not None:
            cell["model"] = model
    return {"name": name, "cells": cells}


def exits_by_reason(record: Record) -> dict[str, dict[str, int]]:
    """Of a whole run, all vCPUs together; with VMREADs and VMWRITEs where they were counted."""
    result: dict[str, dict[str, int]] = {}
    for row in record.get("stats") or []:
        if "exit" in row:
            sums = result.setdefault(str(row["exit"]), {})
            for key in ("count", "ticks", "vmreads", "vmwrites"):
                if key in row:
                    sums[key] = sums.get(key, 0) + int(row[key])
    return result


def places(record: Record) -> list[Data]:
    """The guest's instructions with most exits, of a run that was traced: exits, ticks, reason, symbol or address."""
    rows = trace.places(record.get("stats") or [])[:PLACES]
    return [
        {"place": r.get("symbol", r["rip"]), "reason": r["reason"], "count": int(r["times"]), "ticks": int(r["spent"])}
        for r in rows
    ]


# Accounts of a physical CPU (hv/ctl/ledger.h); what its vCPUs have is told row by row.
CPU_ACCOUNTS = {
    "boot_ticks": "boot",
    "hypervisor_ticks": "between slices",
    "backend_ticks": "back ends",
    "trace_ticks": "trace",
    "cpu_idle_ticks": "idle",
}


def ledger(record: Record) -> Data | None:
    """Every tick of a run in one account: guest, handlers by reason, the rest; and what is in none."""
    rows = record.get("stats") or []
    totals = [row for row in rows if "guest_ticks" in row]
    if not totals:
        return None
    accounts = {"guest": sum(int(r["guest_ticks"]) for r in totals)}
    accounts |= {f"exit: {name}": row["ticks"] for name, row in exits_by_reason(record).items() if row["ticks"]}
    cpus = [row for row in rows if "elapsed_ticks" in row]
    if not cpus:
        accounts["idle"] = sum(int(r["idle_ticks"]) for r in totals)
        return {"accounts": accounts, "total": sum(accounts.values())}
    accounts |= {name: sum(int(r.get(key, 0)) for r in cpus) for key, name in CPU_ACCOUNTS.items()}
    total = sum(int(r["elapsed_ticks"]) for r in cpus)
    return {"accounts": accounts, "residual": total - sum(accounts.values()), "total": total}


def _run(runs: list[Record], repeatable: bool) -> Data:
    status, why = _why(runs)
    first = runs[0]
    result: Data = {"status": status, "why": why, "runs": len(runs), "command": first.get("command", "")}
    result |= {"mitigations": first.get("mitigations", {}), "note": first.get("note", "")}
    if status != OK:
        return result
    result["exits"] = exits_by_reason(first)
    result["places"] = places(first)
    book = ledger(first)
    if book is not None:
        result["ledger"] = book
    if repeatable and len(runs) > 1:
        result["differences"] = [d for other in runs[1:] for d in differences(first, other)]
    return result


def _names(by_mode: dict[str, list[Record]]) -> list[str]:
    """Of all operations that any mode printed, in the order in which they were printed."""
    names: dict[str, None] = {}
    for runs in by_mode.values():
        for r in runs:
            names |= {op["name"]: None for op in r["operations"]}
    return list(names)


def _workload(name: str, records: list[Record]) -> Data:
    by_mode: dict[str, list[Record]] = {}
    for mode in matrix.MODE_NAMES:
        runs = sorted((r for r in records if r["mode"] == mode), key=lambda r: int(r["repetition"]))
        if runs:
            by_mode[mode] = runs
    counted = records[0]["engine"] == "bochs"  # elsewhere ticks are time, and exits are in them
    about = next((w.about for w in matrix.WORKLOADS if w.name == name), "")
    ran = [r for r in records if "command" in r]
    return {
        "name": name,
        "about": about,
        "kernel": ran[0].get("kernel", "") if ran else "",
        "append": ran[0]["vm"].get("append", "") if ran else "",
        "modes": list(by_mode),
        "runs": {mode: _run(runs, counted) for mode, runs in by_mode.items()},
        "operations": [_row(n, by_mode, counted) for n in _names(by_mode)],
    }


def figures(records: list[Record]) -> Data:
    """All that is shown. The records are of one engine: see mixed()."""
    records = latest(records)
    names = [w for w in matrix.WORKLOAD_NAMES if any(r["workload"] == w for r in records)]
    names += sorted({r["workload"] for r in records} - set(names))
    first = records[0] if records else {}
    keys = ("engine", "engine_version", "cpu_model", "unit", "commit", "tree_clean", "host", "date")
    return {
        "about": {k: first.get(k) for k in keys},
        "mixed": mixed(records),
        "workloads": [_workload(n, [r for r in records if r["workload"] == n]) for n in names],
    }


def mixed(records: list[Record]) -> list[str]:
    """What differs between records that ought to have it in common: such figures must not stand side by side."""
    said = []
    for key in ("engine", "engine_version", "cpu_model", "unit", "commit", "tree_clean"):
        values = sorted({str(r.get(key)) for r in records})
        if len(values) > 1:
            said.append(f"{key}: {', '.join(values)}")
    for traced in (False, True):  # each has its build
        of = [r for r in records if bool(r.get("traced")) == traced]
        builds = {r["images"]["hypervisor"] for r in of if r.get("images", {}).get("hypervisor")}
        if len(builds) > 1:
            said.append(f"{len(builds)} builds of the hypervisor")
    return said
