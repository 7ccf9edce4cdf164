# SPDX-License-Identifier: BSD-2-Clause
"""report.html: the figures as tables and plots, in one file that needs nothing else.

Every number stands three times: as JSON (#figures), in an element with data-figure and data-value, and as the words
that people read; a test compares the three.
"""

from __future__ import annotations

import html
import json
from typing import Any

from . import charts, matrix, summary, svg
from .figures import MODEL_E
from .store import OK
from .summary import number

Data = dict[str, Any]

CSS = """
:root{color-scheme:light dark;--back:#fbfbfc;--card:#fff;--ink:#1c2024;--soft:#60646c;--line:#e3e6ea;--accent:#0b6bcb;
--good:#0f7a52;--bad:#b3261e;--tint:#f2f5f9}
@media(prefers-color-scheme:dark){:root{--back:#15171a;--card:#1c1f23;--ink:#eceef0;--soft:#a3a8b0;--line:#31353b;
--accent:#5cb0ff;--good:#4fd1a1;--bad:#ff8a80;--tint:#23272c}}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--ink);font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1200px;margin:0 auto;padding:28px 20px 60px}
h1{font-size:28px;line-height:1.2;margin:0 0 6px;letter-spacing:-.01em}h2{font-size:22px;margin:46px 0 4px}
h3{font-size:16.5px;margin:0 0 2px}p{margin:6px 0 12px;max-width:76ch}p.lead{color:var(--soft);font-size:16.5px}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:18px 20px;margin:16px 0}
.note{color:var(--soft);font-size:13.5px;margin:2px 0 12px}
dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:3px 18px;margin:0;font-size:14px}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
.scroll{overflow-x:auto;margin:0 -4px;padding:0 4px}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:13.5px;min-width:100%}
th,td{vertical-align:top;padding:5px 10px;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}
th{font-weight:600;color:var(--soft)}th:first-child,td:first-child{text-align:left;position:sticky;left:0;background:var(--card)}
tbody tr:hover td{background:var(--tint)}td small{color:var(--soft);font-size:12px;margin-left:6px}
td.no{color:var(--soft);white-space:normal;min-width:9em;font-size:12px;line-height:1.3}td.failed{color:var(--bad)}
.ok{color:var(--good)}.bad{color:var(--bad)}code,pre{font:12.5px/1.5 ui-monospace,Menlo,Consolas,monospace}
pre{white-space:pre-wrap;overflow-wrap:anywhere;margin:6px 0}
svg.plot{width:100%;height:auto;display:block;margin:10px 0 4px}.narrow{display:none}
details{margin:8px 0}summary{cursor:pointer;color:var(--accent)}nav a{color:var(--accent);margin-right:16px}
@media(max-width:760px){main{padding:18px 12px 40px}.card{padding:14px 12px}.wide{display:none}.narrow{display:block}
dl{grid-template-columns:minmax(0,1fr)}dt{margin-top:6px}h1{font-size:23px}th,td{padding:5px 7px}td.no{min-width:11em}}
"""


def esc(words: object) -> str:
    return html.escape(str(words))


def figure(path: str, value: float, words: str, **more: object) -> str:
    """A number in the text, with where in the JSON it comes from."""
    return svg.element("span", esc(words), data_figure=path, data_value=value, **more)


def grid(head: list[str], rows: list[list[str]]) -> str:
    """A table; the cells are HTML. A cell that starts with '<td' is taken as it is."""
    top = "".join(f"<th>{esc(h)}</th>" for h in head)
    body = "".join("<tr>" + "".join(c if c.startswith("<td") else f"<td>{c}</td>" for c in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def _no(cell: Data | None) -> str:
    if cell is None:
        return '<td class="no">not in this set</td>'
    failed = " failed" if cell["status"] == "failed" else ""
    return f'<td class="no{failed}">{esc(cell["status"])}: {esc(cell["why"])}</td>'


def _ticks(workload: str, op: Data, mode: str) -> str:
    cell = op["cells"].get(mode)
    if cell is None or cell["status"] != OK:
        return _no(cell)
    where = f"{workload}/{op['name']}/{mode}"
    shown = figure(f"{where}/ticks", cell["ticks"], number(cell["ticks"]))
    if "ratio" in cell and mode != matrix.NATIVE:
        shown += "<small>" + figure(f"{where}/ratio", cell["ratio"], summary.times(cell["ratio"]) + "×") + "</small>"
    if cell["spread"]:
        shown += "<small>± " + figure(f"{where}/spread", cell["spread"], number(cell["spread"])) + "</small>"
    return f"<td>{shown}</td>"


def ticks_table(workload: Data, modes: list[str]) -> str:
    name = workload["name"]
    rows: list[list[str]] = []
    for n, op in enumerate(workload["operations"]):
        row = [esc(op["name"])]
        for m in modes:
            run = workload["runs"].get(m)
            if run is not None and run["status"] == OK:
                row.append(_ticks(name, op, m))
            elif n == 0:  # one cell for the whole column
                row.append(_no(run).replace("<td", f'<td rowspan="{len(workload["operations"])}"', 1))
        rows.append(row)
    return grid(["ticks an operation", *modes], rows) if rows else ""


def exits_table(workload: Data, modes: list[str]) -> str:
    """Exits an operation, by reason."""
    modes = [m for m in modes if any("exits" in op["cells"].get(m, {}) for op in workload["operations"])]
    if not modes:
        return ""
    rows = []
    for op in workload["operations"]:
        row = [esc(op["name"])]
        for m in modes:
            found = op["cells"].get(m, {}).get("exits")
            if found is None:
                row.append(_no(op["cells"].get(m)) if op["cells"].get(m, {}).get("status") != OK else "")
                continue
            where = f"{workload['name']}/{op['name']}/{m}/exits"
            big = {k: v for k, v in found.items() if v >= 0.05}
            words = ", ".join(figure(f"{where}/{k}", v, f"{v:,.1f}") + f" {esc(k)}" for k, v in big.items())
            row.append(words or "none")
        rows.append(row)
    return grid(["exits an operation", *modes], rows)


def reasons_table(workload: Data) -> str:
    """Exits of the whole run by reason, and what one takes."""
    runs = {m: r for m, r in workload["runs"].items() if r.get("exits") and m in charts.STYLE}
    names, known = summary.by_reason(runs)
    rows = []
    for name in names:
        row = [esc(name)]
        for mode, run in runs.items():
            of = run["exits"].get(name)
            where = f"{workload['name']}/run/{mode}/exits/{name}"
            row.append(figure(where, of["count"], f"{of['count']:,}") if of else "")
            row += [esc(number(of[key] / of["count"])) if of else "" for key in known[mode]]
        rows.append(row)
    head = [h for mode in runs for h in (f"{mode}: exits", *(summary.EACH[key] for key in known[mode]))]
    return grid(["reason", *head], rows) if rows else ""


def places_tables(workload: Data) -> str:
    """Where the exits of traced runs came from."""
    parts = []
    for mode, run in workload["runs"].items():
        rows = []
        for n, place in enumerate(run.get("places", [])):
            where = f"{workload['name']}/run/{mode}/place/{n}"
            shown = [figure(f"{where}/{key}", place[key], f"{place[key]:,}") for key in ("count", "ticks")]
            rows.append([f"<code>{esc(place['place'])}</code>", esc(place["reason"]), *shown])
        parts += [grid([f"{mode}: the guest's instruction", "reason", "exits", "ticks"], rows)] if rows else []
    return "".join(parts)


def model_table(workload: Data, modes: list[str]) -> str:
    rows = []
    for op in workload["operations"]:
        row = [esc(op["name"])]
        for m in modes:
            found = op["cells"].get(m, {}).get("model")
            where = f"{workload['name']}/{op['name']}/{m}/model"
            row.append(" / ".join(figure(f"{where}/{e}", found[str(e)], number(found[str(e)])) for e in MODEL_E) if found else "")
        if any(row[1:]):
            rows.append(row)
    return grid(["model, no measurement", *modes], rows) if rows else ""


def ledger_table(workload: Data) -> str:
    books = {m: r["ledger"] for m, r in workload["runs"].items() if r.get("ledger") and m in charts.STYLE}
    kinds = sorted(
        dict.fromkeys(k for b in books.values() for k in b["accounts"]),
        key=lambda k: 0 if k == "guest" else 1 if k.startswith("exit: ") else 2,
    )
    rows = []
    for kind in kinds:
        row = [esc(kind)]
        for m, b in books.items():
            value = b["accounts"].get(kind)
            where = f"{workload['name']}/run/{m}/ledger/{kind}"
            row.append("" if value is None else figure(where, value, f"{value:,}"))
        rows.append(row)
    if any("residual" in b for b in books.values()):
        places = [f"{workload['name']}/run/{m}/residual" for m in books]
        shares = [(b.get("residual", 0), b["total"] or 1) for b in books.values()]
        rows.append(["in no account", *(figure(w, r, f"{r:,} ({r / t:.3%})") for w, (r, t) in zip(places, shares, strict=True))])
    total = [figure(f"{workload['name']}/run/{m}/ledger-total", b["total"], f"{b['total']:,}") for m, b in books.items()]
    return grid(["ticks", *books], [*rows, ["sum", *total]]) if books else ""


def plot(draw: Any, workload: Data) -> str:
    """Drawn for wide and for narrow screens; one of the two is shown."""
    wide = draw(workload, charts.WIDE)
    if not wide:
        return ""
    return f'<div class="wide">{wide}</div><div class="narrow">{draw(workload, charts.NARROW)}</div>'


def card(heading: str, note: str, *parts: str) -> str:
    inner = "".join(parts)
    return f'<section class="card"><h3>{esc(heading)}</h3><p class="note">{note}</p>{inner}</section>' if inner else ""


def folded(heading: str, inner: str) -> str:
    return f"<details><summary>{esc(heading)}</summary>{inner}</details>" if inner else ""


def _agreement(workload: Data) -> str:
    said = summary.agreement(workload)
    if not said:
        return ""
    differ = any(r.get("differences") for r in workload["runs"].values())
    first, *rest = said.strip().splitlines()
    more = "".join(f"<li>{esc(line.removeprefix('- '))}</li>" for line in rest if line)
    return f'<p class="{"bad" if differ else "ok"}">{esc(first)}</p>' + (f"<ul>{more}</ul>" if more else "")


def _commands(workload: Data) -> str:
    said = [f"<dt>{esc(m)}</dt><dd><code>{esc(r['command'])}</code></dd>" for m, r in workload["runs"].items() if r["command"]]
    return f"<details><summary>How each was run</summary><dl>{''.join(said)}</dl></details>" if said else ""


def _notes(workload: Data) -> str:
    return "".join(f" <b>{esc(m)}</b>: {esc(r['note'])}." for m, r in workload["runs"].items() if r["note"])


def _facts(workload: Data) -> str:
    lists: dict[str, list[str]] = {}
    for mode, run in workload["runs"].items():
        if run["mitigations"]:
            lists.setdefault(summary.mitigations(run["mitigations"]), []).append(mode)
    rows = [("kernel", workload["kernel"]), ("command line", workload["append"])]
    rows += [("mitigations" + (f", {', '.join(modes)}" if len(lists) > 1 else ""), t) for t, modes in lists.items()]
    rows += [(f"note on {m}", r["note"]) for m, r in workload["runs"].items() if r["note"]]
    rows += [(f"{m}: {r['status']}", r["why"]) for m, r in workload["runs"].items() if r["status"] != OK]
    return "<dl>" + "".join(f"<dt>{esc(k)}</dt><dd>{esc(v)}</dd>" for k, v in rows if v) + "</dl>"


def section(workload: Data) -> str:
    main = summary.main_modes(workload["modes"])
    variants = [m for m in summary.variants(workload["modes"]) if m in workload["modes"]]
    rest = [m for m in main if m != matrix.NATIVE]
    e = ", ".join(f"{x:,}" for x in MODEL_E)
    parts = [
        f'<h2 id="{esc(workload["name"])}">{esc(workload["name"])}</h2><p>{esc(workload["about"])}</p>',
        _agreement(workload),
        card("Overhead by operation and mode", "Ticks as a multiple of native, on a logarithmic axis; 1× is no overhead.",
             plot(charts.overhead, workload)),
        card("Cost against the number of page-table entries", "Ticks of the whole operation; both axes are logarithmic.",
             plot(charts.entries, workload)),
        card("Ticks", "The median of an operation, and as a multiple of native." + _notes(workload), ticks_table(workload, main)),
        card("Exits by reason", "Of the whole run, boot included; each bar is as long as the others.",
             plot(charts.exits, workload), folded("Every reason, and what an exit takes", reasons_table(workload)),
             folded("Exits of each operation", exits_table(workload, rest))),
        card("Where the exits come from", "The guest's instructions with most exits." + _notes(workload), places_tables(workload)),
        card("The ledger", "Every tick of the run stands in one account; each bar adds up to the number beside it.",
             plot(charts.ledger, workload), folded("Every account", ledger_table(workload))),
        card("Shadow paging without its fast paths", "What each of them gains: the mode without it.",
             ticks_table(workload, variants) if variants else ""),
        card("A model, not a measurement",
             f"Ticks + exits × E, for E = {e}: what it might cost where an exit and entry is not free.",
             folded("Ticks as the model has them", model_table(workload, main)) if rest else ""),
        card("What was run", "Enough to repeat it; results.jsonl has the rest, a line a run.", _facts(workload), _commands(workload)),
    ]  # fmt: skip
    return "".join(parts)


def header(data: Data) -> str:
    a = data["about"]
    tree = {True: "", False: ", with changes", None: ", not under version control"}[a["tree_clean"]]
    rows = [
        ("engine", f"{a['engine']} {a['engine_version']}, processor {a['cpu_model']}"),
        ("a tick", a["unit"]),
        ("commit", f"{a['commit']}{tree}"),
        ("host", f"{a['host']['cpu']}, {a['host']['cpus']} CPUs, Linux {a['host']['kernel']}"),
        ("host's mitigations", summary.mitigations(a["host"]["mitigations"]) or "unknown"),
        ("date", a["date"]),
    ]
    if data["mixed"]:
        rows.append(("NOT of one kind", "; ".join(data["mixed"])))
    facts = "".join(f"<dt>{esc(k)}</dt><dd>{esc(v)}</dd>" for k, v in rows)
    links = "".join(f'<a href="#{esc(w["name"])}">{esc(w["name"])}</a>' for w in data["workloads"])
    return (
        "<h1>What an operation costs in each mode</h1>"
        '<p class="lead">Triptych: the same guests, natively and under two-level paging and shadow paging, side by side.</p>'
        f'<nav>{links}</nav><section class="card"><dl>{facts}</dl></section>'
    )


def html_page(data: Data) -> str:
    embedded = json.dumps(data, sort_keys=True).replace("<", "\\u003c")
    body = header(data) + "".join(section(w) for w in data["workloads"])
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><link rel="icon" href="data:,">'
        f"<title>Triptych: what an operation costs in each mode</title><style>{CSS}{svg.STYLE}</style></head>"
        f'<body><main>{body}</main><script type="application/json" id="figures">{embedded}</script></body></html>\n'
    )
