# SPDX-License-Identifier: BSD-2-Clause
"""One run: from files to an ISO, from the ISO to a machine, from the machine's words to an exit status."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

from . import bochs, bzimage, console, control, engine, hostdisk, images, initramfs, iso, ledger, protocol, qemu, trace
from .gdbport import GdbPort
from .hostdisk import HostDisk
from .machine import Machine
from .paths import HYPERVISOR
from .protocol import Verdict
from .ui import STATUS_CRASHED, STATUS_OK, STATUS_TIMEOUT, Progress, UsageError
from .vmconfig import Vm, manifest

HOST_MEM_MIN_MB = 512
BENCH_IN_GUEST = "/bin/bench"  # on the kernel's command line
END_GRACE_S = 5.0  # from the hypervisor's last line to the machine's power-off
HOST_MEM_PER_VM = 1 << 20  # what a VM takes beyond its memory, and more
HOST_MEM_OWN_MB = 128  # the hypervisor, GRUB, firmware
MB = 1 << 20


@dataclass
class Options:
    """How to run; what to run is a list of Vm."""

    engine: str = "auto"
    cpu_model: str | None = None
    host_cpus: int = 1
    host_mhz: int = 100
    host_mem: int | None = None  # bytes
    rtc: int | None = None  # seconds since 1970 at the start; None: now
    timeout: float | None = None
    log: Path | None = None
    stats_json: Path | None = None
    interactive: bool = False
    verbose: bool = False
    native: bool = False
    loglevel: str = "info"
    hv_args: str = ""
    hypervisor: Path = HYPERVISOR
    trace: bool = False  # show the last exits at the end
    gdb: int | None = None  # the first VM stands still until gdb, at this TCP port, lets it go on; 0: any port
    at_once: int | None = None  # VMs at a time; None: all
    ctl: bool = False  # a control channel, for `triptych ctl`
    monitor: bool = False  # Ctrl-] is for the hypervisor's monitor
    stay: bool = False  # not to end when no VM is left
    spare: int = 0  # so many of the VMs, the last, are only described, and created by the monitor
    keep: Path | None = None  # a directory for the ISO and the engine's files, kept
    host_disks: list[HostDisk] = field(default_factory=list)
    host_nic: bool = False  # has the machine a network card? A VM on the uplink wants one


@dataclass
class Result:
    verdict: Verdict
    engine: str
    transcript: protocol.Transcript
    seconds: float
    ticks: int | None
    engine_says: str
    host_mem_mb: int


@dataclass
class Images:
    """The files of one VM, found and readable."""

    kernel: Path
    initrd: Path | None
    modules: list[Path] = field(default_factory=list)
    disks: list[Path | None] = field(default_factory=list)  # None: blank

    def size(self) -> int:
        found = [self.kernel, self.initrd, *self.modules, *self.disks]
        return sum(p.stat().st_size for p in found if p is not None)


def _readable(path: Path, what: str) -> Path:
    try:
        with path.open("rb") as f:
            if not f.read(1):
                raise UsageError(f"{what} {path}: the file is empty")
    except OSError as e:
        raise UsageError(f"{what} {path}: {e.strerror}") from e
    return path


def gather(vm: Vm, progress: Progress) -> Images:
    """Finds, fetches or builds what the VM boots from."""
    kernel = _readable(images.kernel_path(vm.kernel, progress), f"VM {vm.name}: kernel")
    if vm.boot == "pvh":
        with progress.step("unpacking the kernel's ELF"):
            kernel = bzimage.cached_vmlinux(kernel, images.cache_dir())
    initrd: Path | None = None
    if vm.initrd:
        initrd = _readable(Path(vm.initrd), f"VM {vm.name}: initrd")
    elif vm.initrd is None and vm.stock:
        initrd = initramfs.build(
            progress,
            drivers_for=vm.kernel if vm.devices else None,
            disks=bool(vm.disk),
            network=vm.net != "none",
            compiler=BENCH_IN_GUEST in vm.command_line,
        )
    modules = [_readable(Path(m.file), f"VM {vm.name}: module") for m in vm.modules]
    disks = [_readable(Path(d.file), f"VM {vm.name}: disk") if d.file else None for d in vm.disk]
    return Images(kernel, initrd, modules, disks)


def hypervisor_boot(vms: list[Vm], found: list[Images], args: str, hypervisor: Path = HYPERVISOR) -> iso.Boot:
    if not hypervisor.exists():
        raise UsageError(f"{hypervisor} is not there: run 'make'")
    modules: list[iso.Module] = []
    for i, (vm, files) in enumerate(zip(vms, found, strict=True)):
        text = manifest(vm, i, files.initrd is not None)
        modules.append(iso.Module(f"vm{i}.conf", text.encode()))
        modules.append(iso.Module(f"vm{i}.kernel", files.kernel))
        if files.initrd:
            modules.append(iso.Module(f"vm{i}.initrd", files.initrd))
        modules += [iso.Module(f"vm{i}.mod{n}", p) for n, p in enumerate(files.modules)]
        modules += [iso.Module(f"vm{i}.disk{n}", p) for n, p in enumerate(files.disks) if p is not None]
    return iso.Boot("Triptych", hypervisor, "multiboot2", args, modules)


def native_boot(vms: list[Vm], found: list[Images]) -> iso.Boot:
    if len(vms) != 1:
        raise UsageError("--mode native boots one kernel: give one VM")
    if vms[0].devices:
        raise UsageError("--mode native: disks and other virtio devices are the hypervisor's")
    if iso.is_multiboot(found[0].kernel):
        if found[0].initrd or found[0].modules:
            raise UsageError("--mode native: a multiboot kernel is booted alone, without initrd or modules")
        return iso.Boot("A kernel alone", found[0].kernel, "multiboot", vms[0].command_line)
    initrd = [iso.Module("vm0.initrd", found[0].initrd)] if found[0].initrd else []
    return iso.Boot("Linux alone", found[0].kernel, "linux", vms[0].command_line, initrd)


def host_memory_mb(opts: Options, vms: list[Vm], found: list[Images]) -> int:
    """What was asked for; or enough: natively the VM's own memory, else the VMs that run at a time, the images and us."""
    if opts.host_mem is not None:
        return opts.host_mem // MB
    largest = sorted((vm.mem + HOST_MEM_PER_VM for vm in vms), reverse=True)
    if opts.native:
        return vms[0].mem // MB
    files = sum(f.size() for f in found) // MB + 1
    blank = sum(d.blank for vm in vms for d in vm.disk) // MB
    return max(HOST_MEM_MIN_MB, sum(largest[: opts.at_once]) // MB + 2 * files + blank + HOST_MEM_OWN_MB)


def _command(opts: Options, name: str, host_mb: int, work: Path, image: Path, ports: tuple[int, ...]) -> list[str]:
    default = bochs.DEFAULT_CPU if name == "bochs" else qemu.DEFAULT_CPU[name]
    host = bochs.Host(
        opts.cpu_model or default,
        opts.host_cpus,
        host_mb,
        tuple(opts.host_disks),
        opts.rtc,
        opts.host_nic,
        opts.host_mhz,
    )
    if name == "bochs":
        return bochs.command(work, host, image, ports)
    return qemu.command(name, host, image, ports, qemu.find_tool())


class _Session:
    """What happens between the machine's start and its end."""

    def __init__(self, opts: Options, progress: Progress, log_file: BinaryIO | None, first: Vm | None) -> None:
        self.opts = opts
        # The VM whose virtio console this terminal is: what is typed is for the first. None: capabilities are reported.
        self.sized = first.name if opts.interactive and first is not None and first.console == "virtio" else ""
        self.progress = progress
        self.log_file = log_file
        self.transcript = protocol.Transcript()
        self.gdb = GdbPort(opts.gdb) if opts.gdb is not None else None
        self.machine = Machine(self._console, self._log, self.gdb)
        self.broker = self._control_channel() if opts.ctl and not opts.native else None
        self.spoke = False
        self.waits_for_gdb = False
        self.left = False
        self.resized = False
        self.timed_out = False
        self.stdout_gone = False

    def _console(self, data: bytes) -> None:
        if not self.spoke:
            self.progress.done()
            self.spoke = True
        if not self.stdout_gone:
            try:
                console.write_out(data)
            except BrokenPipeError:
                self.stdout_gone = True

    def _show(self, lines: list[str]) -> None:
        if not self.opts.verbose or self.log_file is not None:
            return
        self.progress.clear()
        end = "\r\n" if self.opts.interactive else "\n"
        for line in lines:
            if not line.startswith(("@", "{")):
                sys.stderr.write(line + end)
        sys.stderr.flush()

    def _open_gdb(self) -> None:
        """Once, when the hypervisor says that its stub is there."""
        if self.gdb is None or self.transcript.gdb is None or self.waits_for_gdb:
            return
        self.waits_for_gdb = True
        self.gdb.open()
        self.progress.clear()
        end = "\r\n" if self.opts.interactive else "\n"
        sys.stderr.write(
            f"triptych: VM {self.transcript.gdb} waits for gdb: target remote 127.0.0.1:{self.gdb.number}{end}"
        )
        sys.stderr.flush()

    def _log(self, data: bytes) -> None:
        if self.log_file is not None:
            self.log_file.write(data)
            self.log_file.flush()
        lines = self.transcript.feed(data)
        self._show(lines)
        self._open_gdb()
        for line in lines:
            if self.broker is not None and line.startswith("{"):
                self.broker.line(line)

    def _control_channel(self) -> control.Broker | None:
        """A run goes on without, where no socket can be made."""
        try:
            return control.Broker(self.machine.send_log)
        except OSError as e:
            sys.stderr.write(f"triptych: no control channel: {e}\n")
            return None

    def _watched(self) -> list[int]:
        """The clients of the control channel; not while the machine has yet to take what they sent."""
        return [] if self.broker is None or self.machine.log_backlog else self.broker.fds()

    @contextlib.contextmanager
    def following_the_terminal(self) -> Iterator[None]:
        """The guest whose console is on this terminal is told when its size changes."""

        def resized(_signal: int, _frame: object) -> None:
            self.resized = True

        if not self.sized or self.broker is None:
            yield
            return
        before = signal.signal(signal.SIGWINCH, resized)
        try:
            yield
        finally:
            signal.signal(signal.SIGWINCH, before)

    def _tell_size(self) -> None:
        self.resized = False
        size = os.get_terminal_size(sys.stdin.fileno())
        where = {"vm": self.sized, "columns": size.columns, "rows": size.lines}
        request = {"jsonrpc": "2.0", "method": "resize", "params": where}
        self.machine.send_log(json.dumps(request).encode() + b"\n")

    def loop(self) -> None:
        """Until the machine is gone, time is up, or the user leaves."""
        deadline = time.monotonic() + self.opts.timeout if self.opts.timeout is not None else None
        stdin = [sys.stdin.fileno()] if not sys.stdin.closed else []
        alive = True
        ended: float | None = None
        while alive and not self.left and not self.stdout_gone:
            if deadline is not None and time.monotonic() >= deadline:
                self.timed_out = True
                return
            if self.transcript.end is not None:
                ended = ended or time.monotonic()
                if time.monotonic() >= ended + END_GRACE_S:  # a machine that cannot be switched off
                    return
            clients = self._watched()
            alive, ready = self.machine.step(0.2, [*([] if self.machine.backlog else stdin), *clients])
            self.progress.tick()
            if self.resized:
                self._tell_size()
            if stdin and stdin[0] in ready:
                data = os.read(stdin[0], 4096)
                if not data:
                    stdin = []
                leave = console.LEAVE_MONITOR if self.opts.monitor else console.LEAVE
                keys, self.left = console.typed(data, self.opts.interactive, leave)
                self.machine.send(keys)
            if self.broker is not None:
                self.broker.ready([fd for fd in ready if fd in clients])
        self._show(self.transcript.finish())


@contextlib.contextmanager
def _work_directory(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="triptych-") as tmp:
        yield Path(tmp)


def _native_verdict(timed_out: bool, ending: bochs.Ending) -> Verdict:
    if timed_out:
        return Verdict(STATUS_TIMEOUT, "timed out")
    if ending.powered_off:
        return Verdict(STATUS_OK, "")
    return Verdict(STATUS_CRASHED, f"the machine ended: {ending.why}")


def boot_image(opts: Options, vms: list[Vm], progress: Progress) -> tuple[iso.Boot, int]:
    """What to boot, and the host memory in MB that it takes."""
    found = [gather(vm, progress) for vm in vms]
    if opts.native:
        boot = native_boot(vms, found)
    else:
        boot = hypervisor_boot(vms, found, hypervisor_args(opts, len(vms)), opts.hypervisor)
    return boot, host_memory_mb(opts, vms, found)


def hypervisor_args(opts: Options, vms: int = 0) -> str:
    at_once = "" if opts.at_once is None else f" at-once={opts.at_once}"
    words = [f"console=com1 log=com2 loglevel={opts.loglevel}{at_once}"]
    words += ["ctl=com2"] * opts.ctl + ["gdb"] * (opts.gdb is not None) + ["monitor"] * opts.monitor + ["stay"] * opts.stay
    words += [f"start={vms - opts.spare}"] * (opts.spare > 0)
    return " ".join([*words, opts.hv_args]).rstrip()


def _log_file(path: Path | None) -> BinaryIO | None:
    try:
        return path.open("wb") if path else None
    except OSError as e:
        raise UsageError(f"--log {path}: {e.strerror}") from e


def _drive(session: _Session, command: list[str], work: Path, engine_name: str) -> None:
    """Starts the machine, sees it through, and leaves nothing behind."""
    session.progress.start(f"booting in {engine_name}")
    try:
        session.machine.start(command, work)
        if session.opts.interactive:
            session.progress.clear()
            sys.stderr.write(f"triptych: {console.how_to_leave(session.opts.monitor)}\r\n")
        with console.raw_terminal(session.opts.interactive), session.following_the_terminal():
            session.loop()
    finally:
        session.progress.done()
        if session.timed_out or session.left or session.stdout_gone:
            session.machine.kill()
        session.machine.stop()
        if session.broker is not None:
            session.broker.close()
        if session.log_file is not None:
            session.log_file.close()


def _ending(name: str, session: _Session, work: Path) -> bochs.Ending:
    if name == "bochs":
        return bochs.read_log(work / "bochs.log")
    return bochs.Ending(True, None, session.machine.engine_output()[-300:] or "QEMU ended")


def _verdict(session: _Session, vms: int, ending: bochs.Ending) -> Verdict:
    if session.left or session.stdout_gone:
        return Verdict(STATUS_OK, "")
    if session.opts.native:
        return _native_verdict(session.timed_out, ending)
    return protocol.verdict(session.transcript, vms - session.opts.spare, session.timed_out, ending.why)


def _audited(verdict: Verdict, transcript: protocol.Transcript) -> Verdict:
    """A run whose ticks are not all accounted for has not gone well, whatever its VMs say."""
    found = ledger.problems(transcript.stats)
    if verdict.status != STATUS_OK or not found:
        return verdict
    return Verdict(STATUS_CRASHED, "the ledger does not add up: " + "; ".join(found))


def run(opts: Options, vms: list[Vm], progress: Progress) -> Result:
    """Runs the VMs to their end. Errors before anything starts are UsageError."""
    name = engine.choose(opts.engine, engine.probe())
    vms, disks = hostdisk.assign(vms, opts.host_disks)
    opts = replace(opts, host_disks=disks, host_nic=any(vm.net == "uplink" for vm in vms))
    with _work_directory(opts.keep) as work, hostdisk.opened(disks):
        boot, host_mb = boot_image(opts, vms, progress)
        image = work / "boot.iso"
        with progress.step("building the boot image"):
            iso.make(boot, image, bios_only=True)
        session = _Session(opts, progress, _log_file(opts.log), vms[0] if vms else None)
        command = _command(opts, name, host_mb, work, image, session.machine.com_ports)
        start = time.monotonic()
        _drive(session, command, work, "Bochs" if name == "bochs" else f"QEMU ({name})")
        seconds = time.monotonic() - start
        ending = _ending(name, session, work)
        result = _audited(_verdict(session, len(vms), ending), session.transcript)
        if opts.trace:
            trace.resolve(session.transcript.stats, vms, progress)
    return Result(result, name, session.transcript, seconds, ending.ticks, ending.why, host_mb)


def stats(result: Result, opts: Options) -> dict[str, Any]:
    """What --stats-json writes."""
    told = result.transcript.stats
    return {
        "engine": result.engine,
        "mode": "native" if opts.native else "hypervisor",
        "status": result.verdict.status,
        "why": result.verdict.sentence,
        "seconds": round(result.seconds, 1),
        "ticks": result.ticks,
        "host_mem_mb": result.host_mem_mb,
        "ledger": {"cpus": len(ledger.cpus(told)), "problems": ledger.problems(told)},
        "vms": [vars(vm) for vm in result.transcript.vms],
        "crashes": result.transcript.crashes,
        "stats": told,
    }


def write_stats(path: Path, result: Result, opts: Options) -> None:
    path.write_text(json.dumps(stats(result, opts), indent=1) + "\n")
