# SPDX-License-Identifier: BSD-2-Clause
"""What runs the tests: whoever does not end is killed with all that he started, and counts as a failure."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

from conftest import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

import bounded  # noqa: E402


@pytest.fixture(scope="module")
def runner() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("run_tests", str(ROOT / "scripts/run-tests"))
    spec = importlib.util.spec_from_loader("run_tests", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["run_tests"] = module
    loader.exec_module(module)
    return module


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


# Starts a process in a session of its own that ignores all that can be ignored, and orphans it.
ORPHAN = """
trap '' TERM HUP INT
(setsid sh -c 'trap "" TERM HUP INT; echo $$ > %s; while :; do sleep 60; done' &)
echo before
"""


def orphan_of(file: Path) -> int:
    end = time.monotonic() + 10
    while not (file.exists() and file.read_text().strip()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return int(file.read_text())


def test_at_the_limit_all_are_killed_and_named(tmp_path: Path) -> None:
    script = ORPHAN % (tmp_path / "pid") + "while :; do sleep 60; done"
    start = time.monotonic()
    done = bounded.run(["/bin/sh", "-c", script], 2)
    assert time.monotonic() - start < 10
    assert done.status is None and done.output == "before\n"
    pid = orphan_of(tmp_path / "pid")
    assert not alive(pid)
    assert any(line.startswith(f"{pid} sh -c") for line in done.running)
    assert any("sleep 60" in line for line in done.running)


def test_nothing_is_left_after_a_good_end(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    done = bounded.run(["/bin/sh", "-c", ORPHAN % file + f"while ! [ -s {file} ]; do sleep 0.1; done; exit 7"], 20)
    assert done.status == 7 and done.running == []
    assert not alive(orphan_of(file))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_who_is_told_to_end_takes_all_along(tmp_path: Path, number: signal.Signals) -> None:
    file = tmp_path / "pid"
    script = ORPHAN % file + "while :; do sleep 60; done"
    inner = f"import bounded; bounded.end_all_when_ended(); bounded.run(['/bin/sh', '-c', {script!r}], 60)"
    runs = subprocess.Popen([sys.executable, "-c", inner], cwd=ROOT / "scripts", stderr=subprocess.PIPE)
    pid = orphan_of(file)
    runs.send_signal(number)
    assert runs.communicate(timeout=20)[1] == b""
    assert runs.returncode == 128 + number
    assert not alive(pid)


def test_what_cannot_start_has_failed(tmp_path: Path) -> None:
    done = bounded.run([str(tmp_path / "not built")], 1)
    assert (done.status, done.output) == (127, f"{tmp_path}/not built: No such file or directory\n")


def test_others_are_left_alone() -> None:
    """Two at once, as the rungs run: the one that is killed takes nothing of the other's along."""
    inner = "import bounded; d = bounded.run(['sleep', '60'], 1); print(d.status, len(d.running))"
    done = bounded.run([sys.executable, "-c", inner], 30, ROOT / "scripts")
    assert (done.output, done.status) == ("None 1\n", 0)
    assert bounded._processes(os.environ.get(bounded.MARK, "") + "/no such") == {}


def test_what_must_be_the_same_in_all_modes_of_a_processor(runner: ModuleType) -> None:
    oos, ept = runner.Mode("m", "shadow", "oos"), runner.Mode("m", "ept")
    other = runner.Mode("n", "ept")
    said = runner.same_lines("SAME a: b: 0x1\r\nx SAME c: 2\n")
    assert said == {"a: b": "0x1"}
    assert runner.disagreements({oos: said, ept: {"a: b": "0x1"}, other: {"a: b": "0x2"}}) == []
    assert runner.disagreements({oos: said, ept: {}}) == []
    assert runner.disagreements({oos: said, ept: {"a: b": "0x2"}}) == ["not the same: a: b: 0x1 (m oos), 0x2 (m ept)"]


def test_a_hanging_system_test_fails_and_is_named(
    runner: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "test_some.py").write_text(
        "import subprocess, time\n"
        "def test_good(): pass\n"
        "def test_bad(): assert False\n"
        "def test_hangs(): subprocess.run(['sleep', '1000'])\n"
    )
    for name in [n for n in os.environ if n.startswith("PYTEST")]:
        monkeypatch.delenv(name)
    count = runner.system_tests(tmp_path, 12)
    assert (count.passed, count.failed, count.skipped) == (1, 2, 0)
    said = capsys.readouterr().out
    assert "no end after 12 s" in said
    assert any("sleep 1000" in line and "::test_hangs" in line for line in said.splitlines())


def test_slow_tests_go_on_where_they_were_stopped(
    runner: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(ROOT / "tests/system/conftest.py", tmp_path)
    (tmp_path / "test_some.py").write_text(
        "import pathlib, pytest\n"
        "pytestmark = pytest.mark.slow\n"
        "mended = pathlib.Path(__file__).with_name('mended').exists()\n"
        "@pytest.fixture\n"
        "def torn(): yield; assert mended\n"
        "def test_good(): pathlib.Path(__file__).with_name('ran').open('a').write('x')\n"
        "def test_good_too(): pass\n"
        "def test_bad(): assert mended\n"
        "def test_bad_end(torn): pass\n"
    )
    for name in [n for n in os.environ if n.startswith("PYTEST")]:
        monkeypatch.delenv(name)
    passed = tmp_path / "lists/passed"
    ends = []
    for _ in range(3):
        count = runner.system_tests(tmp_path, 60, slow=True, passed=passed)
        ends.append((count.passed, count.failed, len(passed.read_text().splitlines())))
        (tmp_path / "mended").touch()
    assert ends == [(3, 2, 2), (4, 0, 4), (4, 0, 4)]
    assert (tmp_path / "ran").read_text() == "x"
    assert "4 are there and not run again" in capsys.readouterr().out


def test_what_passed_is_kept_by_what_is_tested(runner: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*words: str) -> None:
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *words], cwd=tmp_path, check=True)

    monkeypatch.setattr(runner, "ROOT", tmp_path)
    monkeypatch.setattr(runner.facts, "ROOT", tmp_path)
    assert runner.passed_before() is None
    git("init", "-q")
    (tmp_path / ".gitignore").write_text("/build/\n")
    git("add", ".gitignore")
    git("commit", "-q", "-m", "one")
    one = runner.passed_before()
    assert one is not None and one.parent == tmp_path / "build/slow"
    assert runner.passed_before() == one
    (tmp_path / "new").touch()
    assert runner.passed_before() is None
    git("add", "new")
    git("commit", "-q", "-m", "two")
    two = runner.passed_before()
    assert two not in (None, one)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/page.md").touch()
    (tmp_path / "README.md").touch()
    assert runner.passed_before() is None
    git("add", "docs", "README.md")
    git("commit", "-q", "-m", "three")
    assert runner.passed_before() == two
    git("rm", "-q", "new")
    git("commit", "-q", "-m", "four")
    assert runner.passed_before() == one


@pytest.mark.parametrize(
    ("output", "status", "expected"),
    [
        ("x\n===== 3 passed, 2 skipped in 1.00s =====\n", 0, (3, 0, 2)),
        ("FAILED: 9 failed\n===== 1 failed, 3 passed, 2 errors in 1.00s =====\n", 1, (3, 3, 0)),
        ("===== 1 passed, 1 error in 1.00s =====\n", 1, (1, 1, 0)),
        ("INTERNALERROR> 5 passed\n", 3, (0, 1, 0)),
        ("===== 5 passed in 61.20s (0:01:01) =====\nlast words of a worker\n", 0, (5, 0, 0)),
        ("", 1, (0, 1, 0)),
        ("===== no tests ran in 0.01s =====\n", 5, (0, 1, 0)),
    ],
)
def test_what_pytest_says(runner: ModuleType, output: str, status: int, expected: tuple[int, int, int]) -> None:
    count = runner.pytest_count(bounded.Ended(output, status, []))
    assert (count.passed, count.failed, count.skipped) == expected


@pytest.mark.parametrize(
    ("says", "status", "expected"),
    [
        ("[       OK ] a\n[       OK ] b\n", 0, (2, 0, 0)),
        ("[       OK ] a\n[  FAILED  ] b\n[  FAILED  ] b\n", 1, (1, 1, 0)),
        ("[       OK ] a\nsanitizer: no\n", 1, (1, 1, 0)),
        ("[       OK ] a\n[  SKIPPED ] b\n", 0, (1, 0, 1)),
        ("", 0, (0, 1, 0)),
    ],
    ids=["passes", "fails", "crashes", "skips", "is silent"],
)
def test_what_a_unit_test_says(
    runner: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    says: str,
    status: int,
    expected: tuple[int, int, int],
) -> None:
    binary = tmp_path / "build/unit/test_some"
    binary.parent.mkdir(parents=True)
    binary.write_text(f"#!/bin/sh\ncat <<'E'\n{says}E\nexit {status}\n")
    binary.chmod(0o755)
    monkeypatch.setattr(runner, "ROOT", tmp_path)
    text, count = runner.unit_test(Path("test_some.c"))
    assert (count.passed, count.failed, count.skipped) == expected
    assert (says in text) == bool(count.failed) or not says


def test_a_guest_that_does_not_end(runner: ModuleType) -> None:
    assert runner.guest_verdict("cpuid", None) == "failed"
    assert runner.guest_verdict("cpuid", {"end": "exit", "status": 3}) == "failed"
    assert runner.guest_verdict("triple", {"end": "exit", "status": 1}) == "failed"
    assert runner.guest_verdict("triple", {"end": "triple", "status": 0}) == "passed"
    assert runner.guest_verdict("cpuid", {"end": "exit", "status": runner.PASS_STATUS}) == "passed"
    assert runner.guest_verdict("cpuid", {"end": "exit", "status": runner.SKIP_STATUS}) == "skipped"
    good, crash = {"end": "exit", "status": runner.PASS_STATUS}, {"end": "crash", "status": 0}
    assert [runner.guest_verdict("real-mode", good, m) for m in ("ept", "shadow")] == ["passed", "failed"]
    assert [runner.guest_verdict("real-mode", crash, m) for m in ("ept", "shadow")] == ["failed", "passed"]
