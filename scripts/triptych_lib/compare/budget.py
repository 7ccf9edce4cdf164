# SPDX-License-Identifier: BSD-2-Clause
"""The budget: ticks and exits that main operations may take. More than 3 % over, and a change does not pass.

    {"engine": "bochs", "cpu_model": "...", "operations": {"nano": {"hw": {"cpuid": {"ticks": 98, "exits": 1}}}}}
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..ui import UsageError
from . import figures
from .store import OK, Record

Data = dict[str, Any]
OVER = 0.03
EXITS_SLACK = 0.02  # exits an operation that are noise
OF_TIME = ("timer", "interrupt")  # exits that come with time and not with the operation


def load(path: Path) -> Data:
    try:
        budget = json.loads(path.read_text())
        for modes in budget["operations"].values():
            for operations in modes.values():
                for figure in operations.values():
                    float(figure["ticks"])
        str(budget["engine"]), str(budget["cpu_model"])
    except OSError as e:
        raise UsageError(f"{path}: {e.strerror}") from e
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        raise UsageError(f"{path}: not a budget: {e!r}") from e
    return dict(budget)


def _cells(records: list[Record]) -> dict[tuple[str, str, str], Data]:
    return {
        (w["name"], mode, op["name"]): cell
        for w in figures.figures(records)["workloads"]
        for op in w["operations"]
        for mode, cell in op["cells"].items()
    }


def problems(budget: Data, records: list[Record]) -> list[str]:
    """What is over the budget, or was not measured; no sentence if all is in order."""
    said = []
    for r in records:
        for key in ("engine", "cpu_model"):
            if r[key] != budget[key]:
                return [f"the budget is for {key} {budget[key]}, and this is {r[key]}"]
    cells = _cells(records)
    for workload, modes in budget["operations"].items():
        for mode, operations in modes.items():
            for name, allowed in operations.items():
                cell = cells.get((workload, mode, name))
                if cell is None or cell["status"] != OK:
                    why = "not measured" if cell is None else f"{cell['status']}: {cell['why']}"
                    said.append(f"{workload} {name}, {mode}: {why}")
                    continue
                said += _over(f"{workload} {name}, {mode}", allowed, cell)
    return said


def _exits_of(cell: Data) -> float | None:
    return sum(n for kind, n in cell["exits"].items() if kind not in OF_TIME) if "exits" in cell else None


def _over(where: str, allowed: Data, cell: Data) -> list[str]:
    said = []
    if cell["ticks"] > allowed["ticks"] * (1 + OVER):
        share = cell["ticks"] / allowed["ticks"] - 1
        said.append(f"{where}: {cell['ticks']:g} ticks are {share:.1%} over the {allowed['ticks']:g} of the budget")
    exits = _exits_of(cell)
    if "exits" in allowed and exits is not None and exits > allowed["exits"] * (1 + OVER) + EXITS_SLACK:
        said.append(f"{where}: {exits:.3g} exits are over the {allowed['exits']:g} of the budget")
    return said


def renewed(budget: Data, records: list[Record]) -> Data:
    """The same budget with the figures of these records."""
    cells = _cells(records)
    result = json.loads(json.dumps(budget))
    for workload, modes in result["operations"].items():
        for mode, operations in modes.items():
            for name, figure in operations.items():
                cell = cells.get((workload, mode, name))
                if cell is None or cell["status"] != OK:
                    raise UsageError(f"no budget from this: {workload} {name}, {mode} was not measured")
                figure["ticks"] = cell["ticks"]
                exits = _exits_of(cell)
                if exits is not None:
                    figure["exits"] = round(exits, 2)
    return dict(result)
