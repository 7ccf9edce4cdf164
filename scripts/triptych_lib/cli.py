# SPDX-License-Identifier: BSD-2-Clause
"""The command line: `triptych run | compare | numbers | iso | root-image | symbols | preflight | doctor`."""

from __future__ import annotations

import argparse
import signal
import shutil
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from . import crash, ctl, doctor, engine, hostdisk, images, iso, rootimage, run, symbolfile, trace, vmconfig
from .compare import command as compare
from .paths import HYPERVISOR
from .run import Options
from .ui import STATUS_CRASHED, STATUS_USAGE, EngineError, Progress, UsageError
from .vmconfig import Vm

VM_OPTIONS = (
    "name", "boot", "kernel", "initrd", "append", "mem", "vcpus", "mmu", "shadow", "io", "mode", "module",
    "disk", "rng", "console", "console_size", "net", "balloon", "virtio", "rings",
    "testdev", "debugexit", "kvmclock", "time", "ple", "counters", "reboot",
)  # fmt: skip
TRACE_MAX = 65536  # TRACE_EXITS_MAX in hv/ctl/trace.h
AT_ONCE_MAX = 4096
RUN_MODES = (*vmconfig.MODES, "native")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}\n{self.format_usage().strip()}")


def _add_vm_options(p: argparse.ArgumentParser) -> None:
    vm = p.add_argument_group("the VM", "from a file, or from options")
    vm.add_argument("--vm", action="append", metavar="FILE.toml", help="a VM file; may be given several times")
    vm.add_argument("--name", help="the VM's name")
    vm.add_argument("--mode", help="hw, pure or para: shorthand for --mmu and --io; native: no hypervisor at all")
    vm.add_argument("--mmu", help="auto, ept, shadow or direct; auto: EPT where the CPU has it")
    vm.add_argument("--shadow", help="oos, sync or vtlb: when shadow page tables follow the guest's")
    vm.add_argument("--io", help="virtio or emulated")
    vm.add_argument(
        "--disk", action="append", metavar="FILE[,ro]",
        help="a disk; what is written to it stays in memory; or blank:64M; image:FILE, which keeps what is written; "
        "part:NAME, uuid:UUID, disk:0: a partition or disk of the machine",
    )
    vm.add_argument("--rng", action="store_true", default=None, help="a source of random bytes")
    vm.add_argument("--console", help="uart or virtio: the device that what is typed goes to")
    vm.add_argument("--console-size", metavar="80x24", help="what --console virtio says; else that of the terminal, with --interactive")
    vm.add_argument("--net", help="none, switch or uplink: a network card on the hypervisor's switch, or on the one that leads out")
    vm.add_argument(
        "--balloon",
        metavar="STEPS",
        help="memory that the guest is asked to give back: sizes with the seconds from which on they hold, such as '128M@5 0@20'",
    )
    vm.add_argument("--virtio", help="pci or mmio: where virtio devices are, on the PCI bus or at places that ACPI names")
    vm.add_argument("--rings", help="packed or split: what virtio devices offer; packed: both")
    vm.add_argument("--boot", help="boot protocol: " + ", ".join(vmconfig.BOOTS))
    vm.add_argument("--kernel", help="bzImage, ELF or multiboot kernel, or debian:cloud-amd64, debian:amd64")
    vm.add_argument("--initrd", help="initial RAM disk; '' for none")
    vm.add_argument("--module", action="append", metavar="FILE[ ARGS]", help="a multiboot or PVH module")
    vm.add_argument("--append", metavar="STR", help="the kernel's command line")
    vm.add_argument("--mem", metavar="256M", help="the guest's memory")
    vm.add_argument("--vcpus", type=int, metavar="N")
    vm.add_argument("--testdev", action="store_true", default=None, help="the device for guest tests")
    vm.add_argument("--debugexit", action="store_true", default=None, help="port 0xF4 ends the VM with a status")
    vm.add_argument("--kvmclock", action="store_true", default=None, help="offer the KVM paravirtual interface")
    vm.add_argument("--time", help="real or virtual: whether the VM's clocks run on while it waits for a CPU")
    vm.add_argument(
        "--no-ple", dest="ple", action="store_false", default=None,
        help="let a vcpu that waits for another, in a PAUSE loop, spin until its slice ends",
    )
    vm.add_argument(
        "--counters", action="store_true", default=None, help="let the guest read its exits by kind, by CPUID"
    )
    vm.add_argument(
        "--no-reboot", dest="reboot", action="store_false", default=None, help="end the VM where it asks for a reset"
    )


def _add_hypervisor_options(p: argparse.ArgumentParser) -> None:
    p.add_argument("--loglevel", choices=("err", "warn", "info", "debug"), default="info", help="the hypervisor's log")
    p.add_argument(
        "--trace", type=int, metavar="N", help="record the exits of each vcpu, and show the last N when its VM ends"
    )
    p.add_argument("--hypervisor", type=Path, default=HYPERVISOR, metavar="FILE", help="another build of it")
    p.add_argument("--at-once", type=int, metavar="N", help="at most N VMs at a time, the others wait; default: all")
    p.add_argument("--hv-args", default="", metavar="STR", help="more of the hypervisor's own command line")


def _add_machine_options(p: argparse.ArgumentParser) -> None:
    host = p.add_argument_group("the machine")
    host.add_argument("--engine", choices=engine.ENGINES, default="auto", help="tcg has no VT-x: to test the refusal")
    host.add_argument("--cpu-model", metavar="NAME", help="Bochs: corei7_skylake_x; KVM: host")
    host.add_argument("--host-cpus", type=int, default=1, metavar="N")
    host.add_argument("--host-mhz", type=int, default=100, metavar="N", help="Bochs: millions of instructions a second")
    host.add_argument("--host-mem", metavar="1G")
    host.add_argument(
        "--host-disk", action="append", default=[], metavar="FILE[,ro]", help="a file as a physical disk of the machine"
    )
    host.add_argument("--rtc", type=int, metavar="S", help="Bochs: its clock starts at S seconds since 1970, and its random numbers are the same every time")
    host.add_argument("--timeout", type=float, metavar="S", help="end it after S seconds with exit status 3")
    host.add_argument("--log", type=Path, metavar="FILE", help="the hypervisor's log goes there")
    host.add_argument("--stats-json", type=Path, metavar="FILE")
    host.add_argument("--keep", type=Path, metavar="DIR", help="keep the boot image and the engine's files there")
    host.add_argument("-v", "--verbose", action="store_true", help="show the hypervisor's log on standard error")


def parser() -> argparse.ArgumentParser:
    top = _Parser(prog="triptych", description="A small bare-metal hypervisor: run guests on it.")
    commands = top.add_subparsers(dest="command", required=True, metavar="run|ctl|compare|numbers|iso|root-image|symbols|preflight|doctor")
    p = commands.add_parser("run", help="run VMs until all have ended")
    _add_vm_options(p)
    _add_machine_options(p)
    _add_hypervisor_options(p)
    p.add_argument(
        "--gdb", type=int, metavar="PORT",
        help="the first VM stands still at its first instruction, until gdb has connected to this TCP port of 127.0.0.1 "
        "and continues (docs/gdb.md); 0: any free port, which standard error names",
    )
    how = p.add_mutually_exclusive_group()
    how.add_argument("--interactive", action="store_true", default=None, help="raw terminal, Ctrl-] leaves")
    how.add_argument("--no-interactive", dest="interactive", action="store_false")
    p.add_argument("--spare", action="append", default=[], metavar="FILE.toml", help="a VM that is only described: `ctl create NAME` makes it")
    p.add_argument("--stay", action="store_true", help="do not end when no VM is left, but at `quit`")
    p.add_argument("--monitor", action="store_true", help="Ctrl-] leads to the hypervisor's monitor; in a terminal, Ctrl-\\ leaves")
    p.add_argument("--no-ctl", dest="ctl", action="store_false", help="without a control channel for `triptych ctl`")
    p = commands.add_parser("ctl", help="look at and steer a run that is under way")
    ctl.add_options(p)
    p = commands.add_parser("compare", help="the same guests natively and in each mode, side by side")
    compare.add_options(p)
    p = commands.add_parser("numbers", help="docs/numbers.md from a results file of compare")
    compare.add_numbers_options(p)
    p = commands.add_parser("iso", help="write a bootable ISO image with the VMs")
    p.add_argument("file", type=Path)
    p.add_argument("--preflight", action="store_true", help="no VM: it reports what the machine can do")
    _add_vm_options(p)
    _add_hypervisor_options(p)
    p = commands.add_parser("root-image", help="make a root file system of Debian packages, for root=/dev/vda")
    p.add_argument("file", type=Path)
    p.add_argument("--size", default="768M", metavar="768M", help="of the image")
    p.add_argument("--package", action="append", default=[], metavar="NAME", help="one more package in it")
    p = commands.add_parser("symbols", help="write a kernel's symbols into a file for gdb")
    p.add_argument("file", type=Path)
    p.add_argument("--kernel", default=images.DEFAULT_KERNEL, help="a bzImage or ELF, or debian:cloud-amd64, debian:amd64")
    p = commands.add_parser("preflight", help="boot the hypervisor alone: what can this machine's VT-x do?")
    _add_machine_options(p)
    _add_hypervisor_options(p)
    commands.add_parser("doctor", help="what can this host do, and what should be installed?")
    return top


def _option(key: str) -> str:
    return "--no-reboot" if key == "reboot" else "--" + {"modules": "module"}.get(key, key)


def _disk(text: str) -> dict[str, Any]:
    name = text.removesuffix(",ro")
    return {**vmconfig.parse_disk(name), "readonly": name != text}


def _check_names(vms: list[Vm]) -> None:
    names = [vm.name for vm in vms]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise UsageError(f"--vm: two VMs are named {twice[0]!r}; give each a name of its own")


def vms_of(args: argparse.Namespace) -> tuple[list[Vm], bool]:
    """The VMs that the options describe, and whether they are to run without the hypervisor."""
    given: dict[str, Any] = {k: getattr(args, k) for k in VM_OPTIONS if getattr(args, k) is not None}
    native = given.get("mode") == "native"
    if native:
        del given["mode"]
    if args.vm:
        if given:
            raise UsageError(f"{_option(next(iter(given)))}: with --vm, the VM file says this")
        vms = [vmconfig.from_toml(Path(f)) for f in args.vm]
        _check_names(vms)
        return vms, native
    if "mode" in given and given["mode"] not in RUN_MODES:
        raise UsageError(f"--mode: one of {', '.join(RUN_MODES)} is expected, not {given['mode']!r}")
    if "module" in given:
        split = [m.partition(" ") for m in given.pop("module")]
        given["modules"] = [{"file": f, "args": a} for f, _, a in split]
    if "disk" in given:
        given["disk"] = [_disk(d) for d in given.pop("disk")]
    return [vmconfig.from_mapping(given, "", _option)], native


def _hv_args(args: argparse.Namespace) -> str:
    if args.trace is None:
        return str(args.hv_args)
    if not 1 <= args.trace <= TRACE_MAX:
        raise UsageError(f"--trace: a number from 1 to {TRACE_MAX} is expected")
    return f"{args.hv_args} trace={args.trace}".lstrip()


def _check_at_once(n: int | None) -> None:
    if n is not None and not 1 <= n <= AT_ONCE_MAX:
        raise UsageError(f"--at-once: a number from 1 to {AT_ONCE_MAX} is expected")


def options_of(args: argparse.Namespace, native: bool) -> Options:
    opts = Options(
        engine=args.engine,
        cpu_model=args.cpu_model,
        host_cpus=args.host_cpus,
        host_mhz=args.host_mhz,
        rtc=args.rtc,
        timeout=args.timeout,
        log=args.log,
        stats_json=args.stats_json,
        verbose=args.verbose,
        native=native,
        loglevel=args.loglevel,
        hv_args=_hv_args(args),
        hypervisor=args.hypervisor,
        trace=bool(args.trace),
        gdb=getattr(args, "gdb", None),
        at_once=args.at_once,
        keep=args.keep,
        host_disks=[hostdisk.HostDisk(Path(d.removesuffix(",ro")), d.endswith(",ro")) for d in args.host_disk],
    )
    if args.host_mem is not None:
        try:
            opts.host_mem = vmconfig.parse_size(args.host_mem)
        except ValueError as e:
            raise UsageError(f"--host-mem: {e}") from e
        if opts.host_mem < 1 << 20:
            raise UsageError("--host-mem: at least 1M is expected")
    _check_at_once(opts.at_once)
    if not 1 <= opts.host_cpus <= 16:
        raise UsageError("--host-cpus: a number from 1 to 16 is expected")
    if not 10 <= opts.host_mhz <= 4000:
        raise UsageError("--host-mhz: a number from 10 to 4000 is expected")
    if opts.rtc is not None and not 1 < opts.rtc < 1 << 31:
        raise UsageError("--rtc: seconds since 1970 are expected, less than 2147483648")
    if opts.gdb is not None and not (0 <= opts.gdb < 1 << 16 and not native):
        raise UsageError("--gdb: a TCP port from 0 to 65535 is expected, and no --mode native")
    if opts.timeout is not None and not opts.timeout > 0:
        raise UsageError("--timeout: a number of seconds above 0 is expected")
    return opts


def _finish(result: run.Result, opts: Options) -> int:
    if opts.trace:
        sys.stderr.writelines(line + "\n" for line in trace.report(result.transcript))
    for left in result.transcript.crashes:
        sys.stderr.write(crash.report(left))
    if opts.stats_json:
        run.write_stats(opts.stats_json, result, opts)
    if result.verdict.sentence:
        sys.stderr.write(f"triptych: {result.verdict.sentence}\n")
    return result.verdict.status


def _run(args: argparse.Namespace) -> int:
    vms, native = vms_of(args)
    opts = options_of(args, native)
    opts.ctl, opts.monitor, opts.stay = args.ctl and not native, args.monitor, args.stay
    if native and (args.monitor or args.stay or args.spare):
        raise UsageError("--monitor, --stay and --spare are the hypervisor's: not with --mode native")
    spare = [vmconfig.from_toml(Path(f)) for f in args.spare]
    vms, opts.spare = vms + spare, len(spare)
    _check_names(vms)
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    opts.interactive = terminal if args.interactive is None else args.interactive
    if opts.interactive and not sys.stdin.isatty():
        raise UsageError("--interactive: standard input is no terminal")
    if opts.interactive:
        size = shutil.get_terminal_size()
        vms = [replace(vm, console_size=vm.console_size or f"{size.columns}x{size.lines}") for vm in vms]
    return _finish(run.run(opts, vms, Progress()), opts)


def _preflight(args: argparse.Namespace) -> int:
    opts = options_of(args, native=False)
    opts.hv_args = f"preflight {opts.hv_args}".rstrip()
    result = run.run(opts, [], Progress())
    if not opts.verbose:
        for line in result.transcript.lines:
            if not line.startswith("@"):
                print(line)
    return _finish(result, opts)


def _iso(args: argparse.Namespace) -> int:
    opts = Options(loglevel=args.loglevel, hv_args=_hv_args(args), hypervisor=args.hypervisor, at_once=args.at_once)
    _check_at_once(opts.at_once)
    vms: list[Vm] = []
    if args.preflight:
        opts.hv_args = f"preflight {opts.hv_args}".rstrip()
    else:
        vms, opts.native = vms_of(args)
        if any(d.image for vm in vms for d in vm.disk):
            raise UsageError("--disk image: is a disk of the emulated machine; a boot image names part:, uuid: or disk:")
    if not args.file.parent.is_dir():
        raise UsageError(f"{args.file}: {args.file.parent} is not a directory")
    progress = Progress()
    boot, _ = run.boot_image(opts, vms, progress)
    with progress.step(f"writing {args.file}"):
        iso.make(boot, args.file, timeout=0)
    return 0


def _root_image(args: argparse.Namespace) -> int:
    try:
        size = vmconfig.parse_size(args.size)
    except ValueError as e:
        raise UsageError(f"--size: {e}") from e
    rootimage.make(args.file, size, args.package, Progress())
    return 0


def _symbols(args: argparse.Namespace) -> int:
    symbolfile.write(args.kernel, args.file, Progress())
    return 0


def _doctor(_: argparse.Namespace) -> int:
    return doctor.report(engine.probe(), HYPERVISOR.exists())


COMMANDS = {
    "run": _run,
    "ctl": ctl.main,
    "compare": compare.compare,
    "numbers": compare.print_numbers,
    "iso": _iso,
    "root-image": _root_image,
    "symbols": _symbols,
    "preflight": _preflight,
    "doctor": _doctor,
}


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)


def main(argv: list[str]) -> int:
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _terminate)
    try:
        args = parser().parse_args(argv)
        return COMMANDS[args.command](args)
    except UsageError as e:
        sys.stderr.write(f"triptych: {e}\n")
        return STATUS_USAGE
    except EngineError as e:
        sys.stderr.write(f"triptych: {e}\n")
        return STATUS_CRASHED
    except KeyboardInterrupt:
        sys.stderr.write("triptych: interrupted\n")
        return 130
