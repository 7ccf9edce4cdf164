# SPDX-License-Identifier: BSD-2-Clause
"""Do the hypervisor's accounts of its ticks add up? (hv/ctl/ledger.h, docs/measuring.md)

Added up anew from the single accounts that the lines "@stats" tell, not taken from the hypervisor's own sums.
"""

from __future__ import annotations

from typing import Any

RESIDUAL_MAX = 0.01  # of a CPU's ticks
CPU_ACCOUNTS = ("boot_ticks", "hypervisor_ticks", "backend_ticks", "trace_ticks", "cpu_idle_ticks")


def cpus(stats: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in stats if "ledger" in row]


def vcpu_ticks(stats: list[dict[str, Any]]) -> int:
    """In all guests and all handlers of exits."""
    guests = sum(row["guest_ticks"] for row in stats if "vcpu" in row and "guest_ticks" in row)
    return int(guests + sum(row["ticks"] for row in stats if "vcpu" in row and "exit" in row))


def problems(stats: list[dict[str, Any]]) -> list[str]:
    """Sentences; none if all is in order, or if the run did not come to its accounts."""
    rows = cpus(stats)
    found = []
    for row in rows:
        own = sum(row[key] for key in CPU_ACCOUNTS)
        residual = row["elapsed_ticks"] - own - row["guest_sum"] - row["exit_sum"]
        if abs(residual) >= RESIDUAL_MAX * row["elapsed_ticks"]:
            share = 100 * residual / row["elapsed_ticks"]
            found.append(f"{residual} ticks of CPU {row['ledger']} ({share:.2f} %) are in no account")
    told = vcpu_ticks(stats)
    summed = sum(row["guest_sum"] + row["exit_sum"] for row in rows)
    if rows and told != summed:
        found.append(f"the accounts of the guests and their exits come to {told} ticks, and were charged {summed}")
    return found
