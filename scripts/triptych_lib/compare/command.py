# SPDX-License-Identifier: BSD-2-Clause
"""`triptych compare`: its options, and the order of things."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from pathlib import Path

from .. import engine
from ..paths import BUILD
from ..ui import STATUS_CRASHED, STATUS_OK, Progress, UsageError
from . import against, budget, charts, facts, figures, matrix, numbers, page, runner, store, summary
from .cell import Planned, Runs, Setting, default_cpu_model, measure, plan
from .store import Record

REPETITIONS = {"bochs": 2, "kvm": 7}
TIMEOUT = 1500.0


def add_options(p: argparse.ArgumentParser) -> None:
    p.add_argument("--workload", action="append", metavar="NAME", help="this one alone: " + ", ".join(matrix.WORKLOAD_NAMES))
    p.add_argument("--modes", metavar="M,M...", help=f"of {', '.join(matrix.MODE_NAMES)}; pure: its strategies; all")
    p.add_argument("--quick", action="store_true", help="a small set, for 6 minutes on two cores")
    p.add_argument("--engine", choices=("auto", "bochs", "kvm"), default="auto")
    p.add_argument("--cpu-model", metavar="NAME", help="Bochs: corei7_skylake_x; KVM: host")
    p.add_argument("--out", type=Path, default=BUILD / "compare", metavar="DIR", help="results go there (build/compare)")
    p.add_argument("--resume", action=argparse.BooleanOptionalAction, default=True,
                   help="measure only what DIR does not have yet; --no-resume: start anew")  # fmt: skip
    p.add_argument("--repetitions", type=int, metavar="N", help="runs of each cell; Bochs: 2; KVM: 7")
    p.add_argument("--jobs", type=int, metavar="N", help="runs at a time; as many as there are cores")
    p.add_argument("--timeout", type=float, default=TIMEOUT, metavar="S", help="for one run")
    p.add_argument("--against", type=Path, metavar="FILE", help="what got slower or faster since that results.jsonl")
    p.add_argument("--budget", type=Path, metavar="FILE", help="fail where a figure is over 3 %% above this file's")
    p.add_argument("--renew-budget", action="store_true", help="write the figures into the file of --budget")
    p.add_argument("--report", action="store_true", help="measure nothing: tables and plots from what DIR has")
    p.add_argument("--wrap", default="", metavar="CMD", help="put in front of each run, such as 'nice'")


def _setting(args: argparse.Namespace) -> Setting:
    chosen = engine.choose(args.engine, engine.probe())
    if args.timeout <= 0:
        raise UsageError("--timeout: a number of seconds above 0 is expected")
    commit, clean = facts.commit()
    return Setting(args.out, chosen, args.cpu_model or default_cpu_model(chosen), args.timeout,
                   shlex.split(args.wrap), commit, clean)  # fmt: skip


def _count(option: str, value: int | None, default: int) -> int:
    if value is not None and not 1 <= value <= 100:
        raise UsageError(f"{option}: a number from 1 to 100 is expected")
    return value or default


def _plans(args: argparse.Namespace, setting: Setting, progress: Progress) -> list[Planned]:
    workloads = matrix.pick("--workload", args.workload, matrix.WORKLOAD_NAMES) if args.workload else None
    repetitions = _count("--repetitions", args.repetitions, REPETITIONS[setting.engine])
    cells = matrix.cells(workloads, matrix.modes_of(args.modes), args.quick, repetitions)
    for missing in {w.name: matrix.missing_file(w) for w in (c.workload for c in cells)}.values():
        if missing:
            raise UsageError(missing)
    return [plan(c, setting, progress) for c in cells]


def write(out: Path, records: list[Record]) -> figures.Data:
    """All that is made from the records."""
    data = figures.figures(records)
    (out / "summary.md").write_text(summary.markdown(data))
    (out / "report.html").write_text(page.html_page(data))
    for name, drawn in charts.files(data).items():
        (out / name).write_text(drawn)
    return data


def _measure(args: argparse.Namespace) -> list[Record]:
    progress = Progress()
    setting = _setting(args)
    jobs = _count("--jobs", args.jobs, runner.cores())
    plans = _plans(args, setting, progress)
    try:
        args.out.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise UsageError(f"--out {args.out}: {e.strerror}") from e
    results, runs = store.Store(args.out / store.RESULTS, args.resume), Runs()
    return runner.run_all(plans, results, lambda p: measure(p, setting, runs), jobs, runs, progress)


def _budget(path: Path, renew: bool, records: list[Record]) -> bool:
    """Prints what is over the budget; was anything?"""
    allowed = budget.load(path)
    if renew:
        path.write_text(json.dumps(budget.renewed(allowed, records), indent="\t") + "\n")
        return False
    said = budget.problems(allowed, records)
    print("\n".join(f"over budget: {line}" for line in said) or f"all within the budget {path}")
    return bool(said)


def compare(args: argparse.Namespace) -> int:
    if args.renew_budget and not args.budget:
        raise UsageError("--renew-budget: name the file with --budget")
    old = store.load(args.against) if args.against else []
    records = figures.latest(store.load(args.out / store.RESULTS)) if args.report else _measure(args)
    print(summary.terminal(write(args.out, records)))
    print(f"{args.out}: {store.RESULTS}, summary.md, report.html, and its plots as SVG files")
    if old:
        print(f"\nsince {args.against}:\n{against.report(old, records)}")
    over = bool(args.budget) and _budget(args.budget, args.renew_budget, records)
    return STATUS_CRASHED if over or any(r["status"] == store.FAILED for r in records) else STATUS_OK


def add_numbers_options(p: argparse.ArgumentParser) -> None:
    p.add_argument("results", type=Path, help="a results.jsonl")
    p.add_argument("--template", type=Path, default=numbers.TEMPLATE, metavar="FILE", help="the text around the figures")


def print_numbers(args: argparse.Namespace) -> int:
    sys.stdout.write(numbers.page(args.template, store.load(args.results)))
    return STATUS_OK
