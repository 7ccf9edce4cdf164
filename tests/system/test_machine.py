# SPDX-License-Identifier: BSD-2-Clause
"""Machines and inputs that are not as they should be, and machines of several processors."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT, Starter, own_mode, quick

sys.path.insert(0, str(ROOT / "scripts"))

from triptych_lib import bochs, doctor, iso  # noqa: E402

GUEST = ROOT / "build/guest/cpuid.elf"
TINY = ("--kernel", str(GUEST), "--boot", "elf", "--initrd", "", "--append", "", "--mem", "16M", "--testdev")


@quick
@pytest.mark.parametrize("cpus", [1, 2, 4])
def test_all_processors_come_up(in_each_mode: Starter, cpus: int) -> None:
    run = in_each_mode(*TINY, "--host-cpus", str(cpus))
    assert run.finish(120) == 0
    assert f"{cpus} of {cpus} processors" in run.log()
    assert [(vm["end"], vm["status"]) for vm in run.machine_lines("vm")] == [("exit", 1)]


def reason(log: list[str]) -> str:
    """Why the machine is off: the one line for programs, at the very end."""
    ends = [line for line in log if line.startswith("@end ")]
    assert len(ends) == 1 and log[-1] == ends[0], log[-5:]
    end = json.loads(ends[0].removeprefix("@end "))
    assert end["status"] == 1
    return str(end["why"])


def run_with_bios(bios: Path, log: Path, *args: str) -> str:
    """`triptych run` in Bochs with another BIOS; why it ended."""
    program = (
        f"import sys; from pathlib import Path; sys.path.insert(0, {str(ROOT / 'scripts')!r})\n"
        f"from triptych_lib import bochs, cli; bochs.BIOS = Path({str(bios)!r}); sys.exit(cli.main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", program, "run", "--engine", "bochs", "--no-interactive", "--log", str(log), *args]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=240)
    assert done.returncode == 1, done.stderr
    return reason(log.read_text(errors="replace").splitlines())


# mov ecx, IA32_FEATURE_CONTROL; rdmsr; or eax, 5 (lock, VMX on); wrmsr: on the first processor, in
# 32-bit code, and on the others, in 16-bit code.
UNLOCKS = {"first": bytes.fromhex("b93a000000 0f32 83c805 0f30"), "others": bytes.fromhex("66b93a000000 0f32 6683c805 0f30")}


@pytest.mark.parametrize(
    ("which", "cpus", "why"),
    [
        ("first", 1, "VT-x is locked off by the firmware (IA32_FEATURE_CONTROL is 0x1)"),
        ("others", 2, "VT-x is locked off on one of the processors"),
    ],
)
def test_locked_off_by_firmware(tmp_path: Path, which: str, cpus: int, why: str) -> None:
    """Bochs' BIOS with one bit changed: it locks VT-x with VMX off, as the set-up of real ones can."""
    rom = bochs.BIOS.read_bytes()
    assert rom.count(UNLOCKS[which]) == 1, "this BIOS is another one"
    bios = tmp_path / "bios"
    bios.write_bytes(rom.replace(UNLOCKS[which], UNLOCKS[which].replace(b"\xc8\x05", b"\xc8\x01")))
    assert run_with_bios(bios, tmp_path / "log", *TINY, "--host-cpus", str(cpus)).startswith(why)


def boot_in_qemu(image: Path, work: Path, *more: str, machine: str = "q35") -> list[str]:
    """Boots an image where there is no VT-x, until the machine is off; the hypervisor's log."""
    com1, com2 = work / "com1", work / "com2"
    command = ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-machine", machine, "-m", "512M", "-cdrom", str(image),
               "-boot", "d", "-display", "none", "-nodefaults", "-no-reboot", "-monitor", "none",
               "-serial", f"file:{com1}", "-serial", f"file:{com2}", *more]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=240)
    assert done.returncode == 0, done.stderr
    log = com2.read_text(errors="replace").splitlines()
    assert not any("panic" in line for line in log)
    return log


@pytest.mark.parametrize("firmware", [(), ("-bios", doctor.OVMF)], ids=["bios", "uefi"])
def test_the_image_boots_by_bios_and_by_uefi(tmp_path: Path, firmware: tuple[str, ...]) -> None:
    """What `make` wrote, on a machine without VT-x: up to the sentence that says so."""
    log = boot_in_qemu(ROOT / "build/triptych.iso", tmp_path, *firmware)
    assert reason(log).startswith("this CPU has no VT-x")
    assert any("1 of 1 processors" in line for line in log)


def test_without_a_guest(tmp_path: Path) -> None:
    """Said before VT-x is asked for."""
    iso.make(iso.Boot("alone", ROOT / "build/triptych.elf", "multiboot2", "log=com2 console=com1"), tmp_path / "alone.iso", True)
    assert reason(boot_in_qemu(tmp_path / "alone.iso", tmp_path)) == "no guest: there is no boot module called vm0.conf"


# ---- preflight

RUNGS = ["core2_penryn_t9600", "corei7_sandy_bridge_2600k", "corei7_skylake_x"]
# What a rung lacks, and a word of what that costs.
LACKS: dict[str, dict[str, str]] = {
    "core2_penryn_t9600": {"enable VPID": "TLB", "activate VMX-preemption timer": "APIC"},
    "corei7_sandy_bridge_2600k": {"1 GB pages in EPT": "TLB", "EPT accessed and dirty bits": "pages", "enable INVPCID": "#UD"},
    "corei7_skylake_x": {"monitor trap flag": "RFLAGS.TF"},  # no processor of Bochs' has it; and this one lacks nothing else
}


@pytest.mark.parametrize("rung", RUNGS)
def test_preflight(rung: str) -> None:
    command = [str(ROOT / "scripts/triptych"), "preflight", "--engine", "bochs", "--cpu-model", rung]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=240)
    assert done.returncode == 0, done.stderr
    found = re.findall(r"preflight: found +(.*)", done.stdout)
    missing = dict(re.findall(r"preflight: missing +(.*?): (.*)", done.stdout))
    assert len(found) > 20 and "MISSING" not in done.stdout and "FORCED" not in done.stdout
    assert all(cost in missing[name] for name, cost in LACKS[rung].items())
    assert rung != "corei7_skylake_x" or set(missing) == set(LACKS[rung])
    assert not set(found) & set(missing)
    without_ept = re.findall(r'preflight: no EPT guests: this CPU does not have "enable EPT".* cost exits', done.stdout)
    assert len(without_ept) == (1 if rung == "core2_penryn_t9600" else 0)
    assert all(len(cost) > 10 for cost in missing.values())


@own_mode("no guest runs")
def test_without_vtx(triptych: Starter) -> None:
    run = triptych(*TINY, "--engine", "tcg")
    assert run.finish(120) == 1
    end = run.machine_lines("end")
    assert len(end) == 1 and "VT-x" in str(end[0]["why"])


@own_mode("no guest runs")
@pytest.mark.parametrize("engine", ["bochs", "tcg"])
def test_too_little_memory(triptych: Starter, engine: str) -> None:
    """Said before VT-x is looked at, so that a machine without it serves too; nobody is left waiting."""
    run = triptych(*TINY, "--engine", engine, "--host-mem", "24M")
    assert run.finish(60) == 1
    assert "too little memory" in str(run.machine_lines("end")[0]["why"])


@quick
def test_guest_memory_that_is_not_there(in_each_mode: Starter) -> None:
    run = in_each_mode("--kernel", str(GUEST), "--boot", "elf", "--initrd", "", "--mem", "900M", "--host-mem", "256M")
    assert run.finish(120) == 1
    assert "900 MB" in str(run.machine_lines("vm")[0]["why"])


@quick
@pytest.mark.parametrize("what", ["garbage", "truncated"])
def test_bad_kernels(in_each_mode: Starter, tmp_path: Path, what: str) -> None:
    image = tmp_path / "kernel"
    image.write_bytes(b"\x5a" * 70000 if what == "garbage" else GUEST.read_bytes()[:5000])
    run = in_each_mode("--kernel", str(image), "--initrd", "", "--append", "")
    assert run.finish(120) in (1, 2)
    if run.machine_lines("vm"):
        assert len(str(run.machine_lines("vm")[0]["why"])) > 20


@own_mode("no guest runs")
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


@own_mode("no guest runs")
def test_unknown_key_in_a_vm_file(triptych: Starter, tmp_path: Path) -> None:
    vm = tmp_path / "a.toml"
    vm.write_text('kernal = "x"\n')
    run = triptych("--vm", str(vm))
    assert run.process.wait(60) == 2
    assert run.process.stderr is not None
    message = run.process.stderr.read().decode()
    assert "kernal" in message and "kernel" in message and "a.toml" in message


@quick
def test_timeout(in_each_mode: Starter) -> None:
    run = in_each_mode("--timeout", "20")
    assert run.finish(60) == 3


PENRYN = ("--engine", "bochs", "--cpu-model", "core2_penryn_t9600")


@own_mode("which mode is taken")
def test_without_ept_shadow_paging_is_taken(triptych: Starter) -> None:
    run = triptych(*TINY, *PENRYN)
    assert run.finish(120) == 0
    assert 'WARN no two-level paging: this CPU does not have "enable EPT"' in run.log()
    assert "WARN linux: no EPT here: shadow paging is used" in run.log()
    assert run.machine_lines("vm")[0]["status"] == 1
    assert run.machine_lines("shadow")


@own_mode("which mode is taken")
def test_without_ept_none_is_promised(triptych: Starter) -> None:
    run = triptych(*TINY, *PENRYN, "--mmu", "ept")
    assert run.finish(120) == 1
    assert "mmu=ept is not to be had" in str(run.machine_lines("vm")[0]["why"])


@own_mode("what shadow paging does not have; the guest real-mode shows it under EPT")
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
