# SPDX-License-Identifier: BSD-2-Clause
"""What a workload prints: one line of JSON an operation, among other lines of a serial console.

    {"name": "cpuid", "operations": 1000, "minimum": 98, "median": 98, "maximum": 120, ...}
    {"name": "map-1g", "error": "the processor has no pages of 1 GB"}
    {"system": {...}}                what the guest knows of itself, such as its mitigations
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any

FIGURES = ("minimum", "median", "maximum")


@dataclass
class Printed:
    operations: list[dict[str, Any]] = field(default_factory=list)
    system: dict[str, Any] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)  # lines that were meant to be results and are damaged


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _count(value: Any) -> bool:
    return _number(value) and value >= 0


def _sound(op: dict[str, Any]) -> bool:
    if not isinstance(op.get("name"), str) or not op["name"]:
        return False
    if "error" in op:
        return isinstance(op["error"], str)
    if not _count(op.get("operations")) or not all(k in op for k in FIGURES):
        return False
    exits = op.get("exits", {})
    if not isinstance(exits, dict) or not all(_count(v) for v in exits.values()):
        return False
    return all(_number(op[k]) for k in (*FIGURES, "mean") if k in op)


def read(console: str) -> Printed:
    """Takes the console's text apart. A name that comes twice is damage too: which of the two would count?"""
    result = Printed()
    seen: set[str] = set()
    for line in (raw.strip() for raw in console.splitlines()):
        if not line.startswith("{"):
            continue
        try:
            record = json.loads(line)
        except ValueError:
            result.broken.append(line)
            continue
        if isinstance(record.get("system"), dict):
            result.system.update(record["system"])
            continue
        if not _sound(record) or record["name"] in seen:
            result.broken.append(line)
            continue
        seen.add(record["name"])
        result.operations.append(record)
    return result
