# SPDX-License-Identifier: BSD-2-Clause
"""The report of `triptych compare` in a browser: every plot, every figure, on a wide and on a narrow screen."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import compare_data as made
import pytest
from browser import Browser, browser

from triptych_lib.compare import charts, command, figures, summary

FIGURES = """[...document.querySelectorAll('[data-figure]')].map(e => ({
    figure: e.dataset.figure, value: Number(e.dataset.value), drawn: e instanceof SVGElement,
    text: e.textContent, shown: e.getClientRects().length > 0, at: e.getBoundingClientRect().x,
    width: e.getBoundingClientRect().width, plot: e.closest('svg')?.dataset.plot ?? ''}))"""


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("compare")
    command.write(path, made.full())
    return path


@pytest.fixture(scope="module")
def page(out: Path) -> Iterator[Browser]:
    with browser() as found:
        found.open(out / "report.html", 1280)
        yield found


def embedded(page: Browser) -> dict[str, Any]:
    return dict(json.loads(page.value("document.getElementById('figures').textContent")))


def wanted(data: dict[str, Any], path: str) -> float:
    """The figure of the JSON that an element says it shows."""
    workload, operation, mode, *rest = path.split("/", 3)
    (w,) = (w for w in data["workloads"] if w["name"] == workload)
    if operation == "run":
        run = w["runs"][mode]
        kind, _, name = rest[0].partition("/")
        if kind == "exits":
            return float(run["exits"][name]["count"])
        if kind == "place":
            at, key = name.split("/")
            return float(run["places"][int(at)][key])
        return float(run["ledger"]["accounts"][name] if kind == "ledger" else
                     run["ledger"]["residual" if kind == "residual" else "total"])
    (op,) = (op for op in w["operations"] if op["name"] == operation)
    key, _, name = rest[0].partition("/")
    value = op["cells"][mode][key]
    return float(value[name] if name else value)


def test_the_embedded_figures_are_those_of_the_results(page: Browser) -> None:
    assert embedded(page) == json.loads(json.dumps(figures.figures(made.full())))


def test_every_figure_on_the_page_is_the_json_s(page: Browser) -> None:
    data = embedded(page)
    found = page.value(FIGURES)
    assert len(found) > 400
    for item in found:
        assert item["value"] == pytest.approx(wanted(data, item["figure"]), rel=1e-12), item
        if not item["drawn"] and "model" not in item["figure"]:
            said = float(re.sub(r"[^0-9.]", "", item["text"].split("(")[0]))
            assert said == pytest.approx(item["value"], rel=0.02, abs=0.06), item


def test_no_figure_of_the_json_is_missing(page: Browser) -> None:
    there = {item["figure"] for item in page.value(FIGURES) if not item["drawn"]}
    for w in embedded(page)["workloads"]:
        for op in w["operations"]:
            for mode, cell in op["cells"].items():
                if cell["status"] == "ok" and w["runs"][mode]["status"] == "ok":
                    assert f"{w['name']}/{op['name']}/{mode}/ticks" in there
        for mode, run in w["runs"].items():
            for account in run.get("ledger", {}).get("accounts", {}) if mode in charts.STYLE else []:
                assert f"{w['name']}/run/{mode}/ledger/{account}" in there


def test_every_plot_is_there_and_drawn(page: Browser, out: Path) -> None:
    page.resize(1280)
    names = page.value("[...document.querySelectorAll('svg.plot')].filter(s => s.getClientRects().length).map(s => s.dataset.plot)")
    boot = ["exits-boot", "ledger-boot"]  # it prints no operations
    assert sorted(names) == sorted([*(f"{kind}-{w}" for kind in charts.PLOTS for w in ("nano", "linux")), *boot])
    assert sorted(f"{n}.svg" for n in names) == sorted(p.name for p in out.glob("*.svg"))
    for item in page.value(FIGURES):
        assert not item["drawn"] or not item["shown"] or item["width"] > 0 or item["value"] < 1e4, item


def test_a_larger_figure_is_drawn_further_right(page: Browser) -> None:
    page.resize(1280)
    marks = [m for m in page.value(FIGURES) if m["shown"] and m["plot"] == "overhead-nano"]
    assert len(marks) == 3 * 4, "three operations that are no family, four modes; variants have a table of their own"
    by_value = sorted(marks, key=lambda m: float(m["value"]))
    middles = [m["at"] + m["width"] / 2 for m in by_value]
    assert middles == pytest.approx(sorted(middles), abs=0.2) and middles[-1] > middles[0] + 100


def test_the_ledger_s_bar_adds_up(page: Browser) -> None:
    page.resize(1280)
    bars = [m for m in page.value(FIGURES) if m["shown"] and m["plot"] == "ledger-nano" and "/pure-oos/" in m["figure"]]
    data = embedded(page)
    book = next(w for w in data["workloads"] if w["name"] == "nano")["runs"]["pure-oos"]["ledger"]
    assert sum(m["value"] for m in bars) + book["residual"] == book["total"]
    whole = sum(m["width"] for m in bars)
    for m in bars:
        assert m["width"] / whole == pytest.approx(m["value"] / book["total"], abs=0.002)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 400])
def test_it_fits_the_screen(page: Browser, width: int, dark: bool) -> None:
    page.resize(width)
    page.dark(dark)
    assert page.value("document.documentElement.scrollWidth") == width
    beyond = """[...document.querySelectorAll('svg.plot text')].filter(t => t.getClientRects().length && (
        t.getBoundingClientRect().right > t.closest('svg').getBoundingClientRect().right + 1 ||
        t.getBoundingClientRect().left < t.closest('svg').getBoundingClientRect().left - 1)).map(t => t.textContent)"""
    assert page.value(beyond) == [], "words that a plot cuts off"
    small = """Math.min(...[...document.querySelectorAll('svg.plot text')].filter(t => t.getClientRects().length)
        .map(t => t.getBoundingClientRect().height))"""
    assert page.value(small) >= 9, "words too small to read"
    shown = page.value("[...document.querySelectorAll('svg.plot')].filter(s => s.getClientRects().length).length")
    assert shown == len(charts.files(figures.figures(made.full()))) == 10, "each plot once"


def test_colours_follow_the_scheme(page: Browser) -> None:
    seen = []
    for dark in (False, True):
        page.dark(dark)
        seen.append(page.value("getComputedStyle(document.body).backgroundColor"))
    assert seen[0] != seen[1]


def test_it_needs_nothing_else_and_complains_of_nothing(page: Browser, out: Path) -> None:
    assert page.complaints() == []
    text = (out / "report.html").read_text()
    links = re.findall(r'(?:src|href)="([^"#][^"]*)"', text)
    assert links == ["data:,"] and "@import" not in text and "url(" not in text


def test_what_cannot_be_and_what_failed_say_why(page: Browser) -> None:
    text = page.value("document.body.innerText")
    assert made.NO_PARA in text and "1 of 2 runs failed: timed out" in text and "no 1 GB pages" in text
    assert made.ODD_NAME in text, "shown as it is"
    assert "A model, not a measurement" in text and "agree to the tick" in text


@pytest.mark.parametrize("kind", list(charts.PLOTS))
def test_each_plot_is_a_file_that_stands_alone(out: Path, kind: str) -> None:
    with browser() as found:
        found.open(out / f"{kind}-nano.svg", 1280)
        assert found.value("document.documentElement.tagName") == "svg"
        assert found.value("document.querySelectorAll('parsererror').length") == 0
        assert found.value("document.querySelectorAll('[data-figure]').length") > 5
        assert found.complaints() == []


def test_markdown_has_the_same_figures(out: Path) -> None:
    text = (out / "summary.md").read_text()
    for w in figures.figures(made.full())["workloads"]:
        for op in w["operations"]:
            for cell in op["cells"].values():
                if cell["status"] == "ok":
                    assert summary.cell_text(cell, "ratio" in cell).split(" ")[0] in text
