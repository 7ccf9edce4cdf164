# SPDX-License-Identifier: BSD-2-Clause
"""The plots. Each is drawn for a width, and each mark says which figure it shows (data-figure, data-value)."""

from __future__ import annotations

import re
from typing import Any

from . import matrix, svg
from .store import OK
from .summary import compact, number, times

Data = dict[str, Any]
WIDE, NARROW = 1120, 360
NARROW_BELOW = 600
# The n of a mode's class and mark. Variants of pure-oos never stand in one plot with the strategies.
STYLE = {"native": 0, "hw": 1, "pure-oos": 2, "pure-sync": 3, "pure-vtlb": 4, "para": 5}


def legend(modes: list[str], x: float, y: float, width: float) -> tuple[list[str], float]:
    """Marks with names, in as many lines as it takes; the parts and the height."""
    parts, at, line = [], x, y
    for mode in modes:
        room = 34 + 7.2 * len(mode)
        if at + room > x + width and at > x:
            at, line = x, line + 22
        parts += [svg.mark(STYLE[mode], at + 7, line, ""), svg.text(at + 20, line + 4.5, mode, class_="soft")]
        at += room
    return parts, line - y + 22


def overhead(workload: Data, width: int) -> str:
    """For each operation and mode the ratio to native, on a logarithmic axis."""
    modes = [m for m in workload["modes"] if m in STYLE and m != matrix.NATIVE]
    many = {op["name"] for _, ops in families(workload) for _, op in ops}  # entries() shows these
    rows = [op for op in workload["operations"] if op["name"] not in many]
    rows = [op for op in rows if any("ratio" in op["cells"].get(m, {}) for m in modes)]
    modes = [m for m in modes if any("ratio" in op["cells"].get(m, {}) for op in rows)]
    if not rows:
        return ""
    narrow = width < NARROW_BELOW
    left = 8.0 if narrow else 18 + 8.7 * max(len(op["name"]) for op in rows)
    lane = 9.0
    row_height = lane * len(modes) + (26 if narrow else 10)
    ratios = [op["cells"][m]["ratio"] for op in rows for m in modes if "ratio" in op["cells"].get(m, {})]
    scale = svg.Log(min(0.8, *ratios) * 0.95, max(2.0, *ratios) * 1.15, left, width - 14)
    parts, top = legend(modes, left if not narrow else 2, 12, width - left)
    top += 22
    bottom = top + row_height * len(rows)
    for tick in scale.ticks(6 if narrow else 12):
        x = scale(tick)
        parts.append(svg.element("line", x1=x, x2=x, y1=top, y2=bottom, class_="base" if tick == 1 else "grid"))
        parts.append(svg.text(x, top - 6, f"{tick:g}×", text_anchor="middle", class_="soft small"))
    for n, op in enumerate(rows):
        y = top + n * row_height
        parts.append(svg.element("line", x1=0.0, x2=float(width), y1=y, y2=y, class_="grid"))
        if narrow:
            parts.append(svg.text(2, y + 15, op["name"], class_="small"))
        else:
            parts.append(svg.text(left - 12, y + row_height / 2 + 4.5, op["name"], text_anchor="end"))
        for k, mode in enumerate(modes):
            cell = op["cells"].get(mode, {})
            if "ratio" in cell:
                at = y + (22 if narrow else 5) + lane * (k + 0.5)
                x = scale(cell["ratio"])
                parts.append(svg.element("line", x1=scale(1), x2=x, y1=at, y2=at, class_=f"stem s{STYLE[mode]}"))
                said = f"{op['name']}, {mode}: {times(cell['ratio'])} × native, {number(cell['ticks'])} ticks"
                where = f"{workload['name']}/{op['name']}/{mode}/ratio"
                parts.append(svg.mark(STYLE[mode], x, at, svg.title(said), data_figure=where, data_value=cell["ratio"]))
    parts.append(svg.element("line", x1=0.0, x2=float(width), y1=bottom, y2=bottom, class_="grid"))
    label = f"Ratio to native by operation and mode, workload {workload['name']}"
    return svg.plot(width, bottom + 6, label, parts, f"overhead-{workload['name']}")


def kinds_of(bars: dict[str, dict[str, float]]) -> dict[str, int]:
    """The class of each kind of segment: the ten largest shares have their own."""
    share: dict[str, float] = {}
    for segments in bars.values():
        total = sum(segments.values()) or 1.0
        for kind, value in segments.items():
            share[kind] = max(share.get(kind, 0.0), value / total)
    by_size = sorted((k for k in share if k != "guest"), key=lambda k: (-share[k], k))
    found = {kind: min(n, svg.KINDS - 1) for n, kind in enumerate(by_size, 1)}
    return {"guest": 0, **found} if "guest" in share else found


def stacked(name: str, label: str, bars: dict[str, dict[str, float]], where: str, unit: str, width: int) -> str:
    """A bar for each mode, of one length, divided by kind; the whole is written beside it."""
    bars = {m: {k: v for k, v in s.items() if v} for m, s in bars.items()}
    bars = {m: s for m, s in bars.items() if s}
    if not bars:
        return ""
    narrow = width < NARROW_BELOW
    kinds = kinds_of(bars)
    left = 2.0 if narrow else 16 + 7.2 * max(map(len, bars))
    room = width - left - 2 - (0 if narrow else 190)
    parts: list[str] = []
    y = 4.0
    for mode, segments in bars.items():
        total = sum(segments.values())
        whole = f"{number(total)} {unit}"
        if narrow:
            parts += [svg.text(2, y + 12, mode), svg.text(width - 2, y + 12, whole, text_anchor="end", class_="soft small")]
            y += 18
        else:
            parts.append(svg.text(left - 12, y + 20, mode, text_anchor="end"))
            parts.append(svg.text(left + room + 12, y + 20, whole, class_="soft"))
        x = left
        for kind in sorted(segments, key=lambda k: kinds[k]):
            value = segments[kind]
            wide = room * value / total
            said = f"{mode}, {kind}: {number(value)} {unit}, {value / total:.1%}"
            figure = f"{where.format(mode=mode)}/{kind}"
            parts.append(svg.element(
                "rect", svg.title(said), x=x, y=y, width=f"{wide:.3f}", height=30.0, class_=f"c{kinds[kind]}",
                data_figure=figure, data_value=value))  # fmt: skip
            words = kind.removeprefix("exit: ")
            if wide > 7 * len(words) + 8 and kinds[kind]:
                parts.append(svg.text(x + wide / 2, y + 19, words, text_anchor="middle", class_="in"))
            x += wide
        y += 40
    at, y = left if not narrow else 2.0, y + 8
    for kind, n in kinds.items():
        need = 26 + 7.0 * len(kind)
        if at + need > width and at > 2:
            at, y = left if not narrow else 2.0, y + 20
        parts.append(svg.element("rect", x=at, y=y - 9, width=11.0, height=11.0, rx=2.0, class_=f"c{n}"))
        parts.append(svg.text(at + 17, y + 1, kind, class_="soft small"))
        at += need
    return svg.plot(width, y + 10, label, parts, name)


def exits(workload: Data, width: int) -> str:
    bars = {
        mode: {k: float(v["count"]) for k, v in run["exits"].items() if k != "none"}
        for mode, run in workload["runs"].items()
        if run.get("exits") and mode in STYLE
    }
    where = workload["name"] + "/run/{mode}/exits"
    return stacked(f"exits-{workload['name']}", f"Exits of a whole run by reason, workload {workload['name']}",
                   bars, where, "exits", width)  # fmt: skip


def ledger(workload: Data, width: int) -> str:
    bars = {
        mode: {k: float(v) for k, v in run["ledger"]["accounts"].items()}
        for mode, run in workload["runs"].items()
        if run.get("ledger") and mode in STYLE
    }
    where = workload["name"] + "/run/{mode}/ledger"
    return stacked(f"ledger-{workload['name']}", f"Every tick of a run in one account, workload {workload['name']}",
                   bars, where, "ticks", width)  # fmt: skip


Family = tuple[str, list[tuple[int, Data]]]


def families(workload: Data) -> list[Family]:
    """Operations that are one thing done to 1, 8, 64, ... pages: the same name but for a number."""
    found: dict[str, list[tuple[int, Data]]] = {}
    for op in workload["operations"]:
        number_in = re.search(r"(?<![a-z0-9])(\d+)(?![a-z0-9])", op["name"])
        if number_in:
            name = op["name"][: number_in.start()] + "N" + op["name"][number_in.end() :]
            found.setdefault(name, []).append((int(number_in.group(1)), op))
    return [(n, sorted(ops, key=lambda o: o[0])) for n, ops in found.items() if len({x for x, _ in ops}) >= 3]


def _panel(workload: Data, family: Family, modes: list[str], x0: float, y0: float, w: float, h: float) -> list[str]:
    name, ops = family
    values = [o["cells"][m]["ticks"] for _, o in ops for m in modes if o["cells"].get(m, {}).get("status") == OK]
    values = [v for v in values if v > 0]
    if not values:
        return []
    across = svg.Log(ops[0][0], ops[-1][0], x0 + 62, x0 + w - 16)
    up = svg.Log(min(values) * 0.8, max(values) * 1.3, y0 + h - 34, y0 + 30)
    parts = [svg.text(x0 + 2, y0 + 14, name, class_="title")]
    for tick in up.ticks(6):
        y = up(tick)
        parts.append(svg.element("line", x1=x0 + 58, x2=x0 + w - 10, y1=y, y2=y, class_="grid"))
        parts.append(svg.text(x0 + 54, y + 4, compact(tick), text_anchor="end", class_="soft small"))
    for n, _ in ops:
        parts.append(svg.text(across(n), y0 + h - 18, f"{n:,}", text_anchor="middle", class_="soft small"))
    parts.append(svg.text(x0 + w - 16, y0 + h - 3, "entries", text_anchor="end", class_="soft small"))
    for mode in modes:
        points = [(n, o) for n, o in ops if o["cells"].get(mode, {}).get("status") == OK and o["cells"][mode]["ticks"] > 0]
        line = " ".join(f"{across(n):.1f},{up(o['cells'][mode]['ticks']):.1f}" for n, o in points)
        parts.append(svg.element("polyline", points=line, class_=f"curve s{STYLE[mode]}"))
        for n, o in points:
            ticks = o["cells"][mode]["ticks"]
            parts.append(svg.mark(
                STYLE[mode], across(n), up(ticks), svg.title(f"{o['name']}, {mode}: {number(ticks)} ticks"),
                data_figure=f"{workload['name']}/{o['name']}/{mode}/ticks", data_value=ticks))  # fmt: skip
    return parts


def entries(workload: Data, width: int) -> str:
    """Ticks against the number of page-table entries, on logarithmic axes; a panel for each kind of operation."""
    found = families(workload)
    modes = [m for m in workload["modes"] if m in STYLE and workload["runs"][m]["status"] == OK]
    if not found or not modes:
        return ""
    columns = 1 if width < NARROW_BELOW else min(3, len(found))
    w, h = width / columns, 250.0
    parts, top = legend(modes, 2, 12, width)
    top += 14
    for n, family in enumerate(found):
        parts += _panel(workload, family, modes, n % columns * w, top + n // columns * h, w, h - 10)
    rows = (len(found) + columns - 1) // columns
    label = f"Ticks against the number of page-table entries, workload {workload['name']}"
    return svg.plot(width, top + rows * h, label, parts, f"entries-{workload['name']}")


PLOTS = {"overhead": overhead, "entries": entries, "exits": exits, "ledger": ledger}


def files(data: Data) -> dict[str, str]:
    """Each plot as a file: name and contents."""
    result = {}
    for workload in data["workloads"]:
        for kind, draw in PLOTS.items():
            drawn = draw(workload, WIDE)
            if drawn:
                result[f"{kind}-{workload['name']}.svg"] = svg.standalone(drawn)
    return result
