# SPDX-License-Identifier: BSD-2-Clause
"""`triptych compare` without an emulator: what is measured, what becomes of it, what is never done with it."""

from __future__ import annotations

import argparse
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import compare_data as made
import pytest
from conftest import ROOT

from triptych_lib import cli, vmconfig
from triptych_lib.compare import against, budget, cell, command, facts, figures, lines, matrix, numbers, runner, store, summary
from triptych_lib.ui import Progress, UsageError

SILENT = Progress(enabled=False)


# ---- what a workload prints


def test_results_are_found_among_other_lines() -> None:
    console = "\r\n".join(["Booting...", json.dumps(made.operation("a", 5)), "[    1.0] noise", '{"name":"b","error":"not here"}',
                           '{"system":{"mitigations":{"mds":"off"}}}'])  # fmt: skip
    found = lines.read(console)
    assert [op["name"] for op in found.operations] == ["a", "b"]
    assert found.system == {"mitigations": {"mds": "off"}} and not found.broken


@pytest.mark.parametrize(
    "line",
    [
        '{"name":"a","operations":1,"minimum":1,"median":',
        '{"name":"a","operations":1,"minimum":1,"median":1}',
        '{"name":"a","operations":-1,"minimum":1,"median":1,"maximum":1}',
        '{"name":"a","operations":1,"minimum":1,"median":"1","maximum":1}',
        '{"name":"a","operations":1,"minimum":1,"median":1e999,"maximum":1}',
        '{"name":"","operations":1,"minimum":1,"median":1,"maximum":1}',
        '{"name":"a","operations":1,"minimum":1,"median":1,"maximum":1,"exits":{"x":-1}}',
        '{"name":"a","operations":1,"minimum":1,"median":1,"maximum":1,"exits":[]}',
        '{"name":"a","error":1}',
        '{"median":1}',
    ],
)
def test_a_damaged_line_is_a_failed_run(line: str) -> None:
    printed = lines.read(f"{line}\n{json.dumps(made.operation('other', 5))}\n")
    assert printed.broken == [line]
    status, why = cell.judge(0, "", printed, True)
    assert status == store.FAILED and "damaged" in why


def test_a_name_that_comes_twice_is_damage() -> None:
    line = json.dumps(made.operation("a", 5))
    assert lines.read(f"{line}\n{line}\n").broken == [line]


def test_how_a_run_is_judged() -> None:
    good = lines.read(json.dumps(made.operation("a", 5)))
    assert cell.judge(0, "", good, True) == (store.OK, "")
    assert cell.judge(0, "", lines.Printed(), True) == (store.FAILED, "it printed no results")
    assert cell.judge(0, "", lines.Printed(), False) == (store.OK, "")
    assert cell.judge(1, f"triptych: {made.NO_PARA}\n", lines.Printed(), True) == (store.CANNOT, made.NO_PARA)
    assert cell.judge(1, "triptych: VM g: crash: why\n", good, True) == (store.FAILED, "VM g: crash: why")
    assert cell.judge(3, "triptych: timed out\n", good, True) == (store.FAILED, "timed out")
    assert cell.judge(3, "mmu=direct is not to be had", good, True)[0] == store.FAILED, "only a crash can mean this"


# ---- what is measured


def names(cells: list[matrix.Cell]) -> set[str]:
    return {c.name for c in cells}


def test_the_full_set_has_every_mode_of_every_workload() -> None:
    found = matrix.cells(None, None, False, 2)
    assert {c.workload.name for c in found} == set(matrix.WORKLOAD_NAMES)
    assert {c.mode.name for c in found} == set(matrix.MODE_NAMES)
    assert {"nano.native.1", "nano.native.2", "linux.pure-oos-notargets.2", "linux.para.1"} <= names(found)


def test_quick_is_a_part_of_it_and_repeats_too() -> None:
    quick = matrix.cells(None, None, True, 2)
    assert names(quick) < names(matrix.cells(None, None, False, 2))
    assert {"nano.pure-oos.1", "nano.pure-oos.2", "linux.hw.2"} <= names(quick)


def test_named_modes_are_run_where_possible() -> None:
    assert names(matrix.cells(["linux-amd64"], ["pure-vtlb"], False, 1)) == {"linux-amd64.pure-vtlb.1"}
    (only,) = matrix.cells(["boot"], ["native"], False, 2)
    assert only.why == matrix.NO_ACCOUNTS


def test_names_of_modes() -> None:
    assert matrix.modes_of("hw,native") == ["native", "hw"]
    assert matrix.modes_of("pure") == ["pure-oos", "pure-sync", "pure-vtlb"]
    assert matrix.modes_of("all") == list(matrix.MODE_NAMES)
    with pytest.raises(UsageError, match="did you mean 'pure-oos'"):
        matrix.modes_of("pure-os")


def test_every_cell_is_a_vm_file_that_is_read_back_the_same(tmp_path: Path) -> None:
    for c in matrix.cells(None, list(matrix.MODE_NAMES), False, 1):
        for engine in ("bochs", "kvm"):
            keys, vm = matrix.vm_of(c, engine)
            file = tmp_path / "g.toml"
            file.write_text(matrix.toml(keys))
            assert vmconfig.from_toml(file) == vm, c.name
    bare, _ = matrix.vm_of(matrix.cells(["nano"], ["pure-oos-bare"], False, 1)[0], "bochs")
    assert [bare[f"shadow_{k}"] for k in ("filter", "install", "prefetch", "targets")] == [False] * 4


def test_what_is_for_the_emulator_alone_is_not_given_elsewhere() -> None:
    c = matrix.cells(["linux"], ["pure-vtlb"], False, 1)[0]
    assert "tsc_early_khz" in matrix.vm_of(c, "bochs")[0]["append"]
    assert "tsc_early_khz" not in matrix.vm_of(c, "kvm")[0]["append"]
    assert matrix.vm_of(c, "bochs")[0]["append"].endswith("-- --batches=3 --budget=1"), "words for the program come last"
    assert "3 batches" in c.workload.note("pure-vtlb"), "and the cell says that there are fewer"


# ---- results.jsonl


def write(path: Path, records: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(r) + "\n" for r in records))
    return path


def test_what_is_there_is_found_again_but_for_failures(tmp_path: Path) -> None:
    file = write(tmp_path / "r", [made.record("nano", "hw"), made.record("nano", "native", status="failed")])
    results = store.Store(file, resume=True)
    assert results.find("nano.hw.1") and results.find("nano.native.1") is None
    fresh = store.Store(file, resume=False)
    assert fresh.find("nano.hw.1") is None and (tmp_path / "r.old").exists()


def test_a_line_that_was_cut_short_is_measured_again(tmp_path: Path) -> None:
    file = write(tmp_path / "r", [made.record("nano", "hw")])
    with file.open("a") as f:
        f.write('{"format": 1, "key": "x", "stat')
    results = store.Store(file, resume=True)
    results.add(made.record("nano", "native"))
    assert [r["mode"] for r in store.load(file)] == ["hw", "native"]


@pytest.mark.parametrize("text", ["[1]\n", "{}\n", "no\nno\n", '{"format":1,"status":"good"}\n'])
def test_another_file_is_refused_with_its_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "r"
    file.write_text(text)
    with pytest.raises(UsageError, match=f"{file}:1"):
        store.load(file)


def test_the_key_has_all_that_matters(tmp_path: Path) -> None:
    setting = cell.Setting(tmp_path, "bochs", "corei7_skylake_x", 10)
    c = matrix.Cell(matrix.WORKLOADS[0], matrix.MODES[1], 1, "no files are needed for this")
    key = cell.plan(c, setting, SILENT).key
    other = cell.Setting(tmp_path, "bochs", "core2_penryn_t9600", 10)
    assert cell.plan(c, setting, SILENT).key == key
    again = matrix.Cell(c.workload, c.mode, 2, c.why)
    assert len({key, cell.plan(c, other, SILENT).key, cell.plan(again, setting, SILENT).key}) == 3


# ---- runs in parallel, stopped and resumed


def planned(count: int) -> list[cell.Planned]:
    cells = matrix.cells(["nano"], ["native", "hw", "pure-vtlb"], False, count)
    return [cell.Planned(c, c.name, {}, {}) for c in cells]


class FakeEngine:
    """Measures nothing, and says how many did so at a time."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.done: list[str] = []
        self.now = self.most = 0
        self.lock = threading.Lock()
        self.stop_after = stop_after

    def __call__(self, p: cell.Planned) -> dict[str, Any]:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
            if self.stop_after is not None and len(self.done) >= self.stop_after:
                raise KeyboardInterrupt
        time.sleep(0.02)
        with self.lock:
            self.now -= 1
            self.done.append(p.key)
        return made.record("nano", p.cell.mode.name, p.cell.repetition, key=p.key)


def test_as_many_at_a_time_as_asked_and_the_longest_first(tmp_path: Path) -> None:
    engine, out = FakeEngine(), io.StringIO()
    plans = planned(4)
    found = runner.run_all(plans, store.Store(tmp_path / "r", True), engine, 3, cell.Runs(), SILENT, out)
    assert engine.most == 3
    assert [r["key"] for r in found] == [p.key for p in plans], "in the order of the tables"
    assert all("pure-vtlb" in name for name in sorted(engine.done[:3]))
    assert out.getvalue().count("\n") == 12 and "compare: 12/12" in out.getvalue()


def test_a_stopped_set_goes_on_where_it_was(tmp_path: Path) -> None:
    file, plans = tmp_path / "r", planned(2)
    first = FakeEngine(stop_after=2)
    with pytest.raises(KeyboardInterrupt):
        runner.run_all(plans, store.Store(file, True), first, 1, cell.Runs(), SILENT, io.StringIO())
    assert len(store.load(file)) == 2
    second = FakeEngine()
    found = runner.run_all(plans, store.Store(file, True), second, 1, cell.Runs(), SILENT, io.StringIO())
    assert len(found) == 6 and len(second.done) == 4 and not set(first.done) & set(second.done)


# ---- figures


def cells_of(records: list[dict[str, Any]], workload: str, name: str) -> dict[str, Any]:
    data = figures.figures(records)
    (w,) = (w for w in data["workloads"] if w["name"] == workload)
    (op,) = (op for op in w["operations"] if op["name"] == name)
    return dict(op["cells"])


def timed(values: list[float], **more: Any) -> list[dict[str, Any]]:
    ops = [[made.operation("a", v, exits={"memory": 2.0})] for v in values]
    return [made.record("nano", "hw", n, "kvm", operations=o, **more) for n, o in enumerate(ops, 1)]


def test_under_kvm_medians_with_their_spread_and_no_model() -> None:
    found = cells_of(timed([100, 90, 500, 101, 99]), "nano", "a")["hw"]
    assert (found["ticks"], found["spread"], found["runs"]) == (100, 410, 5)
    assert "model" not in found, "time has the exits in it"
    text = summary.markdown(figures.figures(timed([100, 90, 500, 101, 99])))
    assert "| a | hw | 100 | 410 | 410.0% |" in text and "agree" not in text


def test_a_failed_run_is_shown_and_not_averaged_away() -> None:
    records = timed([100, 100, 100])
    records[1] |= {"status": "failed", "why": "timed out", "operations": []}
    data = figures.figures(records)
    found = cells_of(records, "nano", "a")["hw"]
    assert found == {"status": "failed", "why": "1 of 3 runs failed: timed out"}
    assert "1 of 3 runs failed: timed out" in summary.markdown(data) and "failed" in summary.terminal(data)


def test_an_operation_that_one_run_did_not_print_has_no_figure() -> None:
    records = timed([100, 100])
    records[1]["operations"] = [made.operation("b", 1)]
    assert cells_of(records, "nano", "a")["hw"] == {"status": "failed", "why": "1 of 2 runs printed it"}


def test_what_cannot_be_says_why() -> None:
    found = cells_of(made.full(), "nano", "cpuid")
    assert found["para"] == {"status": "cannot", "why": made.NO_PARA}
    assert cells_of(made.full(), "nano", "walk-1g")["hw"]["why"] == "no 1 GB pages"


def test_agreement_to_the_tick_and_where_there_is_none() -> None:
    records = [made.record("nano", "hw", 1), made.record("nano", "hw", 2)]
    text = summary.markdown(figures.figures(records))
    assert "all figures agree to the tick" in text
    records[1]["operations"][1]["median"] = 355.03
    text = summary.markdown(figures.figures(records))
    assert "do not agree" in text and "getppid, median: 355.02 and 355.03" in text
    records[1] = made.record("nano", "hw", 2, ticks=1_000_001)
    assert "the whole run: 1000000 and 1000001 ticks" in summary.markdown(figures.figures(records))


def test_the_model_adds_exits_and_is_called_one() -> None:
    found = cells_of(made.full(), "nano", "cpuid")
    assert found["hw"]["model"] == {"500": 598.0, "1000": 1098.0, "2000": 2098.0}
    assert found["native"]["model"] == {"500": 10.0, "1000": 10.0, "2000": 10.0}
    text = summary.markdown(figures.figures(made.full()))
    assert "A model, not a measurement" in text


def test_the_ledger_adds_up_to_the_ticks_that_passed() -> None:
    book = figures.ledger(made.record("nano", "pure-oos"))
    assert book is not None and book["residual"] == 17
    assert sum(book["accounts"].values()) + book["residual"] == book["total"]
    assert book["accounts"]["exit: cpuid"] == 98_000 and book["accounts"]["boot"] == 900
    assert figures.ledger(made.record("nano", "native")) is None


def test_a_traced_run_says_where_its_exits_come_from() -> None:
    data = figures.figures(made.full())
    assert data["mixed"] == [], "the hypervisor that counts is a build of its own"
    (boot,) = (w for w in data["workloads"] if w["name"] == "boot")
    run = boot["runs"]["pure-oos"]
    assert run["exits"]["memory"] == {"count": 40, "ticks": 52_000, "vmreads": 120, "vmwrites": 40}
    assert [p["place"] for p in run["places"]] == ["native_cpuid+0x2", "<odd>+0x2", "0x401000"], "most exits first"
    text = summary.markdown(data)
    assert "| cpuid | 1,000 | 98 | 3 | 1 |" in text and "| `native_cpuid+0x2` | CPUID | 600 | 98 |" in text
    assert "VMREADs" not in summary.reasons(data["workloads"][0], ["hw"]), "no column for what was not counted"


def test_what_is_not_of_one_kind_is_said() -> None:
    records = [made.record("nano", "hw"), made.record("nano", "native", engine="kvm")]
    data = figures.figures(records)
    assert any(line.startswith("engine: bochs, kvm") for line in data["mixed"])
    assert "NOT of one kind" in summary.markdown(data)


def test_mitigations_are_never_hidden() -> None:
    text = summary.markdown(figures.figures(made.full()))
    assert "meltdown: Mitigation: PTI" in text
    said = facts.guest_mitigations(True, "console=ttyS0 mitigations=off nopti", {})
    assert said == {"command line": "mitigations=off nopti"}
    assert "defaults" in facts.guest_mitigations(True, "console=ttyS0", {})["command line"]
    two = [made.record("linux", "hw"), made.record("linux", "native", mitigations={"meltdown": "Vulnerable"})]
    text = summary.markdown(figures.figures(two))
    assert "mitigations (native): meltdown: Vulnerable" in text and "mitigations (hw): meltdown: Mitigation: PTI" in text


# ---- against an older file


def changed(**ops: float) -> list[dict[str, Any]]:
    found = made.record("nano", "hw")
    for op in found["operations"]:
        for key in ("minimum", "median", "maximum"):
            if key in op:
                op[key] *= ops.get(op["name"], 1.0)
    return [found]


def test_slower_and_faster_since_an_older_file() -> None:
    text = against.report([made.record("nano", "hw")], changed(cpuid=1.5, getppid=0.5)).splitlines()
    assert text[0] == "+50.0% worse: nano cpuid, hw: 98 -> 147 ticks"
    assert text[1].startswith("-50.0% better: nano getppid, hw")
    assert text[-1] == "12 of 14 figures within 1% of before"


@pytest.mark.parametrize(
    "more", [{"engine": "kvm"}, {"mitigations": {}}, {"cpu_model": "x"}, {"kernel": "6.2"}, {"vm": {"append": "nopti"}}]
)
def test_what_was_measured_otherwise_is_not_compared(more: dict[str, Any]) -> None:
    changes, said = against.compare([made.record("nano", "hw")], [made.record("nano", "hw", **more)])
    assert not changes and len(said) == 1 and "not comparable" in said[0]


@pytest.mark.parametrize(("old", "new", "listed"), [(0.0, 0.07, False), (2.0, 2.07, False), (0.0, 1.0, True), (2.0, 3.0, True)])
def test_what_the_timer_adds_is_no_change(old: float, new: float, listed: bool) -> None:
    change = against.Change("nano", "cpuid", "hw", "exits", old, new)
    assert (abs(change.share) >= against.SHOWN) is listed


def test_a_cell_that_fails_now_is_said() -> None:
    bad = made.record("nano", "hw")
    bad["operations"][0] = {"name": "cpuid", "error": "gone"}
    _, said = against.compare([made.record("nano", "hw")], [bad])
    assert said == ["nano cpuid, hw: was ok, is cannot: gone"]


# ---- the budget

ALLOWED = {
    "engine": "bochs",
    "cpu_model": "corei7_skylake_x",
    "operations": {"nano": {"hw": {"cpuid": {"ticks": 98, "exits": 1}}, "pure-oos": {"fork-8": {"ticks": 3500, "exits": 1.5}}}},
}


def spent(ticks: float, exits: float = 1.0) -> list[dict[str, Any]]:
    hw = made.record("nano", "hw", operations=[made.operation("cpuid", ticks, exits={"cpuid": exits})])
    return [hw, made.record("nano", "pure-oos")]


def test_three_percent_over_is_too_much() -> None:
    assert budget.problems(ALLOWED, spent(98 * 1.029)) == []
    (said,) = budget.problems(ALLOWED, spent(98 * 1.04))
    assert said.startswith("nano cpuid, hw: 101.92 ticks are 4.0% over the 98")
    (said,) = budget.problems(ALLOWED, spent(98, 2))
    assert said == "nano cpuid, hw: 2 exits are over the 1 of the budget"


def test_what_was_not_measured_is_over_the_budget() -> None:
    (said,) = budget.problems(ALLOWED, spent(98)[:1])
    assert said == "nano fork-8, pure-oos: not measured"
    (said,) = budget.problems(ALLOWED, [made.record("nano", "hw", engine="kvm")])
    assert said == "the budget is for engine bochs, and this is kvm"


def test_a_budget_is_renewed_from_a_measurement() -> None:
    new = budget.renewed(ALLOWED, spent(90))
    assert new["operations"]["nano"]["hw"]["cpuid"] == {"ticks": 90, "exits": 1.0}
    assert budget.problems(new, spent(90)) == [] and budget.problems(new, spent(98))
    with pytest.raises(UsageError, match="fork-8, pure-oos was not measured"):
        budget.renewed(ALLOWED, spent(90)[:1])


# ---- numbers


def test_places_in_a_text_are_filled(tmp_path: Path) -> None:
    template = tmp_path / "t.md"
    template.write_text("A fork takes {{nano fork-8 pure-oos ticks}} ticks, {{nano fork-8 pure-oos ratio}} times native, with "
                        "{{nano fork-8 pure-oos memory}} faults of {{run nano pure-oos each memory}}.\n\n{{ticks nano native,hw}}\n"
                        "over {{over nano fork-8 pure-oos}}, spent {{spent nano fork-8 pure-oos}}\n"
                        "{{ledger nano pure-oos}}\n{{agreement nano}}\n")  # fmt: skip
    text = numbers.page(template, made.full())
    assert text.startswith("A fork takes 3,500 ticks, 2.50 times native, with 1.5 faults of 1,300.\n")
    assert "| cpuid | 10 | 98 (9.80) |" in text and "| in no account | 17 |" in text and "agree to the tick" in text
    assert "over 2,100, spent 1,950\n" in text and "{{" not in text


def test_the_best_batch_is_compared_with_the_best(tmp_path: Path) -> None:
    template = tmp_path / "t.md"
    template.write_text("{{best nano native,pure-oos fork-8,cpuid}}\n"
                        "{{nano fork-8 pure-oos best-ratio}} {{nano fork-8 pure-oos best-over}}\n{{places boot hw}}\n")  # fmt: skip
    records = made.full()
    for r in records:
        for op in r["operations"]:
            if op["name"] == "fork-8" and r["mode"] == "pure-oos":
                op["minimum"] = 2_800
    text = numbers.page(template, records)
    assert "| fork-8 | 1,400 | 2,800 (2.00) |\n| cpuid | 10 | 98 (9.80) |\n2.00 1,400\n" in text
    assert "| `native_cpuid+0x2` | CPUID | 600 | 98 |" in text


def test_ticks_and_exits_stand_side_by_side(tmp_path: Path) -> None:
    template = tmp_path / "t.md"
    template.write_text("{{costs nano native,pure-oos}}\n{{apart nano fork-8 native 1250}}\n")
    text = numbers.page(template, made.full())
    assert "| ticks an operation (ratio to native) | native | pure-oos | exits |\n" in text, "natively there are none to count"
    assert "| fork-8 | 1,400 | 3,500 (2.50) | 1.5 memory |\n" in text and "\n+12.0 %\n" in text


def test_what_a_fast_path_gains(tmp_path: Path) -> None:
    template = tmp_path / "t.md"
    template.write_text("{{gains nano pure-oos,pure-oos-bare}}\n")
    text = numbers.page(template, made.full())
    assert "| fork-8 | 3,500 (1.5) | 8,400 (1.5) |\n" in text
    assert "cpuid" not in text and "walk-1g" not in text, "the same in both; no figures"


@pytest.mark.parametrize(
    ("place", "why"),
    [("nano fork-9 hw ticks", "fork-9"), ("nano fork-8 para ticks", "para"), ("ticks disk hw", "no workload disk"), ("x", "no such place")],
)
def test_a_place_that_cannot_be_filled_names_its_line(tmp_path: Path, place: str, why: str) -> None:
    template = tmp_path / "t.md"
    template.write_text(f"one\n{{{{{place}}}}}\n")
    with pytest.raises(UsageError, match=f"t.md:2: .*{why}"):
        numbers.page(template, made.full())


# ---- the command


def run_command(tmp_path: Path, *more: str) -> tuple[int, argparse.Namespace]:
    args = cli.parser().parse_args(["compare", "--out", str(tmp_path), "--report", *more])
    return command.compare(args), args


def test_a_report_from_what_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / store.RESULTS, made.full())
    status, _ = run_command(tmp_path, "--against", str(tmp_path / store.RESULTS))
    assert status == 1, "a failed run shows in the status"
    assert "figures within 1% of before" in capsys.readouterr().out
    assert {"summary.md", "report.html", "overhead-nano.svg", "entries-nano.svg", "exits-linux.svg", "ledger-linux.svg"} <= {
        p.name for p in tmp_path.iterdir()
    }
    write(tmp_path / store.RESULTS, [r for r in made.full() if r["status"] != "failed" and r["mode"] != "pure-sync"])
    assert run_command(tmp_path)[0] == 0


def test_the_budget_decides_the_status(tmp_path: Path) -> None:
    write(tmp_path / store.RESULTS, spent(98))
    file = tmp_path / "budget.json"
    file.write_text(json.dumps(ALLOWED))
    assert run_command(tmp_path, "--budget", str(file))[0] == 0
    write(tmp_path / store.RESULTS, spent(110))
    assert run_command(tmp_path, "--budget", str(file))[0] == 1
    assert run_command(tmp_path, "--budget", str(file), "--renew-budget")[0] == 0
    assert run_command(tmp_path, "--budget", str(file))[0] == 0


@pytest.mark.parametrize(
    "args",
    [["--workload", "lunix"], ["--modes", "hw,none"], ["--repetitions", "0"], ["--jobs", "0"], ["--timeout", "0"], ["--renew-budget"],
     ["--against", "/nowhere"]],
)  # fmt: skip
def test_wrong_usage_starts_nothing(tmp_path: Path, args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["compare", "--out", str(tmp_path / "o"), *args]) == 2
    assert args[0] in capsys.readouterr().err or args[0] == "--against"
    assert not (tmp_path / "o").exists()


def test_the_command_of_a_cell_is_one_that_people_can_type(tmp_path: Path) -> None:
    setting = cell.Setting(tmp_path, "bochs", "corei7_skylake_x", 900)
    c = matrix.cells(["nano"], ["native"], False, 1)[0]
    words = cell.command(cell.Planned(c, "k", {}, {}), setting)
    assert words[:2] == ["scripts/triptych", "run"] and words[-2:] == ["--mode", "native"]
    args = cli.parser().parse_args(words[1:])
    assert args.rtc == matrix.RTC_START and args.timeout == 900


# Stands in for `triptych run`: the same command line behind it, the same files, no emulator.
FAKE = """
import json, os, sys, time
sys.path.insert(0, {here!r})
import compare_data as made
args = sys.argv[1:]
with open({log!r}, "a") as f:
    f.write(f"{{os.getpid()}}\\n")
time.sleep(float(os.environ.get("FAKE_SECONDS", "0")))
if "direct" in open(args[args.index("--vm") + 1]).read():
    sys.exit("triptych: " + made.NO_PARA)
mode = "native" if args[-1] == "native" else "hw"
print("noise\\n" + "\\n".join(json.dumps(op) for op in made.operations(mode)))
with open(args[args.index("--stats-json") + 1], "w") as f:
    json.dump({{"ticks": 5, "seconds": 1.0, "host_mem_mb": 512, "stats": made.stats(mode)}}, f)
"""


def fake_compare(tmp_path: Path, *more: str) -> tuple[list[str], Path]:
    log = tmp_path / "runs"
    fake = tmp_path / "fake.py"
    fake.write_text(FAKE.format(here=str(Path(__file__).parent), log=str(log)))
    command = [str(ROOT / "scripts/triptych"), "compare", "--engine", "bochs", "--workload", "nano", "--modes", "native,hw,para",
               "--wrap", f"{sys.executable} {fake}", "--out", str(tmp_path / "out"), *more]  # fmt: skip
    return command, log


def test_from_the_command_to_the_page(tmp_path: Path) -> None:
    command, log = fake_compare(tmp_path)
    first = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert first.returncode == 0, first.stderr
    assert len(log.read_text().split()) == 6 and "compare: 6/6" in first.stderr
    assert "all figures agree to the tick" in first.stdout and made.NO_PARA in first.stdout
    for r in store.load(tmp_path / "out" / store.RESULTS):
        assert r["status"] == ("cannot" if r["mode"] == "para" else "ok")
        assert {"commit", "tree_clean", "engine_version", "cpu_model", "kernel", "images", "command", "host", "vm"} <= r.keys()
        assert r["vm"]["kernel"] == "build/nano.elf", "where the tree stands does not matter"
        assert r["host"]["kernel"] and "mitigations" in r["host"] and r["mitigations"]
        assert r["mode"] == "para" or (r["host_mem_mb"], r["ticks"]) == (512, 5)
        assert cli.parser().parse_args(r["command"].split()[1:]).command == "run"
    second = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert len(log.read_text().split()) == 6, "nothing is measured twice"
    assert second.stdout == first.stdout and second.stderr == ""


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_is_stopped_leaves_no_run_behind(tmp_path: Path, number: int) -> None:
    command, log = fake_compare(tmp_path, "--jobs", "2")
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, env={**os.environ, "FAKE_SECONDS": "60"},
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # which who runs the tests may have ignored
    )  # fmt: skip
    deadline = time.monotonic() + 30
    while not log.exists() or len(log.read_text().split()) < 2:
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.05)
    process.send_signal(number)
    process.communicate(timeout=20)
    assert process.returncode == 128 + number
    assert not any(alive(int(pid)) for pid in log.read_text().split())
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "compare: 6/6" in done.stderr, "and it goes on when it is started again"
