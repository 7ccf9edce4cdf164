# SPDX-License-Identifier: BSD-2-Clause
"""Machines and inputs that are not as they should be, and machines of several processors."""

from __future__ import annotations

import subprocess
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


PENRYN = ("--engine", "bochs", "--cpu-model", "core2_penryn_t9600")


def test_without_ept_shadow_paging_is_taken(triptych: Starter) -> None:
    run = triptych(*TINY, *PENRYN)
    assert run.finish(120) == 0
    assert 'WARN no two-level paging: this CPU does not have "enable EPT"' in run.log()
    assert "WARN linux: no EPT here: shadow paging is used" in run.log()
    assert run.machine_lines("vm")[0]["status"] == 1
    assert run.machine_lines("shadow")


def test_without_ept_none_is_promised(triptych: Starter) -> None:
    run = triptych(*TINY, *PENRYN, "--mmu", "ept")
    assert run.finish(120) == 1
    assert "mmu=ept is not to be had" in str(run.machine_lines("vm")[0]["why"])


@pytest.mark.parametrize("model", ["core2_penryn_t9600", "corei7_skylake_x"])
def test_real_mode_under_shadow_paging(triptych: Starter, model: str) -> None:
    kernel = str(ROOT / "build/guest/real-mode.elf")
    run = triptych(*TINY, "--engine", "bochs", "--cpu-model", model, "--mmu", "shadow", "--kernel", kernel)
    assert run.finish(120) == 1
    end = run.machine_lines("vm")[0]
    assert end["end"] == "crash"
    assert str(end["why"]).startswith("real mode (CR0.PE is 0) takes EPT")


def test_preflight_without_ept() -> None:
    command = [str(ROOT / "scripts/triptych"), "preflight", *PENRYN]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=120, cwd=ROOT)
    text = done.stdout + done.stderr
    assert done.returncode == 0, text
    assert "what follows is about guests with mmu=shadow, all that can run here" in text
    assert "missing  activate VMX-preemption timer" in text and "MISSING" not in text
