# SPDX-License-Identifier: BSD-2-Clause
"""The figures as tables: Markdown for summary.md, and the same narrower for a terminal."""

from __future__ import annotations

from typing import Any

from . import matrix
from .figures import MODEL_E
from .store import OK

Data = dict[str, Any]


def compact(x: float) -> str:
    """For an axis: 20k, 3M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if x >= size:
            return f"{x / size:g}{letter}"
    return f"{x:g}"


def number(x: float) -> str:
    """Four digits or more as a whole number with commas; less with what digits it has, three at most."""
    if abs(x) >= 1000 or x == int(x):
        return f"{x:,.0f}"
    return f"{x:.3g}"


def times(ratio: float) -> str:
    """A ratio to native: with two digits after the point where they say something."""
    return f"{ratio:.2f}" if ratio < 100 else f"{ratio:,.0f}"


def cell_text(cell: Data | None, with_ratio: bool = True) -> str:
    if cell is None:
        return ""
    if cell["status"] != OK:
        return f"{cell['status']}: {cell['why']}"
    text = number(cell["ticks"])
    if with_ratio and "ratio" in cell:
        text += f" ({times(cell['ratio'])})"
    return text


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1)]
    lines += ["| " + " | ".join(c.replace("|", "\\|") for c in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


class Reasons:
    """Sentences too long for a table: a number in it, the sentence below it."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def short(self, cell: Data | None, with_ratio: bool = True) -> str:
        if cell is None or cell["status"] == OK:
            return cell_text(cell, with_ratio)
        why = f"{cell['status']}: {cell['why']}"
        if why not in self.said:
            self.said.append(why)
        return f"{cell['status']} [{self.said.index(why) + 1}]"

    def notes(self) -> str:
        return "".join(f"\n[{n}] {why}" for n, why in enumerate(self.said, 1)) + ("\n" if self.said else "")


def operations(workload: Data, modes: list[str]) -> str:
    """Ticks an operation and the ratio to native."""
    notes = Reasons()
    rows = []
    for op in workload["operations"]:
        rows.append([op["name"], *(notes.short(op["cells"].get(m), m != matrix.NATIVE) for m in modes)])
    return table(["ticks an operation (ratio to native)", *modes], rows) + notes.notes()


def statuses(workload: Data) -> str:
    """For runs without any operation: what each came to."""
    lines = [f"- `{m}`: {r['status']}: {r['why']}" for m, r in workload["runs"].items() if r["status"] != OK]
    lines += [f"- `{m}`: {r['note']}" for m, r in workload["runs"].items() if r["note"]]
    return "\n".join(lines) + "\n" if lines else ""


def agreement(workload: Data) -> str:
    """Do repetitions under Bochs agree?"""
    checked = {m: r["differences"] for m, r in workload["runs"].items() if "differences" in r}
    if not checked:
        return ""
    bad = {m: d for m, d in checked.items() if d}
    if not bad:
        return f"Each of the {len(checked)} modes ran twice, and all figures agree to the tick.\n"
    lines = [f"{len(checked)} modes ran twice; the figures of {len(bad)} do not agree to the tick:\n"]
    for mode, said in bad.items():
        more = f"; and {len(said) - 5} more" if len(said) > 5 else ""
        lines.append(f"- `{mode}`: {'; '.join(said[:5])}{more}")
    return "\n".join(lines) + "\n"


def spreads(workload: Data) -> str:
    rows = []
    for op in workload["operations"]:
        for mode, cell in op["cells"].items():
            if cell["status"] == OK and cell["spread"]:
                share = cell["spread"] / cell["ticks"] if cell["ticks"] else 0.0
                rows.append([op["name"], mode, number(cell["ticks"]), number(cell["spread"]), f"{share:.1%}"])
    return table(["operation", "mode", "median", "spread (largest - smallest)", ""], rows) if rows else ""


def exits_text(cell: Data | None) -> str:
    """By reason; "" where the guest could not read them."""
    by = (cell or {}).get("exits")
    shown = {k: v for k, v in (by or {}).items() if v >= 0.05}
    return "" if by is None else ", ".join(f"{v:.1f} {k}" for k, v in shown.items()) or "none"


def exits(workload: Data, modes: list[str]) -> str:
    """Exits an operation by reason."""
    rows = [[op["name"], *(exits_text(op["cells"].get(m)) for m in modes)] for op in workload["operations"]]
    with_any = [m for i, m in enumerate(modes, 1) if any(r[i] for r in rows)]
    if not with_any:
        return ""
    picked = [[r[0], *(r[modes.index(m) + 1] for m in with_any)] for r in rows]
    return table(["exits an operation", *with_any], picked)


def costs(workload: Data, modes: list[str]) -> str:
    """Ticks an operation, and beside them its exits by reason."""
    notes = Reasons()
    counted = [m for m in modes if any("exits" in op["cells"].get(m, {}) for op in workload["operations"])]
    rows = []
    for op in workload["operations"]:
        row = [op["name"]]
        for m in modes:
            cell = op["cells"].get(m)
            row.append(notes.short(cell, m != matrix.NATIVE))
            row += [exits_text(cell)] if m in counted else []
        rows.append(row)
    head = [h for m in modes for h in ([m, "exits"] if m in counted else [m])]
    return table(["ticks an operation (ratio to native)", *head], rows) + notes.notes()


OF_TIME = ("timer", "interrupt", "window")  # exits that come with time and not with the operation
SAME = 0.05  # what is not worth a row


def gains(workload: Data, modes: list[str]) -> str:
    """The first mode and what is left out in the others: ticks and exits, of operations that are not the same in all."""
    rows = []
    for op in workload["operations"]:
        cells = [op["cells"].get(m, {}) for m in modes]
        if not all("exits" in c for c in cells):
            continue
        own = [sum(n for reason, n in c["exits"].items() if reason not in OF_TIME) for c in cells]
        if any(abs(c["ticks"] - cells[0]["ticks"]) > SAME * cells[0]["ticks"] for c in cells):
            rows.append([op["name"], *(f"{number(c['ticks'])} ({n:.1f})" for c, n in zip(cells, own, strict=True))])
    return table(["ticks an operation (exits, without those that come with time)", *modes], rows)


EACH = {"ticks": "ticks an exit", "vmreads": "VMREADs", "vmwrites": "VMWRITEs"}  # the last two where they were counted


def by_reason(runs: dict[str, Data]) -> tuple[list[str], dict[str, list[str]]]:
    """Whole runs: the reasons for which they exited, the most frequent first; and what is known of an exit, by mode."""
    count: dict[str, int] = {}
    known: dict[str, list[str]] = {}
    for mode, run in runs.items():
        rows = {name: row for name, row in run.get("exits", {}).items() if name != "none"}
        known[mode] = [key for key in EACH if rows and all(key in row for row in rows.values())]
        for name, row in rows.items():
            count[name] = count.get(name, 0) + row["count"]
    return sorted(count, key=lambda n: -count[n]), known


def reasons(workload: Data, modes: list[str]) -> str:
    """Exits of whole runs by reason, and what one takes."""
    runs = {m: workload["runs"][m] for m in modes if workload["runs"][m].get("exits")}
    names, known = by_reason(runs)
    rows = []
    for name in names:
        row = [name]
        for mode, run in runs.items():
            of = run["exits"].get(name)
            row.append(f"{of['count']:,}" if of else "")
            row += [number(of[key] / of["count"]) if of else "" for key in known[mode]]
        rows.append(row)
    head = [h for mode in runs for h in (f"{mode}: exits", *(EACH[key] for key in known[mode]))]
    return table(["reason", *head], rows) if rows else ""


def places(workload: Data, modes: list[str]) -> str:
    """Where most exits of a traced run came from, a table a mode."""
    tables = []
    for mode in modes:
        rows = [
            [f"`{p['place']}`", p["reason"], f"{p['count']:,}", number(p["ticks"] / p["count"])]
            for p in workload["runs"][mode].get("places", [])
        ]
        tables += [table([f"{mode}: the guest's instruction", "reason", "exits", "ticks an exit"], rows)] if rows else []
    return "\n".join(tables)


def model(workload: Data, modes: list[str]) -> str:
    """The model's figures, as ratios to native, so that nobody takes them for ticks that were counted."""
    rows = []
    for op in workload["operations"]:
        native = op["cells"].get(matrix.NATIVE, {}).get("ticks")
        row = [op["name"]]
        for m in modes:
            of = op["cells"].get(m, {}).get("model")
            row.append(" / ".join(times(of[str(e)] / native) for e in MODEL_E) if of and native else "")
        if any(row[1:]):
            rows.append(row)
    return table(["model, ratio to native", *modes], rows) if rows else ""


def about(data: Data) -> str:
    a = data["about"]
    tree = {True: "as committed", False: "with changes", None: "not under version control"}[a["tree_clean"]]
    lines = [
        f"- engine: {a['engine']} {a['engine_version']}, processor {a['cpu_model']}",
        f"- a tick: {a['unit']}",
        f"- commit: {a['commit']}, {tree}",
        f"- host: {a['host']['cpu']}, {a['host']['cpus']} CPUs, Linux {a['host']['kernel']}",
    ]
    if data["mixed"]:
        lines.append(f"- NOT of one kind, so do not compare: {'; '.join(data['mixed'])}")
    return "\n".join(lines) + "\n"


def mitigations(said: dict[str, str]) -> str:
    """Each weakness and what is done about it; those that the processor does not have together at the end."""
    free = [k for k, v in said.items() if v == "Not affected"]
    parts = [f"{k}: {v}" for k, v in said.items() if v != "Not affected"]
    return "; ".join(parts + ([f"not affected: {', '.join(free)}"] if free else []))


def _mitigations(workload: Data) -> str:
    """One list if all modes have the same, else one a mode."""
    by_mode = {m: r["mitigations"] for m, r in workload["runs"].items() if r["mitigations"]}
    lists: dict[str, list[str]] = {}
    for mode, said in by_mode.items():
        lists.setdefault(mitigations(said), []).append(mode)
    return "\n".join(f"- mitigations ({', '.join(modes) if len(lists) > 1 else 'all modes'}): {t}" for t, modes in lists.items())


def main_modes(modes: list[str]) -> list[str]:
    return [m for m in modes if m in matrix.MAIN_MODES]


def variants(modes: list[str]) -> list[str]:
    """pure-oos and what it is without its fast paths."""
    found = [m for m in modes if m.startswith("pure-oos-")]
    return ["native", "pure-oos", *found] if found else []


def markdown(data: Data) -> str:
    parts = ["# What an operation costs in each mode\n", about(data)]
    for w in data["workloads"]:
        parts.append(f"## {w['name']}: {w['about']}\n")
        lines = [f"- kernel: {w['kernel']}"] if w["kernel"] else []
        lines += [f"- command line: `{w['append']}`"] if w["append"] else []
        parts.append("\n".join([*lines, _mitigations(w)]).strip() + "\n")
        parts.append(statuses(w))
        if not w["operations"]:
            ran = main_modes(w["modes"])
            parts += [agreement(w), reasons(w, ran), places(w, ran)]
            continue
        parts.append(operations(w, main_modes(w["modes"])))
        without = [m for m in variants(w["modes"]) if m in w["modes"]]
        if without:
            parts.append("### Shadow paging without its fast paths\n")
            parts.append(operations(w, without))
        parts += [agreement(w), spreads(w)]
        found = exits(w, [m for m in w["modes"] if m in main_modes(w["modes"])])
        parts += ["### Exits\n", found] if found else []
        found = model(w, [m for m in main_modes(w["modes"]) if m != matrix.NATIVE])
        if found:
            e = ", ".join(f"{x:,}" for x in MODEL_E)
            parts += [f"### A model, not a measurement\n\nTicks + exits x E, for E = {e} ticks an exit and entry.\n", found]
    return "\n".join(p for p in parts if p)


def terminal(data: Data) -> str:
    """Ratios to native, in columns."""
    out = []
    for w in data["workloads"]:
        modes = main_modes(w["modes"])
        out.append(f"{w['name']}: {w['about']}; ratio to native")
        width = max((len(op["name"]) for op in w["operations"]), default=0)
        out.append(" " * width + "".join(f"{m:>14}" for m in ["native ticks", *(m for m in modes if m != matrix.NATIVE)]))
        for op in w["operations"]:
            line = op["name"].ljust(width)
            base = op["cells"].get(matrix.NATIVE)
            line += f"{number(base['ticks']) if base and base['status'] == OK else '-':>14}"
            for m in (m for m in modes if m != matrix.NATIVE):
                cell = op["cells"].get(m)
                ok = cell is not None and cell["status"] == OK
                text = times(cell["ratio"]) if ok and cell and "ratio" in cell else (cell or {"status": "-"})["status"]
                if ok and cell and "ratio" not in cell:
                    text = number(cell["ticks"]) + " t"
                line += f"{text:>14}"
            out.append(line)
        out += [f"  {m}: {r['status']}: {r['why']}" for m, r in w["runs"].items() if r["status"] != OK]
        found = agreement(w)
        out += [found.strip(), ""] if found else [""]
    return "\n".join(out)
