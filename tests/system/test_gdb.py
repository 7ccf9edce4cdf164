# SPDX-License-Identifier: BSD-2-Clause
"""gdb itself on the stub: a small guest with symbols, and a Debian kernel with those that `triptych symbols` finds in it."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

from conftest import ROOT, Starter, complaints, own_mode, quick, slow

GUEST = ROOT / "build/guest/debugged.elf"
START_S = 120
GDB_S = 300
WAITS = re.compile(r"VM \S+ waits for gdb: target remote 127.0.0.1:(\d+)")
STOPPED_S = 60  # more than what passes between two commands, and less than in a long stop
NO_FILE = Path("/dev/null")


class Session:
    """A run with --gdb, and the port that its standard error names."""

    def __init__(self, triptych: Starter, *args: str) -> None:
        self.run = triptych("--gdb", "0", "--timeout", str(GDB_S), *args)
        assert self.run.process.stderr is not None
        said, end = b"", time.monotonic() + START_S
        while not (found := WAITS.search(said.decode(errors="replace"))):
            assert time.monotonic() < end, said
            data = self.run.process.stderr.readline()
            assert data, said
            said += data
        self.port = int(found.group(1))

    def gdb(self, file: Path, *commands: str) -> str:
        """What gdb says, each command in a line of its own behind "(gdb) "."""
        script = ["set pagination off", "set confirm off", f"target remote 127.0.0.1:{self.port}", *commands]
        args = [word for line in script for word in ("-ex", f"echo (gdb) {line}\\n", "-ex", line)]
        done = subprocess.run(
            ["gdb", "-q", "-nx", "-batch", *args, str(file)], capture_output=True, text=True, timeout=GDB_S
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr


def small(triptych: Starter, *args: str, guest: Path = GUEST) -> Session:
    return Session(
        triptych, "--kernel", str(guest), "--boot", "elf", "--initrd", "", "--append", "", "--mem", "16M", "--testdev", *args
    )


def answers(text: str, command: str) -> list[str]:
    """What was said to each of the commands of that name."""
    return [part[len(command) :].strip() for part in text.split("(gdb) ") if part.startswith(command + "\n")]


def address(symbol: str) -> int:
    out = subprocess.run(["nm", str(GUEST)], capture_output=True, text=True, check=True).stdout
    found = re.search(rf"^([0-9a-f]+) \w {symbol}$", out, re.M)
    assert found, symbol
    return int(found.group(1), 16)


@quick
def test_break_watch_and_backtrace(in_each_mode: Starter) -> None:
    session = small(in_each_mode)
    said = session.gdb(
        GUEST,
        "break innermost", "continue", "bt", "print watched", "watch watched", "continue", "info threads", "x/2xb innermost",
        "rwatch own_int3", "continue", "delete", "set var timer_hits = 5", "print timer_hits", "print $cr0 & 1", "detach",
    )  # fmt: skip
    assert "Breakpoint 1, innermost (n=21)" in said
    (frames,) = answers(said, "bt")
    assert re.findall(r"^#\d.* in (\w+) \(|^#0  (\w+)", frames, re.M)[0][1] == "innermost"
    assert [int(d) for d in re.findall(r"in nested \(depth=(?:depth@entry=)?(\d)\)", frames)] == [0, 1, 2, 3]
    assert "in test_main ()" in frames
    assert answers(said, "print watched") == ["$1 = 0"]
    assert re.search(r"Hardware watchpoint 2: watched\s+Old value = 0\s+New value = 21", said)
    assert re.search(r"\* 1 +Thread 1 \(vcpu 0, running\) innermost", said)
    assert "0xcc" not in answers(said, "x/2xb innermost")[0]
    assert re.search(r"Hardware read watchpoint 3: own_int3\s+Value = ", said)
    assert answers(said, "print timer_hits")[0].endswith("= 5")
    assert answers(said, "print $cr0 & 1")[0].endswith("= 1")
    # The guest runs on, and finds its INT3 and its debug registers as it left them.
    assert session.run.finish() == 0
    assert "PASS" in session.run.text


@quick
def test_single_steps(in_each_mode: Starter) -> None:
    """Instructions that exit, that block interrupts, that repeat, and HLT; one instruction each, or as the manual says."""
    session = small(in_each_mode)
    said = session.gdb(
        GUEST,
        "hbreak step_cpuid", "continue", "stepi", "print $pc", "delete",
        "tbreak *step_pushf", "continue", "stepi", "x/gx $rsp", "stepi", "print $pc",
        "tbreak *step_rep", "continue", "stepi", "print $rcx", "print $pc",
        "tbreak *step_sti", "continue", "stepi", "stepi", "print $pc",
        "tbreak *step_hlt", "continue", "stepi", "stepi", "print $pc", "print timer_hits", "stepi", "print timer_hits",
        "continue",
    )  # fmt: skip
    pcs = [int(m, 16) for part in answers(said, "print $pc") for m in re.findall(r"0x([0-9a-f]+) <", part)]
    sti, hlt = address("step_sti"), address("step_hlt")
    assert pcs == [address("step_cpuid") + 2, address("step_pushf") + 2, address("step_rep"), sti + 2, hlt + 2]
    (flags,) = answers(said, "x/gx $rsp")
    assert int(flags.split()[-1], 16) & 0x100 == 0  # no trap flag of ours
    assert answers(said, "print $rcx")[0].endswith("= 7")
    assert [int(t.split()[-1]) for t in answers(said, "print timer_hits")] == [0, 1]
    assert "exited normally" in said
    assert session.run.finish() == 0
    assert "PASS" in session.run.text


@quick
def test_much_memory_at_once(in_each_mode: Starter, tmp_path: Path) -> None:
    """64 KB there and back, in packets as long as they get."""
    there, back = tmp_path / "there", tmp_path / "back"
    there.write_bytes(bytes(range(256)) * 256)
    session = small(in_each_mode)
    session.gdb(GUEST, f"restore {there} binary 0x400000", f"dump binary memory {back} 0x400000 0x410000", "detach")
    assert there.read_bytes() == back.read_bytes()
    assert session.run.finish() == 0


@quick
def test_processors_are_threads(in_each_mode: Starter) -> None:
    smp = ROOT / "build/guest/smp.elf"
    session = small(in_each_mode, "--vcpus", "4", guest=smp)
    said = session.gdb(
        smp, "info threads", "hbreak beat", "continue", "info threads", "bt 1", "stepi", "thread 1", "print $rip",
        "delete", "continue",
    )  # fmt: skip
    before, then = answers(said, "info threads")
    assert re.findall(r"Thread (\d) \(vcpu \d, ([^)]*)\)", before)[1:] == [(str(n), "waits for a start-up IPI") for n in (2, 3, 4)]
    (current,) = re.findall(r"^\* (\d)", then, re.M)
    assert current != "1" and len(re.findall(r"^[* ] \d", then, re.M)) == 4
    assert "beat (id=" in answers(said, "bt 1")[0]
    assert "exited normally" in said
    assert session.run.finish() == 0
    assert "PASS" in session.run.text


@slow
def test_interrupt_and_other_sessions(in_each_mode: Starter) -> None:
    """gdb stops a VM that sleeps; one is killed without a word, with a breakpoint in place; the next begins anew."""
    session = Session(in_each_mode, "--append", "console=ttyS0 nokaslr")
    session.gdb(NO_FILE, "detach")
    session.run.prompt()
    before = float(session.run.command("cut -d. -f1 /proc/uptime"))
    said = session.gdb(NO_FILE, "print/x $cs & 0xfff8", "info threads", "shell sleep 5", "detach")
    assert "$1 = 0x" in said and "vcpu 0, halted" in said
    # 5 seconds of the emulator with nothing to run are minutes: they are not the guest's.
    assert float(session.run.command("cut -d. -f1 /proc/uptime")) - before < STOPPED_S
    assert not complaints(session.run.command("dmesg"))
    command = ["gdb", "-q", "-nx", "-ex", f"target remote 127.0.0.1:{session.port}", "-ex", "hbreak *$pc", "-ex", "continue"]
    rude = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert rude.stdout is not None
    while "Continuing" not in (line := rude.stdout.readline()):
        assert line
    rude.kill()
    rude.wait()
    assert "No breakpoints" in session.gdb(NO_FILE, "info breakpoints", "detach")
    assert session.run.command("echo a$((40+2))b") == "a42b"
    assert "killed" in session.gdb(NO_FILE, "kill")
    assert session.run.finish() == 0


def test_debian_kernel(in_each_mode: Starter, tmp_path: Path) -> None:
    """Breakpoints, backtraces with names, a watchpoint and a step, from start_kernel to a system call of init."""
    symbols = tmp_path / "symbols.elf"
    subprocess.run([str(ROOT / "scripts/triptych"), "symbols", str(symbols)], check=True)
    session = Session(in_each_mode, "--append", "console=ttyS0 nokaslr triptych.run=/bin/true")
    said = session.gdb(
        symbols,
        "hbreak start_kernel", "continue", "bt", "delete", "break rest_init", "continue", "bt", "delete",
        "watch *(int *)&system_state", "continue", "delete", "tbreak vfs_read", "continue", "bt", "stepi", "print $pc",
        "finish", "detach",
    )  # fmt: skip
    first, second, third = answers(said, "bt")
    assert re.match(r"#0 +0x\w+ in start_kernel \(\)\n#1 +0x\w+ in secondary_startup_64\w* \(\)", first)
    assert re.findall(r" in (\w+) \(\)", second)[:3] == ["rest_init", "arch_call_rest_init", "start_kernel"]
    assert re.search(r"Old value = 0\s+New value = 1\s+0x\w+ in rest_init", said)
    assert re.findall(r" in (\w+) \(\)", third)[:3] == ["vfs_read", "ksys_read", "do_syscall_64"]
    assert re.search(r"<vfs_read\+\d+>", answers(said, "print $pc")[0])
    assert re.search(r"^0x\w+ in ksys_read \(\)$", answers(said, "finish")[0], re.M)
    assert session.run.finish(GDB_S) == 0
    assert "reboot: Power down" in session.run.text
