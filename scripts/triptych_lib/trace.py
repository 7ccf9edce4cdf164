# SPDX-License-Identifier: BSD-2-Clause
"""What `--trace` shows at the end of a run: the last exits of each vcpu, and where most exits came from."""

from __future__ import annotations

import re
from typing import Any

from .protocol import Transcript

PLACES_SHOWN = 20
_LINE = re.compile(r"\btrace: (.*)$")


def last_exits(transcript: Transcript) -> list[str]:
    return [found.group(1) for line in transcript.lines if (found := _LINE.search(line))]


def places(stats: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Instructions of the guest that exited, those with most exits first."""
    return sorted((row for row in stats if "rip" in row), key=lambda row: -int(row["times"]))


def report(transcript: Transcript) -> list[str]:
    lines = last_exits(transcript)
    rows = places(transcript.stats)
    if rows:
        lines.append(f"{'exits':>10} {'ticks':>12}  {'reason':24} guest RIP")
    lines += [f"{row['times']:>10} {row['spent']:>12}  {row['reason']:24} {row['rip']}" for row in rows[:PLACES_SHOWN]]
    return lines
