# SPDX-License-Identifier: BSD-2-Clause
"""Machines and inputs that are not as they should be, and machines of several processors."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import ROOT, Starter

GUEST = ROOT / "build/guest/cpuid.elf"
TINY = ("--kernel", str(GUEST), "--boot", "elf", "--initrd", "", "--append", "", "--mem", "16M", "--testdev")


@pytest.mark.parametrize("cpus", [1, 2, 4])
def test_all_processors_come_up(triptych: Starter, cpus: int) -> None:
    run = triptych(*TINY, "--host-cpus", str(cpus))
    assert run.finish(120) == 0
    assert f"{cpus} of {cpus} processors" in run.log()
    assert run.machine_lines("vm")[0] == {"name": "vm", "end": "exit", "status": 1, "why": ""} or (
        run.machine_lines("vm")[0]["status"] == 1
    )


def test_without_vtx(triptych: Starter) -> None:
    run = triptych(*TINY, "--engine", "tcg")
    assert run.finish(120) == 1
    end = run.machine_lines("end")
    assert len(end) == 1 and "VT-x" in str(end[0]["why"])


@pytest.mark.parametrize("engine", ["bochs", "tcg"])
def test_too_little_memory(triptych: Starter, engine: str) -> None:
    """Said before VT-x is looked at, so that a machine without it serves too; nobody is left waiting."""
    run = triptych(*TINY, "--engine", engine, "--host-mem", "24M")
    assert run.finish(60) == 1
    assert "too little memory" in str(run.machine_lines("end")[0]["why"])


def test_guest_memory_that_is_not_there(triptych: Starter) -> None:
    run = triptych("--kernel", str(GUEST), "--boot", "elf", "--initrd", "", "--mem", "900M", "--host-mem", "256M")
    assert run.finish(120) == 1
    assert "900 MB" in str(run.machine_lines("vm")[0]["why"])


@pytest.mark.parametrize("what", ["garbage", "truncated"])
def test_bad_kernels(triptych: Starter, tmp_path: Path, what: str) -> None:
    image = tmp_path / "kernel"
    image.write_bytes(b"\x5a" * 70000 if what == "garbage" else GUEST.read_bytes()[:5000])
    run = triptych("--kernel", str(image), "--initrd", "", "--append", "")
    assert run.finish(120) in (1, 2)
    if run.machine_lines("vm"):
        assert len(str(run.machine_lines("vm")[0]["why"])) > 20


@pytest.mark.parametrize(
    "args",
    [
        ("--mem", "-1"),
        ("--mem", "3"),
        ("--boot", "lilo"),
        ("--kernel", "/nonexistent"),
        ("--vm", "/nonexistent.toml"),
        ("--no-such-option",),
    ],
)
def test_wrong_usage(triptych: Starter, args: tuple[str, ...]) -> None:
    assert triptych(*args).finish(60) == 2


def test_unknown_key_in_a_vm_file(triptych: Starter, tmp_path: Path) -> None:
    vm = tmp_path / "a.toml"
    vm.write_text('kernal = "x"\n')
    run = triptych("--vm", str(vm))
    assert run.process.wait(60) == 2
    assert run.process.stderr is not None
    message = run.process.stderr.read().decode()
    assert "kernal" in message and "kernel" in message and "a.toml" in message


def test_timeout(triptych: Starter) -> None:
    run = triptych("--timeout", "20")
    assert run.finish(60) == 3
