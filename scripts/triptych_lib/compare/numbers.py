# SPDX-License-Identifier: BSD-2-Clause
"""docs/numbers.md: a template of text with places for figures, filled in from a results file.

    {{about}}                                   engine, tick, commit, host
    {{ticks WORKLOAD MODE,MODE}}                a table of ticks an operation; modes but for native with their ratios
    {{best WORKLOAD MODE,MODE OPERATION,...}}   the same of some operations: the best batch instead of the median
    {{exits WORKLOAD MODE,MODE}}                a table of exits an operation
    {{costs WORKLOAD MODE,MODE}}                a table of both, side by side
    {{gains WORKLOAD MODE,MODE}}                the same of modes that leave something out, where it changes anything
    {{reasons WORKLOAD MODE,MODE}}              a table of a whole run's exits by reason, and what each takes
    {{places WORKLOAD MODE,MODE}}               a table of the guest's instructions with most exits, of a traced run
    {{ledger WORKLOAD MODE,MODE}}               a table of every account of a whole run
    {{agreement WORKLOAD}}                      do repetitions agree?
    {{WORKLOAD OPERATION MODE KEY}}             one figure, in a sentence: ticks, ratio, minimum, maximum, exits, REASON;
                                                best-ratio, best-over: of the best batch to native's best
    {{over WORKLOAD OPERATION MODE}}            its ticks over native
    {{apart WORKLOAD OPERATION MODE TICKS}}     its best batch and such a figure of another's: how far apart
    {{spent WORKLOAD OPERATION MODE}}           its exits, each at the average cost of its reason in the whole run
    {{run WORKLOAD MODE KEY}}                   of a whole run: exits, hv_ticks, guest_ticks, share, REASON, each REASON
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ..paths import ROOT
from ..ui import UsageError
from . import figures, matrix, summary
from .store import OK, Record
from .summary import number

Data = dict[str, Any]
TEMPLATE = ROOT / "docs" / "numbers.template.md"
PLACE = re.compile(r"\{\{([^{}]*)\}\}")


class _Missing(Exception):
    """What a place asks for is not in the results."""


def _workload(data: Data, name: str) -> Data:
    for w in data["workloads"]:
        if w["name"] == name:
            return dict(w)
    raise _Missing(f"no workload {name}")


def _modes(workload: Data, text: str) -> list[str]:
    modes = text.split(",")
    for m in modes:
        if m not in workload["runs"]:
            raise _Missing(f"{workload['name']} was not run in {m}")
    return modes


def _cell(data: Data, workload: str, operation: str, mode: str) -> Data:
    for op in _workload(data, workload)["operations"]:
        if op["name"] == operation:
            cell = op["cells"].get(mode)
            if cell is None or cell["status"] != OK:
                raise _Missing(f"{workload} {operation} has no figure in {mode}")
            return dict(cell)
    raise _Missing(f"{workload} has no operation {operation}")


def _figure(data: Data, words: list[str]) -> str:
    cell = _cell(data, words[0], words[1], words[2])
    key = words[3]
    if key in ("best-ratio", "best-over"):
        native = _cell(data, words[0], words[1], matrix.NATIVE)["minimum"]
        best = cell["minimum"]
        return summary.times(best / native) if key == "best-ratio" else number(round(best - native))
    if key == "ratio":
        return summary.times(cell["ratio"])
    if key == "exits":
        return f"{sum(cell['exits'].values()):.1f}"
    if key in cell:
        return number(cell[key])
    return f"{cell.get('exits', {}).get(key, 0.0):.1f}"


def _over(data: Data, words: list[str]) -> str:
    native = _cell(data, words[0], words[1], matrix.NATIVE)["ticks"]
    return number(round(_cell(data, words[0], words[1], words[2])["ticks"] - native))


def _apart(data: Data, words: list[str]) -> str:
    return f"{_cell(data, words[0], words[1], words[2])['minimum'] / float(words[3]) - 1:+.1%}".replace("%", " %")


def _spent(data: Data, words: list[str]) -> str:
    rows = _workload(data, words[0])["runs"][words[2]]["exits"]
    exits = _cell(data, words[0], words[1], words[2])["exits"]
    return number(round(sum(n * rows[reason]["ticks"] / rows[reason]["count"] for reason, n in exits.items())))


def _of_run(data: Data, words: list[str]) -> str:
    run = _workload(data, words[0])["runs"].get(words[1])
    if run is None or run["status"] != OK or "ledger" not in run:
        raise _Missing(f"{words[0]} has no accounts in {words[1]}")
    accounts = run["ledger"]["accounts"]
    handlers = sum(v for k, v in accounts.items() if k.startswith("exit: "))
    whole = {
        "exits": float(sum(v["count"] for k, v in run["exits"].items() if k != "none")),
        "hv_ticks": float(handlers),
        "guest_ticks": float(accounts["guest"]),
    }
    key = words[2]
    if key == "share":
        return f"{handlers / (handlers + accounts['guest']):.1%}".replace("%", " %")
    if key == "residual":
        return f"{run['ledger'].get('residual', 0) / run['ledger']['total']:.3%}".replace("%", " %")
    if key in whole:
        return number(whole[key])
    if key == "each":
        row = run["exits"].get(words[3])
        if not row:
            raise _Missing(f"{words[0]} has no exits {words[3]} in {words[1]}")
        return number(round(row["ticks"] / row["count"]))
    if key in run["exits"]:
        return number(run["exits"][key]["count"])
    raise _Missing(f"{' '.join(words)}: no such key")


def _best(data: Data, workload: str, modes: str, operations: str) -> str:
    rows = []
    for name in operations.split(","):
        row = [name]
        for mode in _modes(_workload(data, workload), modes):
            text = number(_cell(data, workload, name, mode)["minimum"])
            ratio = _figure(data, [workload, name, mode, "best-ratio"])
            row.append(text if mode == matrix.NATIVE else f"{text} ({ratio})")
        rows.append(row)
    return summary.table(["ticks of the best batch (ratio to native)", *modes.split(",")], rows).rstrip()


def _ledger(workload: Data, modes: list[str]) -> str:
    books = {m: workload["runs"][m].get("ledger") for m in modes}
    if not all(books.values()):
        raise _Missing(f"{workload['name']} has no accounts in one of {', '.join(modes)}")
    kinds = dict.fromkeys(k for b in books.values() if b for k in b["accounts"])
    names = sorted(kinds, key=lambda k: 0 if k == "guest" else 1 if k.startswith("exit: ") else 2)
    rows = [[n, *(f"{b['accounts'].get(n, 0):,}" for b in books.values() if b)] for n in names]
    rows.append(["in no account", *(f"{b.get('residual', 0):,}" for b in books.values() if b)])
    rows.append(["sum: the ticks that passed", *(f"{b['total']:,}" for b in books.values() if b)])
    return summary.table(["ticks of a whole run", *modes], rows).rstrip()


def _fill(data: Data, words: list[str]) -> str:
    kind, *rest = words
    if kind == "about":
        return summary.about(data).rstrip()
    if kind == "run" and len(rest) >= 3:
        return _of_run(data, rest)
    if kind in ("over", "spent") and len(rest) == 3:
        return (_over if kind == "over" else _spent)(data, rest)
    if kind == "apart" and len(rest) == 4:
        return _apart(data, rest)
    if kind == "agreement" and len(rest) == 1:
        return summary.agreement(_workload(data, rest[0])).rstrip()
    if kind == "best" and len(rest) == 3:
        return _best(data, *rest)
    tables = {"ticks": summary.operations, "exits": summary.exits, "costs": summary.costs, "gains": summary.gains,
              "reasons": summary.reasons, "places": summary.places, "ledger": _ledger}  # fmt: skip
    if kind in tables and len(rest) == 2:
        workload = _workload(data, rest[0])
        return tables[kind](workload, _modes(workload, rest[1])).rstrip()
    if len(words) == 4:
        return _figure(data, words)
    raise _Missing("no such place; the head of scripts/triptych_lib/compare/numbers.py lists them")


def page(template: Path, records: list[Record]) -> str:
    """The page. A place that cannot be filled is a UsageError that names its line."""
    try:
        text = template.read_text()
    except OSError as e:
        raise UsageError(f"{template}: {e.strerror}") from e
    data = figures.figures(records)
    lines = []
    for at, line in enumerate(text.splitlines(), 1):
        try:
            lines.append(PLACE.sub(lambda found: _fill(data, found.group(1).split() or [""]), line))
        except (_Missing, KeyError) as e:
            raise UsageError(f"{template}:{at}: {e}") from e
    return "\n".join(lines) + "\n"
