# SPDX-License-Identifier: BSD-2-Clause
"""The parts of the triptych command that need no emulator: choices, checks, formats, verdicts."""

from __future__ import annotations

import ctypes
import gzip
import json
import os
import re
import stat
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conftest import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

from triptych_lib import bochs, bzimage, cli, cpio, engine, hostdisk, initramfs, iso, kmodules, protocol, qemu, rootimage, run, vmconfig  # noqa: E402
from triptych_lib.ui import Progress, UsageError  # noqa: E402

INTEL = "processor\t: 0\nflags\t\t: fpu vme vmx sse2\n"
AMD = "processor\t: 0\nflags\t\t: fpu vme svm sse2\n"
LOOKALIKE = "flags\t\t: fpu vmxoff\nvmx flags\t: ept vpid\n"
HOST = bochs.Host("host", 2, 1024)


# ---- the choice of an engine


def probe(tmp_path: Path, cpuinfo: str, device: bool, offers: bool | OSError) -> engine.HostProbe:
    info = tmp_path / "cpuinfo"
    info.write_text(cpuinfo)
    kvm = tmp_path / "kvm"
    if device:
        kvm.write_bytes(b"")

    def answer(_: int) -> bool:
        if isinstance(offers, OSError):
            raise offers
        return offers

    host = engine.probe(str(info), str(kvm), answer)
    host.tools["qemu-system-x86_64"] = True
    return host


@pytest.mark.parametrize(
    ("cpuinfo", "device", "offers", "chosen", "problem"),
    [
        (INTEL, True, True, "kvm", ""),
        (INTEL, True, False, "bochs", "offers no VMX"),
        (INTEL, True, OSError(25, "Inappropriate ioctl for device"), "bochs", "KVM_GET_SUPPORTED_CPUID"),
        (INTEL, False, True, "bochs", "No such file"),
        (AMD, True, True, "bochs", "no vmx flag"),
        (LOOKALIKE, True, True, "bochs", "no vmx flag"),
        ("", True, True, "bochs", "no vmx flag"),
    ],
)
def test_kvm_only_where_all_three_are_there(
    tmp_path: Path, cpuinfo: str, device: bool, offers: bool | OSError, chosen: str, problem: str
) -> None:
    host = probe(tmp_path, cpuinfo, device, offers)
    assert engine.choose("auto", host) == chosen
    assert problem in host.problem


def test_an_engine_that_is_named_is_taken(tmp_path: Path) -> None:
    host = probe(tmp_path, INTEL, True, True)
    assert [engine.choose(e, host) for e in ("bochs", "kvm", "tcg")] == ["bochs", "kvm", "tcg"]


def test_kvm_needs_qemu(tmp_path: Path) -> None:
    host = probe(tmp_path, INTEL, True, True)
    host.tools["qemu-system-x86_64"] = False
    assert engine.choose("auto", host) == "bochs"


def test_a_file_that_is_not_kvm_is_no_engine(tmp_path: Path) -> None:
    """The real ioctl on an ordinary file fails, and that is a reason, not a crash."""
    info, kvm = tmp_path / "cpuinfo", tmp_path / "kvm"
    info.write_text(INTEL)
    kvm.write_bytes(b"")
    host = engine.probe(str(info), str(kvm))
    assert not host.kvm and "KVM_GET_SUPPORTED_CPUID" in host.problem


def test_the_layout_that_the_kernel_fills() -> None:
    """struct kvm_cpuid2: two words, then entries of ten words; the ioctl's number holds the size of the header."""
    assert ctypes.sizeof(engine._CpuidEntry) == 40
    assert ctypes.sizeof(engine._Cpuid) == 8 + 40 * engine.CPUID_ENTRIES
    assert engine.KVM_GET_SUPPORTED_CPUID == (3 << 30) | (8 << 16) | (0xAE << 8) | 0x05


# ---- QEMU's command line


def value_of(command: list[str], option: str) -> str:
    return command[command.index(option) + 1]


def test_kvm_command_line() -> None:
    command = qemu.command("kvm", HOST, Path("/x/boot.iso"), (1111, 2222), "/usr/bin/qemu-system-x86_64")
    assert command[0] == "/usr/bin/qemu-system-x86_64"
    expected = {
        "-accel": "kvm", "-cpu": "host", "-machine": "q35", "-smp": "2", "-m": "1024M",
        "-cdrom": "/x/boot.iso", "-boot": "d", "-display": "none", "-monitor": "none",
    }  # fmt: skip
    assert {k: value_of(command, k) for k in expected} == expected
    assert "-no-reboot" in command and "-nodefaults" in command


def test_com1_is_the_console_and_com2_the_log() -> None:
    command = qemu.command("kvm", HOST, Path("i"), (1111, 2222))
    chardevs = [command[i + 1] for i, word in enumerate(command) if word == "-chardev"]
    serials = [command[i + 1] for i, word in enumerate(command) if word == "-serial"]
    assert serials == ["chardev:com1", "chardev:com2"]
    assert "id=com1" in chardevs[0] and "port=1111" in chardevs[0] and "host=127.0.0.1" in chardevs[0]
    assert "id=com2" in chardevs[1] and "port=2222" in chardevs[1]
    assert all("server=off" in c for c in chardevs)


@pytest.mark.parametrize(
    ("accel", "model", "cpu"),
    [
        ("kvm", "host", "host"),
        ("kvm", "Skylake-Server", "Skylake-Server,+vmx"),
        ("kvm", "Skylake-Server,+vmx", "Skylake-Server,+vmx"),
        ("tcg", "max", "max"),
    ],
)
def test_a_named_model_gets_vmx_under_kvm(accel: str, model: str, cpu: str) -> None:
    assert value_of(qemu.command(accel, bochs.Host(model, 1, 64), Path("i"), (1, 2)), "-cpu") == cpu


# ---- Bochs


@pytest.mark.parametrize(
    ("megs", "line"),
    [
        (512, "megs: 512"),
        (2048, "megs: 2048"),
        (2049, "memory: guest=2049, host=2048"),
        (3072, "memory: guest=3072, host=2048"),
        (6144, "memory: guest=7168, host=2048"),
    ],
)
def test_bochs_memory_above_2_gb_goes_to_a_file(megs: int, line: str) -> None:
    assert bochs.memory_line(megs) == line
    assert line in bochs.config(bochs.Host("m", 1, megs), Path("i"), (1, 2), Path("l")).splitlines()


def test_bochs_config_names_cpu_and_ports() -> None:
    text = bochs.config(bochs.Host("corei7_skylake_x", 4, 64), Path("/x/b.iso"), (11, 22), Path("/x/log"))
    assert "cpu: model=corei7_skylake_x, count=4, ips=100000000, reset_on_triple_fault=0" in text
    assert "com1: enabled=1, mode=socket-client, dev=127.0.0.1:11" in text
    assert "com2: enabled=1, mode=socket-client, dev=127.0.0.1:22" in text
    assert "clock: sync=none, time0=utc" in text


@pytest.mark.parametrize(
    ("text", "powered_off", "ticks", "why"),
    [
        ("04742062106p[ACPI  ] >>PANIC<< ACPI control: soft power off\n04742062107i[SIM   ] quit\n", True, 4742062107, "soft power"),
        ("123456789012p[CPU0  ] >>PANIC<< triple fault\n", False, 123456789012, "triple fault"),
        ("no line of Bochs\n", False, None, "without a word"),
    ],
)
def test_what_the_log_of_bochs_says(tmp_path: Path, text: str, powered_off: bool, ticks: int | None, why: str) -> None:
    log = tmp_path / "log"
    log.write_text(text)
    end = bochs.read_log(log)
    assert (end.powered_off, end.ticks) == (powered_off, ticks) and why in end.why


def test_bochs_without_a_log(tmp_path: Path) -> None:
    assert not bochs.read_log(tmp_path / "none").powered_off


# ---- the boot medium


@pytest.mark.parametrize(
    ("word", "quoted"),
    [("loglevel=info", "loglevel=info"), ("a$b", "'a$b'"), ("x'y", "'x'\\''y'"), ("a;b", "'a;b'"), ("", "''")],
)
def test_words_for_grub(word: str, quoted: str) -> None:
    assert iso.quote(word) == quoted


def test_grub_config_of_the_hypervisor() -> None:
    boot = iso.Boot("Triptych", Path("/b/triptych.elf"), "multiboot2", "log=com2", [iso.Module("vm0.conf", b"x")])
    lines = [line.strip() for line in iso.grub_config(boot).splitlines()]
    assert "multiboot2 /boot/triptych.elf log=com2" in lines
    assert "module2 --nounzip /boot/vm0.conf vm0.conf" in lines
    assert "set gfxpayload=text" in lines


def test_grub_config_of_linux_alone() -> None:
    boot = iso.Boot("L", Path("/b/vmlinuz"), "linux", "console=ttyS0 a;b", [iso.Module("vm0.initrd", b"x")])
    lines = [line.strip() for line in iso.grub_config(boot).splitlines()]
    assert "linux /boot/vmlinuz console=ttyS0 'a;b'" in lines and "initrd /boot/vm0.initrd" in lines


# ---- VM descriptions


def toml(tmp_path: Path, text: str) -> vmconfig.Vm:
    path = tmp_path / "some vm.toml"
    path.write_text(text)
    return vmconfig.from_toml(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('kernal = "x"', ["kernal", "did you mean 'kernel'"]),
        ('mem = "3"', ["mem", "such as 256M"]),
        ("mem = 256", ["mem", "string"]),
        ('mem = "3M"', ["mem", "multiple of 2M"]),
        ('mem = "2M"', ["mem", "from 4M"]),
        ('mem = "514G"', ["mem", "4M to 512G"]),
        ('boot = "pvhh"', ["boot", "did you mean 'pvh'", "linux64"]),
        ("vcpus = 0", ["vcpus", "1 to 16"]),
        ("vcpus = 17", ["vcpus", "1 to 16"]),
        ("vcpus = true", ["vcpus", "1 to 16"]),
        ('testdev = "yes"', ["testdev", "true or false"]),
        ('name = "a b"', ["name", "31"]),
        (f'name = "{"x" * 32}"', ["name", "31"]),
        (f'append = "{"x" * 2048}"', ["append", "2047", "2048"]),
        ('append = "a\\nmem=1G"', ["append", "control characters"]),
        ('mode = "native"', ["mode", "hw"]),
        ("modules = [1]", ["modules", "file"]),
        ('modules = [{ path = "x" }]', ["modules", "file"]),
        ('modules = [{ file = "x", args = "a\\nb" }]', ["modules", "control characters"]),
        ("name = ", ["not TOML"]),
    ],
)
def test_errors_of_a_vm_file_name_file_key_and_what_is_valid(tmp_path: Path, text: str, words: list[str]) -> None:
    with pytest.raises(UsageError) as error:
        toml(tmp_path, text)
    for word in ["some vm.toml", *words]:
        assert word in str(error.value)


def test_a_vm_file(tmp_path: Path) -> None:
    vm = toml(tmp_path, 'kernel = "k"\ninitrd = ""\nmode = "pure"\nmem = "1G"\nmodules = ["m", {file = "n", args = "a b"}]')
    assert (vm.name, vm.kernel, vm.initrd) == ("some-vm", str(tmp_path / "k"), "")
    assert (vm.mmu, vm.io, vm.mem) == ("shadow", "emulated", 1 << 30)
    assert vm.modules == [vmconfig.ModuleFile(str(tmp_path / "m")), vmconfig.ModuleFile(str(tmp_path / "n"), "a b")]


def test_the_longest_command_line_is_taken(tmp_path: Path) -> None:
    assert len(toml(tmp_path, f'append = "{"x" * 2047}"').command_line) == 2047


def test_manifest_has_every_key_of_the_hypervisors_header() -> None:
    """Each key that hv/vm/manifest.h documents is written, and no other."""
    header = (ROOT / "hv/vm/manifest.h").read_text().split("*/")[1]
    documented = {line.split("=")[0].split()[-1] for line in header.splitlines() if line.startswith(" *   ") and "=" in line}
    disks = [vmconfig.Disk("f"), vmconfig.Disk(blank=64 << 20, readonly=True), vmconfig.Disk(physical="part:a")]
    vm = vmconfig.Vm(modules=[vmconfig.ModuleFile("f", "one two")], disk=disks, balloon="1M@0", console_size="80x24")
    text = vmconfig.manifest(vm, 3, True)
    assert {line.split("=")[0] for line in text.splitlines()} == documented
    assert "module=vm3.mod0 one two\n" in text and "initrd=vm3.initrd\n" in text and "mem=256M\n" in text
    assert "disk=vm3.disk0\ndisk=blank:64M ro\ndisk=part:a\n" in text


def test_disks_of_a_vm_file(tmp_path: Path) -> None:
    text = 'disk = ["a", { file = "/b", readonly = true }, "blank:4M", { blank = "1G", readonly = true }]\nrng = true'
    vm = toml(tmp_path, text)
    assert vm.disk == [
        vmconfig.Disk(str(tmp_path / "a")),
        vmconfig.Disk("/b", readonly=True),
        vmconfig.Disk(blank=4 << 20),
        vmconfig.Disk(blank=1 << 30, readonly=True),
    ]
    assert vm.rng and vm.devices and not vmconfig.Vm().devices


@pytest.mark.parametrize(
    "text",
    ['disk = "a"', "disk = [1]", "disk = [{}]", 'disk = [{ file = "a", blank = "1M" }]', 'disk = [{ blank = "0M" }]', 'disk = ["blank:513G"]',
     'disk = ["part:a b"]', 'disk = ["uuid:1"]', 'disk = ["disk:x"]', 'disk = ["disk:100"]', 'disk = [{ physical = "a" }]',
     'disk = [{ image = "a", file = "b" }]',
     'disk = ["blank:"]', 'disk = ["blank:x"]', 'disk = [{ file = "a", size = 1 }]', f"disk = {['a'] * 9}"],
)  # fmt: skip
def test_bad_disks(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match="disk"):
        toml(tmp_path, text)


def test_disks_on_the_command_line() -> None:
    args = cli.parser().parse_args(["run", "--disk", "a,ro", "--disk", "blank:2M", "--rng", "--rings", "split"])
    (vm,), _ = cli.vms_of(args)
    assert vm.disk == [vmconfig.Disk("a", readonly=True), vmconfig.Disk(blank=2 << 20)]
    assert vm.rng and vm.rings == "split" and vm.console == "uart"
    (vm,), _ = cli.vms_of(cli.parser().parse_args(["run", "--console", "virtio"]))
    assert vm.console == "virtio" and vm.devices
    (vm,), _ = cli.vms_of(cli.parser().parse_args(["run", "--balloon", "128m@5 0@20"]))
    assert "\nballoon=128M@5 0@20\n" in vmconfig.manifest(vm, 0, False) and vm.devices
    for wrong in ("", "128", "5K", "128M@5 0", "1M@", "1M " * 9):
        with pytest.raises(UsageError, match="--balloon: "):
            cli.vms_of(cli.parser().parse_args(["run", "--balloon", wrong]))
    (vm,), _ = cli.vms_of(cli.parser().parse_args(["run", "--net", "switch"]))
    assert vm.net == "switch" and vm.devices
    (vm,), _ = cli.vms_of(cli.parser().parse_args(["run", "--net", "uplink"]))
    assert vm.net == "uplink" and vm.command_line.endswith(" triptych.net=dhcp")


UUID = "uuid:c12a7328-f81f-11d2-ba4b-00a0c93ec93b"


def test_disks_of_the_machine(tmp_path: Path) -> None:
    vm = toml(tmp_path, f'disk = ["part:root", {{ physical = "{UUID}", readonly = true }}, "disk:2", "image:a.img"]')
    assert vm.disk == [
        vmconfig.Disk(physical="part:root"),
        vmconfig.Disk(physical=UUID, readonly=True),
        vmconfig.Disk(physical="disk:2"),
        vmconfig.Disk(image=str(tmp_path / "a.img")),
    ]
    args = cli.parser().parse_args(["run", "--host-disk", "x", "--host-disk", "y,ro", "--disk", "image:a", "--disk", "image:x"])
    (vm,), _ = cli.vms_of(args)
    (vm,), disks = hostdisk.assign([vm], cli.options_of(args, False).host_disks)
    assert [d.physical for d in vm.disk] == ["disk:2", "disk:0"]
    x, y, a = (hostdisk.HostDisk(Path(name), name == "y") for name in "xya")
    assert disks == [x, y, a]
    lines = bochs.disk_lines((x, y, a))
    assert [line.split(":")[0] for line in lines] == ["ata1", "ata0-slave", "ata1-master", "ata1-slave"]
    assert "mode=flat" in lines[1] and "mode=volatile" in lines[2] and str(Path("x").resolve()) in lines[1]
    words = " ".join(qemu.command("tcg", bochs.Host("max", 1, 512, (x, y)), tmp_path / "i", (1, 2)))
    assert words.count("snapshot=on") == 1 and "drive=disk1,bus=ide.1" in words


def test_bad_host_disks(tmp_path: Path) -> None:
    image = tmp_path / "a"
    with pytest.raises(UsageError, match="No such file"), hostdisk.opened([hostdisk.HostDisk(image)]):
        pass
    for size in (0, 513):
        image.write_bytes(bytes(size))
        with pytest.raises(UsageError, match="not whole sectors"), hostdisk.opened([hostdisk.HostDisk(image)]):
            pass
    image.write_bytes(bytes(1024))
    left_behind = tmp_path / "a.lock"
    left_behind.write_text("")
    with hostdisk.opened([hostdisk.HostDisk(image)]):
        assert not left_behind.exists()
        with pytest.raises(UsageError, match="another run"), hostdisk.opened([hostdisk.HostDisk(image)]):
            pass
    many = [hostdisk.HostDisk(tmp_path / str(n)) for n in range(4)]
    with pytest.raises(UsageError, match="3 disks"):
        hostdisk.assign([], many)
    vm = vmconfig.Vm(disk=[vmconfig.Disk(image=str(image))])
    with pytest.raises(UsageError, match="read-only in another place"):
        hostdisk.assign([vm], [hostdisk.HostDisk(image, True)])


def test_root_image(tmp_path: Path) -> None:
    command = rootimage.bootstrap_command(["fio", "x"], tmp_path / "a.tar")
    assert command[0] == "mmdebstrap" and "--include=fio,x" in command and command[-2:] == ["bookworm", str(tmp_path / "a.tar")]
    with pytest.raises(UsageError, match="at least 384M"):
        rootimage.make(tmp_path / "r", 1 << 20, [], Progress())
    with pytest.raises(UsageError, match="not a directory"):
        rootimage.make(tmp_path / "absent" / "r", 1 << 30, [], Progress())


def test_disks_go_to_the_boot_image(tmp_path: Path) -> None:
    for name in ("k", "d"):
        (tmp_path / name).write_bytes(b"x")
    disks = [vmconfig.Disk(blank=1 << 20), vmconfig.Disk(str(tmp_path / "d"))]
    vm = vmconfig.Vm(kernel=str(tmp_path / "k"), initrd="", disk=disks)
    boot = run.hypervisor_boot([vm], [run.gather(vm, Progress())], "")
    assert {m.name: m.data for m in boot.modules}["vm0.disk1"] == tmp_path / "d"
    assert "vm0.disk0" not in {m.name for m in boot.modules}
    vm.disk = [vmconfig.Disk(str(tmp_path / "absent"))]
    with pytest.raises(UsageError, match="disk .*absent"):
        run.gather(vm, Progress())


def test_devices_need_the_hypervisor(tmp_path: Path) -> None:
    (tmp_path / "k").write_bytes(b"x")
    vm = vmconfig.Vm(kernel=str(tmp_path / "k"), initrd="", rng=True)
    with pytest.raises(UsageError, match="native.*virtio"):
        run.native_boot([vm], [run.gather(vm, Progress())])


# ---- kernel modules


def module(folder: Path, name: str, depends: str, *aliases: str) -> None:
    info = "".join(f"\0{line}" for line in [f"depends={depends}", *(f"alias={a}" for a in aliases), "name=x", ""])
    (folder / "kernel").mkdir(parents=True, exist_ok=True)
    (folder / "kernel" / f"{name}.ko").write_bytes(b"\x7fELF" + info.encode())


def test_modules_are_loaded_after_what_they_need(tmp_path: Path) -> None:
    release = tmp_path / "6.1-x"
    module(release, "top-most", "ring,core", "pci:v00001AF4d*")
    module(release, "core", "ring")
    module(release, "ring", "")
    module(release, "unwanted", "")
    found = {e.path: e.data.decode() for e in kmodules.entries(release, ["top_most", "built_in"])}
    base = "lib/modules/6.1-x"
    assert found[f"{base}/modules.alias"] == "alias pci:v00001AF4d* top_most\n"
    dep = found[f"{base}/modules.dep"].splitlines()
    # modprobe loads from the right to the left
    assert "kernel/top-most.ko: kernel/core.ko kernel/ring.ko" in dep
    assert "kernel/core.ko: kernel/ring.ko" in dep and "kernel/ring.ko:" in dep
    assert f"{base}/kernel/core.ko" in found and f"{base}/kernel/unwanted.ko" not in found


def test_a_module_that_is_missing(tmp_path: Path) -> None:
    module(tmp_path / "r", "a", "b")
    with pytest.raises(UsageError, match="a depends on b"):
        kmodules.entries(tmp_path / "r", ["a"])


@pytest.mark.parametrize(("size", "text"), [(256 << 20, "256M"), (5 << 30, "5G"), (1 << 10, "1K")])
def test_sizes(size: int, text: str) -> None:
    assert vmconfig.format_size(size) == text and vmconfig.parse_size(text) == size


# ---- the command line


def usage_error(*argv: str) -> str:
    with pytest.raises(UsageError) as error:
        args = cli.parser().parse_args(["run", *argv])
        _, native = cli.vms_of(args)
        cli.options_of(args, native)
    return str(error.value)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--mem", "3"], ["--mem", "256M"]),
        (["--mode", "fast"], ["--mode", "native"]),
        (["--boot", "lilo"], ["--boot", "multiboot"]),
        (["--host-mem", "lots"], ["--host-mem"]),
        (["--host-cpus", "0"], ["--host-cpus", "1 to 16"]),
        (["--timeout", "-1"], ["--timeout"]),
        (["--engine", "xen"], ["xen", "bochs"]),
        (["--vm", "a.toml", "--mem", "64M"], ["--mem", "--vm"]),
        (["--disk", "blank:lots"], ["--disk", "256M"]),
        (["--rings", "round"], ["--rings", "packed"]),
    ],
)
def test_wrong_options(argv: list[str], words: list[str]) -> None:
    message = usage_error(*argv)
    assert all(word in message for word in words), message


def test_two_vms_of_one_name(tmp_path: Path) -> None:
    files = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        file = tmp_path / folder / "vm.toml"
        file.write_text("")
        files += ["--vm", str(file)]
    assert "'vm'" in usage_error(*files)


def test_native_is_no_mode_of_a_vm() -> None:
    vms, native = cli.vms_of(cli.parser().parse_args(["run", "--mode", "native"]))
    assert native and vms[0].mmu == "auto"


@pytest.mark.parametrize(("native", "mem", "low", "high"), [(True, 256, 256, 256), (False, 256, 384, 512), (False, 5120, 5248, 5300)])
def test_host_memory(tmp_path: Path, native: bool, mem: int, low: int, high: int) -> None:
    kernel = tmp_path / "k"
    kernel.write_bytes(b"x")
    vm = vmconfig.Vm(mem=mem << 20)
    got = run.host_memory_mb(run.Options(native=native), [vm], [run.Images(kernel, None)])
    assert low <= got <= high
    assert run.host_memory_mb(run.Options(host_mem=99 << 20), [vm], []) == 99


def test_host_memory_is_for_the_vms_that_run_at_a_time(tmp_path: Path) -> None:
    kernel = tmp_path / "k"
    kernel.write_bytes(b"x")
    vms = [vmconfig.Vm(mem=mem << 20) for mem in (256, 512, 1024)]
    found = [run.Images(kernel, None)] * 3

    def needed(at_once: int | None) -> int:
        return run.host_memory_mb(run.Options(at_once=at_once), vms, found)

    assert 256 + 512 + 1024 < needed(None) < 2000
    assert needed(3) == needed(None)
    assert 512 + 1024 < needed(2) < 1750
    assert 1024 < needed(1) < 1200


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("weight = 0", "weight: a number from 1 to 10000"),
        ("weight = 1.5", "weight: a number from 1 to 10000"),
        ("cap = 1601", "cap: a number from 0 to 1600"),
        ("pin = 64", "pin: a number from 0 to 63"),
        ("pin = true", "pin: a number from 0 to 63"),
        ("repeat = 0", "repeat: a number from 1 to 1000000"),
        ('time = "virtul"', "time: one of real, virtual is expected (did you mean"),
        ("ple = 1", "ple: true or false is expected"),
    ],
)
def test_shares_of_a_vm_are_checked(tmp_path: Path, line: str, words: str) -> None:
    file = tmp_path / "vm.toml"
    file.write_text(line + "\n")
    assert words in usage_error("--vm", str(file))


def test_shares_of_a_vm(tmp_path: Path) -> None:
    file = tmp_path / "vm.toml"
    file.write_text('weight = 300\ncap = 50\npin = 1\nrepeat = 7\n')
    lines = vmconfig.manifest(vmconfig.from_toml(file), 0, False).splitlines()
    assert {"weight=300", "cap=50", "pin=1", "repeat=7", "time=real", "ple=yes"} <= set(lines)
    file.write_text('time = "virtual"\nple = false\n')
    assert {"time=virtual", "ple=no"} <= set(vmconfig.manifest(vmconfig.from_toml(file), 0, False).splitlines())
    file.write_text('pin = "any"\n')
    assert "pin=any" in vmconfig.manifest(vmconfig.from_toml(file), 0, False).splitlines()


def test_at_once_is_checked() -> None:
    assert "--at-once" in usage_error("--at-once", "0")
    assert "at-once=3" in run.hypervisor_args(run.Options(at_once=3)).split()


# ---- what the hypervisor says


def said(*lines: str) -> protocol.Transcript:
    log = protocol.Transcript()
    log.feed("".join(line + "\n" for line in lines).encode())
    return log


def vm_line(end: str, status: int = 0, why: str = "") -> str:
    return "@vm " + json.dumps({"name": "v", "end": end, "status": status, "why": why})


END = '@end {"status":0,"why":""}'


@pytest.mark.parametrize(
    ("lines", "vms", "timed_out", "status", "word"),
    [
        ([vm_line("poweroff"), END], 1, False, 0, ""),
        ([vm_line("halt"), vm_line("reset"), END], 2, False, 0, ""),
        ([vm_line("exit", 1), END], 1, False, 0, ""),
        ([vm_line("exit", 3), END], 1, False, 1, "status 3"),
        ([vm_line("triple"), END], 1, False, 1, "triple"),
        ([vm_line("crash", 0, "bytes 0f 0b"), END], 1, False, 1, "bytes 0f 0b"),
        ([vm_line("poweroff"), '@end {"status":1,"why":"no VT-x"}'], 1, False, 1, "no VT-x"),
        ([vm_line("poweroff"), END], 2, False, 1, "only 1 of 2"),
        (["panic: it broke"], 1, False, 1, "it broke"),
        ([], 1, False, 1, "ENGINE"),
        (["booting"], 1, True, 3, "booting"),
        ([vm_line("poweroff"), END], 1, True, 0, ""),
        (["@end {nonsense"], 1, False, 1, "crashed"),
        ([vm_line("crash", 0, "no such kernel"), '@end {"status":1,"why":"VM v: no such kernel"}'], 1, False, 1, "crash: no such kernel"),
    ],
)
def test_verdicts(lines: list[str], vms: int, timed_out: bool, status: int, word: str) -> None:
    verdict = protocol.verdict(said(*lines), vms, timed_out, "ENGINE")
    assert verdict.status == status
    assert word in verdict.sentence and bool(verdict.sentence) == (status != 0)


@pytest.mark.parametrize("line", ["@vm {}", "@vm 1", "@what {}", '@end {"status":"x"}', "@stats", "@stats [1]"])
def test_lines_that_make_no_sense_are_kept_and_do_no_harm(line: str) -> None:
    log = said(line)
    assert log.broken == [line] and log.end is None and not log.vms and not log.stats


def test_one_reason_is_said_once() -> None:
    log = said(vm_line("crash", 0, "no such kernel"), '@end {"status":1,"why":"VM v: no such kernel"}')
    assert protocol.verdict(log, 1, False, "").sentence.count("no such kernel") == 1


def test_lines_arrive_in_pieces() -> None:
    log = protocol.Transcript()
    got = [log.feed(bytes([b])) for b in b"one\r\ntwo\n" + b'@end {"status":0}']
    assert [line for lines in got for line in lines] == ["one", "two"]
    assert log.end is None
    assert log.finish() == ['@end {"status":0}'] and log.end == {"status": 0, "why": ""}


# ---- archives and kernels


def test_cpio_reads_it(tmp_path: Path) -> None:
    entries = [
        cpio.directory("dev"),
        cpio.chardev("dev/console", 5, 1),
        cpio.regular("f", b"seven!!", 0o755),
        cpio.regular("empty", b""),
        cpio.symlink("l", "f"),
    ]
    data = cpio.archive(entries)
    assert data == cpio.archive(entries) and len(data) % 512 == 0
    listed = subprocess.run(["cpio", "-itv", "--quiet"], input=data, capture_output=True, check=True).stdout.decode()
    rows = [row.split() for row in listed.splitlines()]
    assert [row[0] for row in rows] == ["drwxr-xr-x", "crw-------", "-rwxr-xr-x", "-rw-r--r--", "lrwxrwxrwx"]
    assert rows[1][4:6] == ["5,", "1"] and rows[4][-3:] == ["l", "->", "f"]
    subprocess.run(["cpio", "-i", "--quiet", "f", "l"], input=data, cwd=tmp_path, check=True)
    assert (tmp_path / "f").read_bytes() == b"seven!!" and os.readlink(tmp_path / "l") == "f"
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o755


ELF = b"\x7fELF" + bytes(range(200)) * 9


def bzimage_of(packed: bytes, **change: int) -> bytes:
    """A bzImage of three sectors of set-up with a payload 16 bytes behind them."""
    fields: dict[str, Any] = {"setup": 2, "version": 0x20F, "offset": 16, "length": len(packed), **change}
    head = bytearray(3 * 512)
    head[0x1F1] = fields["setup"]
    head[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", head, 0x206, fields["version"])
    struct.pack_into("<II", head, 0x248, fields["offset"], fields["length"])
    return bytes(head) + bytes(16) + packed


def packed_by(how: str) -> bytes:
    """As the kernel's build packs: the unpacked size stands at the end (gzip puts it there itself)."""
    if how == "gzip":
        return gzip.compress(ELF, mtime=0)
    command = {"xz": ["xz", "-c"], "zstd": ["zstd", "-cq"], "lz4": ["lz4", "-lcq"], "bzip2": ["bzip2", "-c"]}[how]
    return subprocess.run(command, input=ELF, capture_output=True, check=True).stdout + struct.pack("<I", len(ELF))


@pytest.mark.parametrize("how", ["gzip", "xz", "zstd", "lz4"])
def test_the_elf_inside_a_bzimage(how: str) -> None:
    assert bzimage.vmlinux(bzimage_of(packed_by(how)), "k") == ELF


@pytest.mark.parametrize("how", ["gzip", "xz", "zstd", "lz4"])
@pytest.mark.parametrize("cut", [1, 8, 40])
def test_a_payload_that_is_cut_short(how: str, cut: int) -> None:
    with pytest.raises(UsageError):
        bzimage.vmlinux(bzimage_of(packed_by(how)[:-cut]), "k")


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "HdrS"),
        (b"\x5a" * 70000, "HdrS"),
        (bzimage_of(b"x", version=0x207), "2.8"),
        (bzimage_of(b"x", length=0), "payload"),
        (bzimage_of(b"x", length=0xFFFFFFFF), "payload"),
        (bzimage_of(b"x", offset=0xFFFFFFF0), "payload"),
        (bzimage_of(b"none of them"), "unknown compression"),
        (bzimage_of(gzip.compress(b"no elf")), "no ELF"),
        (bzimage_of(b"\x1f\x8b\x08" + b"\xff" * 40), "does not unpack"),
        (bzimage_of(b"\xfd7zXZ\x00" + b"\xff" * 40), "does not unpack"),
    ],
    ids=[
        "empty", "no magic", "old", "no length", "long", "far", "unknown", "no ELF", "bad gzip", "bad xz",
    ],
)
def test_bzimages_that_are_refused(data: bytes, word: str) -> None:
    with pytest.raises(UsageError) as error:
        bzimage.vmlinux(data, "the-file")
    assert word in str(error.value) and "the-file" in str(error.value)


# ---- what the pages say


OF_NO_DEVICE = {"msix": "test_msix", "bus": "test_pci", "shadow": "test_shadow"}


def test_each_bad_input_has_its_tests() -> None:
    """The table in docs/virtio.md: forty rows, and each test that they name is there and is run."""
    rows = re.findall(r"^\| (\d+)\*? \| [^|]* \| ([^|]*) \|$", (ROOT / "docs/virtio.md").read_text(), re.M)
    assert [int(number) for number, _ in rows] == list(range(1, 41))
    for number, tests in rows:
        for group in tests.split(";"):
            file, names = group.split(":")
            start = OF_NO_DEVICE.get(file.strip(), f"test_virtio_{file.strip()}")
            text = "".join(source.read_text() for source in (ROOT / "tests/unit").glob(f"{start}*.c"))
            for name in names.split(","):
                assert f"static void {name.strip()}(" in text, f"{number}: {file} has no {name.strip()}"
                assert re.search(rf"(TEST|BOTH|SPLIT|PACKED|SLOW|unit_test\w*)\({name.strip()}\b", text), f"{number}: {name} is not run"


# ---- a multiboot kernel natively, and tracing


def multiboot_file(tmp_path: Path, at: int = 4096, magic: int = 0x1BADB002, checksum: int | None = None) -> Path:
    header = struct.pack("<III", magic, 2, -(magic + 2) & 0xFFFFFFFF if checksum is None else checksum)
    file = tmp_path / "kernel.elf"
    file.write_bytes(bytes(at) + header + bytes(100))
    return file


def test_a_multiboot_header_is_found(tmp_path: Path) -> None:
    assert iso.is_multiboot(multiboot_file(tmp_path))
    assert iso.is_multiboot(multiboot_file(tmp_path, at=8192 - 12))
    assert not iso.is_multiboot(multiboot_file(tmp_path, at=8192))
    assert not iso.is_multiboot(multiboot_file(tmp_path, at=4098))
    assert not iso.is_multiboot(multiboot_file(tmp_path, checksum=5))
    assert not iso.is_multiboot(multiboot_file(tmp_path, magic=0x2BADB002))


def test_a_multiboot_kernel_boots_natively_and_alone(tmp_path: Path) -> None:
    file = multiboot_file(tmp_path)
    vm = vmconfig.Vm(kernel=str(file), append="only=cpuid batches=2")
    boot = run.native_boot([vm], [run.Images(file, None)])
    assert boot.loader == "multiboot"
    assert "\tmultiboot /boot/kernel.elf only=cpuid batches=2" in iso.grub_config(boot).splitlines()
    with pytest.raises(UsageError, match="without initrd"):
        run.native_boot([vm], [run.Images(file, file)])


@pytest.mark.parametrize(("words", "args"), [([], ""), (["--trace", "7"], "trace=7"), (["--trace", "7", "--hv-args", "cpus=1"], "cpus=1 trace=7")])
def test_trace_is_the_hypervisors(words: list[str], args: str) -> None:
    parsed = cli.parser().parse_args(["run", *words])
    opts = cli.options_of(parsed, native=False)
    assert opts.hv_args == args and opts.trace == ("--trace" in words)


@pytest.mark.parametrize("number", ["0", "-1", "65537"])
def test_trace_has_limits(number: str) -> None:
    with pytest.raises(UsageError, match="from 1 to 65536"):
        cli.options_of(cli.parser().parse_args(["run", "--trace", number]), native=False)


def test_packages_are_merged() -> None:
    disk, compiler = {"libc6": ["libc"], "e2fsprogs": ["mke2fs"]}, {"tcc": ["tcc"], "libc6": ["libc", "libm"]}
    assert initramfs.merged(disk, compiler) == {"libc6": ["libc", "libm"], "e2fsprogs": ["mke2fs"], "tcc": ["tcc"]}
    assert disk == {"libc6": ["libc"], "e2fsprogs": ["mke2fs"]}
