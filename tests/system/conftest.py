# SPDX-License-Identifier: BSD-2-Clause
"""Whole boots: scripts/triptych as people use it, with the guest's console driven like a terminal."""

from __future__ import annotations

import itertools
import json
import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from _pytest.terminal import TerminalReporter

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

PROMPT = "triptych:~# "
# After these a guest has hung; how fast it is, is not what they are for: machines that run the tests differ by a factor of two.
BOOT_TIMEOUT_S = 420
COMMAND_TIMEOUT_S = 300

slow = pytest.mark.slow
quick = pytest.mark.quick  # of a test with in_each_mode: it takes seconds, so that no mode of it is left to `make test-slow`
own_mode = pytest.mark.own_mode  # with the reason why a test boots guests and has no use for in_each_mode
# In which memory modes guests are booted: the one list of them.
QUICK_MODES = ["ept", "shadow"]
MEMORY_MODES = ["ept", pytest.param("shadow", marks=slow)]
PASSED_BEFORE = "passed_before"
CELL = "cell"  # the property of a test that has a line in the table of boots


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--passed", metavar="FILE", help="leave out the tests that FILE names; those that pass are added to it")


class Passed:
    """Names each test in a file when it has passed, so that hours of tests can be stopped and go on."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.before = file.read_text().splitlines() if file.exists() else []
        self.called: set[str] = set()

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """All workers of xdist leave out the same tests, also one that takes a crashed one's place later."""
        node.workerinput[PASSED_BEFORE] = self.before

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.passed and report.when == "call":
            self.called.add(report.nodeid)
        elif report.passed and report.when == "teardown" and report.nodeid in self.called:
            with self.file.open("a") as file:
                file.write(f"{report.nodeid}\n")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: `make test-slow` runs it, `make test` does not")
    config.addinivalue_line("markers", "quick: in_each_mode leaves none of its modes to `make test-slow`")
    config.addinivalue_line("markers", "own_mode(why): the test does not run in each memory mode")
    named = config.getoption("--passed")
    if named and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Passed(Path(named)), PASSED_BEFORE)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    passed = config.pluginmanager.get_plugin(PASSED_BEFORE)
    before = set(passed.before if passed else getattr(config, "workerinput", {}).get(PASSED_BEFORE, ()))
    left_out = [item for item in items if item.nodeid in before]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item.nodeid not in before]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "in_each_mode" in metafunc.fixturenames:
        modes = QUICK_MODES if metafunc.definition.get_closest_marker("quick") else MEMORY_MODES
        metafunc.parametrize("in_each_mode", modes, indirect=True)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Whatever boots a guest does so in each memory mode, or says why not."""
    names: list[str] = getattr(item, "fixturenames", [])
    marker = item.get_closest_marker("own_mode")
    if "triptych" in names and "in_each_mode" not in names and not (marker and marker.args[0]):
        pytest.fail("it takes in_each_mode, or own_mode with a reason", pytrace=False)


def why(report: pytest.TestReport) -> str:
    """The first line of what went wrong."""
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(crash.message if crash else report.longrepr).strip().splitlines()[0][:160]


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """The table of boots: a line for each test that says which cell of it it is."""
    reports = [r for key in ("passed", "failed") for r in terminalreporter.stats.get(key, []) if r.when == "call"]
    rows = {}
    for report in reports:
        said = dict(report.user_properties)
        if CELL in said:
            seconds = str(said.get("seconds", "-"))
            rows[str(said[CELL])] = (seconds, "pass" if report.passed else f"FAIL: {why(report)}")
    if rows:
        terminalreporter.section("boots")
    for cell, (seconds, verdict) in sorted(rows.items()):
        terminalreporter.write_line(f"{cell:<32} {seconds:>5} s  {verdict}")


def compiled(directory: Path, name: str, *flags: str) -> bytes:
    """tests/system/NAME.c, as a program that runs in any guest."""
    program = directory / name
    subprocess.run(
        ["gcc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-static", *flags, "-o", str(program),
         str(ROOT / f"tests/system/{name}.c")],
        check=True,
    )  # fmt: skip
    return program.read_bytes()


COMPLAINT = re.compile(r"\bBUG\b|WARNING|\bsegfault at\b|(?i:unable to|firmware bug|unchecked msr)")
# Printed by the same kernels, booted natively in the same emulator.
NATIVE_TOO = ("RETBleed: WARNING", "TSC_DEADLINE disabled due to Errata")


def complaints(text: str) -> list[str]:
    return [line for line in text.splitlines() if COMPLAINT.search(line) and not any(n in line for n in NATIVE_TOO)]


class Run:
    """`triptych run` with its console on pipes."""

    def __init__(self, log: Path, *args: str) -> None:
        command = [str(ROOT / "scripts/triptych"), "run", "--no-interactive", "--log", str(log), *args]
        self.log_path = log
        self.text = ""
        self.seen = 0
        self.command_timeout: float = COMMAND_TIMEOUT_S
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
        )

    def listen(self, seconds: float) -> bool:
        """What the console says next, if it does so within that time; False: it has ended."""
        assert self.process.stdout is not None
        if not select.select([self.process.stdout], [], [], seconds)[0]:
            return True
        data = os.read(self.process.stdout.fileno(), 65536)
        self.text += data.decode(errors="replace")
        return bool(data)

    def expect(self, what: str, timeout: float = COMMAND_TIMEOUT_S) -> str:
        """Waits for a text on the console; returns what came before it since the last time."""
        end = time.monotonic() + timeout
        while (at := self.text.find(what, self.seen)) < 0:
            left = end - time.monotonic()
            assert left > 0, f"no {what!r} within {timeout} s; the console ends: {self.text[-800:]!r}"
            assert self.listen(min(left, 1.0)), f"the run ended before {what!r}: {self.text[-800:]!r} {self.log()[-800:]}"
        before = self.text[self.seen : at]
        self.seen = at + len(what)
        return before

    def prompt(self, timeout: float = BOOT_TIMEOUT_S) -> str:
        return self.expect(PROMPT, timeout)

    def send(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def command(self, line: str) -> str:
        """Runs a shell command in the guest; its output."""
        self.send(line)
        self.expect(line.split()[-1], self.command_timeout)
        return self.expect(PROMPT, self.command_timeout).replace("\r", "").strip()

    def finish(self, timeout: float = COMMAND_TIMEOUT_S) -> int:
        assert self.process.stdout is not None
        try:
            rest, _ = self.process.communicate(timeout=timeout)
        finally:
            self.stop()
        self.text += rest.decode(errors="replace")
        return self.process.returncode

    def stop(self) -> None:
        """Ends the run if it still runs; the emulator ends with it."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(COMMAND_TIMEOUT_S)

    def log(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def machine_lines(self, word: str) -> list[dict[str, object]]:
        return [json.loads(m) for m in re.findall(rf"^@{word} (.*)$", self.log(), re.M)]


@dataclass
class Starter:
    log: Path
    running: list[Run]
    mmu: str = ""  # the memory mode; where there is none, the test chooses

    def in_files(self, args: tuple[str, ...]) -> bool:
        """A VM file says its memory mode itself: into those that do not, it is written. False: there is none."""
        files = [Path(file) for option, file in itertools.pairwise(args) if option == "--vm"]
        for file in files:
            text = file.read_text()
            if not re.search(r"^mmu\b", text, re.M):
                file.write_text(f'mmu = "{self.mmu}"\n{text}')
        return bool(files)

    def __call__(self, *args: str) -> Run:
        more = ("--mmu", self.mmu) if self.mmu and not self.in_files(args) else ()
        run = Run(self.log, *args, *more)
        self.running.append(run)
        return run


@pytest.fixture
def triptych(tmp_path: Path) -> Iterator[Starter]:
    starter = Starter(tmp_path / "log", [])
    yield starter
    for run in starter.running:
        run.stop()


@pytest.fixture
def in_each_mode(request: pytest.FixtureRequest, triptych: Starter) -> Starter:
    """As triptych, in each of the memory modes (pytest_generate_tests() has the list)."""
    triptych.mmu = request.param
    return triptych
