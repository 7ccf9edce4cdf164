# SPDX-License-Identifier: BSD-2-Clause
"""The nano guest measured by `triptych compare`: within the budget, and two runs the same to the tick."""

from __future__ import annotations

import subprocess
from pathlib import Path

from conftest import ROOT

from triptych_lib.compare import budget, figures, store

BUDGET = ROOT / "tests/budget.json"
RUN_TIMEOUT_S = 900


def test_main_operations_are_within_the_budget_and_repeatable(tmp_path: Path) -> None:
    out = tmp_path / "compare"
    command = [str(ROOT / "scripts/triptych"), "compare", "--workload", "nano", "--modes", "hw,pure-oos", "--engine", "bochs",
               "--jobs", "1", "--out", str(out), "--budget", str(BUDGET)]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=RUN_TIMEOUT_S)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert f"all within the budget {BUDGET}" in done.stdout
    (nano,) = figures.figures(store.load(out / store.RESULTS))["workloads"]
    for mode in ("hw", "pure-oos"):
        assert nano["runs"][mode]["runs"] == 2 and nano["runs"][mode]["differences"] == []
    assert sum(len(operations) for operations in budget.load(BUDGET)["operations"]["nano"].values()) >= 20, "it covers something"
