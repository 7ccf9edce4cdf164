# SPDX-License-Identifier: BSD-2-Clause
"""The monitor over a real terminal and over the control channel, in one boot; the clients of the channel, without one."""

from __future__ import annotations

import json
import os
import re
import select
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from conftest import BOOT_TIMEOUT_S, COMMAND_TIMEOUT_S, MEMORY_MODES, ROOT, own_mode
from terminal import Terminal
from triptych_lib import control, crash, ctl

READY = b"triptych> \x1b[K"  # the prompt with nothing typed
CTRL_BRACKET = b"\x1d"
FOREVER = "for=100000000 echo rest=10"
FUZZ = (
    b"\n",
    b"{}\n",
    b"[]\n",
    b"nonsense\n",
    b'{"jsonrpc":"2.0","id":1,"method":"nothing"}\n',
    b'{"jsonrpc":"2.0","id":1,"method":"regs","params":[1,2]}\n',
    b'{"jsonrpc":"2.0","id":1,"method":"regs","params":{"vm":"' + b"a" * 1000 + b'"}}\n',
    b'{"jsonrpc":"2.0","id":{"a":[]},"method":"vms"}\n',
    b'{"id":"\\ud800\\u0000"}\n',
    b"[" * 1000 + b"\n",
    b'{"a":' * 300 + b"\n",
    bytes(b for b in range(1, 256) if b != 10) + b"\n",
    b"\x00\xff\x00\n",
    b'{"jsonrpc":"2.0","id":1,"method":"walk","params":{"vm":"a","address":18446744073709551616}}\n',
)


def description(folder: Path, name: str, words: str, *more: str) -> str:
    lines = ['boot = "elf"', f'kernel = "{ROOT}/build/guest/load.elf"', 'initrd = ""', f'append = "{words}"', 'mem = "8M"']
    path = folder / f"{name}.toml"
    path.write_text("\n".join([f'name = "{name}"', *lines, "testdev = true", *more]) + "\n")
    return str(path)


class Monitored(Terminal):
    """A run with the monitor, on a terminal and with a log."""

    def __init__(self, folder: Path, *args: str) -> None:
        self.log = folder / "log"
        super().__init__(folder, "--interactive", "--log", str(self.log), "--monitor", *args)

    def command(self, line: str) -> str:
        """What the monitor answers, after the whole line was shown; the prompt may have been shown anew before."""
        self.type(line.encode() + b"\r")
        self.expect(line[-30:].encode() + b"\x1b[K\r\n")
        return self.expect(READY)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Monitored]:
    files = [description(tmp_path, name, FOREVER, *more) for name, more in (("a", ("vcpus = 2",)), ("b", ('mmu = "shadow"',)))]
    spare = description(tmp_path, "c", "garbage", "reboot = false")
    found = Monitored(tmp_path, "--stay", "--vm", files[0], "--vm", files[1], "--spare", spare)
    yield found
    found.close()


def connect(terminal: Monitored) -> ctl.Client:
    """When both VMs have begun."""
    end = time.monotonic() + BOOT_TIMEOUT_S
    path = control.directory() / f"{terminal.process.pid}.sock"
    while time.monotonic() < end:
        assert terminal.process.poll() is None, terminal.errors.read_text()
        time.sleep(1)
        if path.exists() and "b: " in (terminal.log.read_text() if terminal.log.exists() else ""):
            return ctl.Client(path)
    raise AssertionError("the VMs have not begun")


# What is typed, and what must be in the answer.
TYPED = [
    ("vms", r"name +state.*\r\na +\w+ +8 +2 +ept.*\r\nb +\w+ +8 +1 +shadow"),
    ("vms x", 'error: "x" is one too many: vms'),
    ("stats", r"vm +vcpu +cpu +exits.*\r\na +0 .*\r\na +1 .*\r\nb +0 "),
    ("stats a", r"exit +count +ticks\r\n(.*\r\n)*hlt "),
    ("stats nobody", 'error: there is no VM "nobody" that runs; there are: a, b'),
    ("regs a", r"rax +0x[0-9a-f]+ +rcx +0x(.*\r\n)*cs +0x[0-9a-f]+ +0x0 "),
    ("regs a 0", "rip"),
    ("regs a 1", "rip"),
    ("regs a 2", "error: VM a has 2 vcpus, from 0 on, and no 2"),
    ("regs a zero", "error: VCPU: the number of a vcpu, from 0 on, is expected"),
    ("regs", r"error: VM is missing: regs VM \[VCPU\]"),
    ("walk a 0x100000", r"gpa: 0x100000\r\n(.*\r\n)*level +entry +leads_to +hpa +rights\r\n4 .* table "),
    ("walk b 0x100000", r"gpa: 0x100000\r\n(.*\r\n)*level +entry +leads_to +hpa +rights\r\n4 .* table "),
    ("walk a 0x8000000000000000", "guest_fault: 0x8000000000000000 is no linear address"),
    ("walk a 0x7f0000000000", "guest_fault: page fault, error code 0x"),
    ("x a 0x8000000000000000", "error: VM a has no memory at 0x8000000000000000"),
    ("walk a", "error: ADDRESS is missing: walk VM ADDRESS"),
    ("walk a there", 'error: ADDRESS: an address such as 0xffffffff81000000 is expected, not "there"'),
    ("x a 0x100000 20", r"0x100000 +[0-9a-f]{32}\r\n0x100010 +[0-9a-f]{8}\r\n"),
    ("x a 0x100000 4 1", r"0x100000 +[0-9a-f]{8}\r\n"),
    ("x a 0x100000 0", "error: COUNT: a number from 1 to 512 is expected"),
    ("x a 0x7000000000", "error: VM a has no memory at 0x7000000000"),
    ("trace a", "recorded: 0"),
    ("trace a 65", "error: COUNT: a number from 1 to 64 is expected"),
    ("why b", r'no exits are recorded: "trace b" begins to record them'),
    ("why a 1", "a, vcpu 1: it waits for being started by another vcpu"),
    ("why", "error: VM is missing"),
    ("dump-vmcs a", r"guest RIP +0x[0-9a-f]+\r\n(.*\r\n)*host RIP +0x"),
    ("dump-vmcs x", 'error: there is no VM "x"'),
    ("audit b", "mistakes: 0"),
    ("audit a", "error: VM a has no shadow page tables: its MMU is ept"),
    ("mem", r"total +\d+\r\nfree +\d+\r\nhypervisor +\d+"),
    ("mem all", 'error: "all" is one too many'),
    ("log 2", r"(\[.*\r\n){2}"),
    ("log 0", "error: COUNT: a number from 1 to 100 is expected"),
    ("pause a", "paused: a"),
    ("pause a", "error: VM a is paused already"),
    ("vms", r"a +paused "),
    ("reset a", "reset: a"),
    ("resume a", "resumed: a"),
    ("resume a", "error: VM a is not paused"),
    ("pause", "error: VM is missing: pause VM"),
    ("resume x", 'error: there is no VM "x"'),
    ("reset", "error: VM is missing: reset VM"),
    ("create nothing", 'error: there is no description of a VM "nothing": vm0.conf to vm2.conf'),
    ("create a", "error: there is a VM of that name"),
    ("create", "error: FILE is missing: create FILE"),
    ("destroy", "error: VM is missing: destroy VM"),
    ("destroy x", 'error: there is no VM "x"'),
    ("console x", 'error: there is no VM "x"'),
    ("balloon a", "error: MB is missing: balloon VM MB"),
    ("balloon a much", "error: MB: a number from 0 to"),
    ("balloon a 9", "error: VM a has 8 MB"),
    ("balloon a 4", "error: VM a has no balloon"),
    ("resize a 80", "error: ROWS is missing: resize VM COLUMNS ROWS"),
    ("resize a 80 65536", "error: ROWS: a number from 0 to 65535 is expected"),
    ("resize a 80 25", "error: VM a has no virtio console"),
    ("help", r"walk VM ADDRESS \[VCPU\] +how a linear"),
    ("help me", 'error: "me" is one too many'),
    ("quit now", 'error: "now" is one too many: quit'),
    ("frobnicate a b", 'error: "frobnicate" is no command; "help" lists them'),
    ("x a b c d e f", 'error: "e" is one too many'),
    ("   ", ""),
    ("y" * 1000, "is no command"),
]


def check_terminal(terminal: Monitored) -> None:
    terminal.type(CTRL_BRACKET)
    terminal.expect(b"The monitor: ")
    terminal.expect(READY)
    answers = [(line, terminal.command(line), wanted) for line, wanted in TYPED]
    commands = set(re.findall(r"^([a-z-]+)(?: [A-Z[].*?)? {2,}", terminal.command("help"), re.M)) - {"command"}  # the heading
    assert {"vms", "x", "quit"} <= commands
    tried = {line.split()[0] for line, wanted in TYPED if wanted.startswith("error: ")}
    assert not commands - tried, "nothing wrong was typed for them"
    wrong = [f"{line}: {answer!r} instead of {wanted!r}" for line, answer, wanted in answers if not re.search(wanted, answer)]
    assert not wrong, "\n".join(wrong)
    terminal.type(b"au\t")
    terminal.expect(b"audit ")
    terminal.type(b"b\x01\x0b")  # to the beginning, delete to the end
    terminal.expect(READY)
    terminal.type(b"\x1b[A")  # the last lines but those that are not kept
    terminal.expect(b"help")
    terminal.type(b"\x1b[A")
    terminal.expect(b"yyyy")
    terminal.type(b"\x15")
    terminal.expect(READY)
    time.sleep(1)  # for exits to be recorded in
    assert re.search(r"HLT", terminal.command("trace a"))
    assert re.search(r"a, vcpu 0: it .*\r\n.* us ago, at 0x[0-9a-f]+: ", terminal.command("why a"))
    terminal.type(CTRL_BRACKET)
    terminal.expect(b"\r\n")
    terminal.type(CTRL_BRACKET)
    terminal.expect(READY)
    terminal.type(b"console b\r")
    terminal.expect(b"\r\n")
    check_consoles(terminal)


def check_consoles(terminal: Monitored) -> None:
    """b has the console. What is typed is echoed by the VM that was chosen, and by no other."""
    for name, other, keys in (("b", "a", "xyz"), ("a", "b", "uvw")):
        terminal.type(keys.encode())
        said = "".join(terminal.expect(f"{name}| typed: {key}\r\n".encode()) for key in keys)
        terminal.type(CTRL_BRACKET)
        said += terminal.expect(READY)
        assert "typed: " not in said, said
        terminal.type(f"console {other}\r".encode())
        terminal.expect(f"console {other}\x1b[K\r\n".encode())


def refused(call: Callable[[], object]) -> tuple[int, str]:
    with pytest.raises(ctl.Refused) as e:
        call()
    return e.value.code, str(e.value)


def check_channel(client: ctl.Client) -> None:
    """The same commands for a program."""
    assert [vm["name"] for vm in client.call("vms")["vms"]] == ["a", "b"]
    assert client.call("pause", vm="b") == {"paused": "b"}
    before = client.call("stats", vm="b")["vcpus"][0]["exits"]
    time.sleep(1)
    assert client.call("stats", vm="b")["vcpus"][0]["exits"] == before
    assert client.call("vms")["vms"][1]["state"] == "paused"
    registers = client.call("regs", vm="b")["registers"]
    assert client.call("regs", vm="b", vcpu="0")["registers"] == registers
    code = client.call("x", vm="b", address=registers["rip"], count=4)["memory"][0]
    assert code["address"] == registers["rip"] and re.fullmatch("[0-9a-f]{8}", code["bytes"])
    walk = client.call("walk", vm="b", address=registers["rip"])
    assert len(walk["guest"]) >= 3 and walk["shadow"][-1]["leads_to"] == "page"
    assert client.call("audit", vm="b") == {"mistakes": 0}
    assert client.call("resume", vm="b") == {"resumed": "b"}
    assert len(client.call("dump-vmcs", vm="b")["fields"]) > 80
    assert refused(lambda: client.call("nothing")) == (-32601, 'there is no such method: "help" lists them, and "subscribe" is one')
    assert refused(lambda: client.call("pause"))[0] == -32602
    assert refused(lambda: client.call("pause", vm="x"))[0] == -32000
    assert refused(lambda: client.call("console"))[0] == -32000
    assert refused(lambda: client.call("vms", vm="a"))[0] == -32602


def check_commands(terminal: Monitored) -> None:
    """`triptych ctl` as a person calls it."""

    def run(*args: str) -> tuple[int, str]:
        command = [str(ROOT / "scripts/triptych"), "ctl", "--run", str(terminal.process.pid), *args]
        done = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False)
        return done.returncode, done.stdout + done.stderr

    assert re.search(r"^a .* ept ", run("ps")[1], re.M)
    assert run("regs", "a", "7") == (1, "triptych: VM a has 2 vcpus, from 0 on, and no 7\n")
    assert run("x", "a", "where")[0] == 2
    assert run("walk", "a")[0] == 2
    status, text = run("top", "--times", "1", "--seconds", "1")
    assert status == 0 and re.search(r"^a +\d+\.\d% .*\|[#+\- ]+\|$", text, re.M), text
    status, text = run("--json", "mem")
    assert status == 0 and json.loads(text)["kb"]["free"] > 0
    command = [str(ROOT / "scripts/triptych"), "ctl", "--run", str(terminal.process.pid), "events"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as events:
        assert events.stdout is not None
        time.sleep(3)  # it does not say when it has subscribed
        assert run("stop", "b") == (0, "destroyed: b\n")
        assert json.loads(events.stdout.readline()) == {"event": "stopped", "vm": "b", "end": "destroyed", "status": 0, "why": ""}
        assert run("create", "b") == (0, "created: b\n")
        assert json.loads(events.stdout.readline()) == {"event": "started", "vm": "b"}
        events.terminate()


def check_events(client: ctl.Client) -> None:
    """A VM is created, and crashes."""
    assert client.call("subscribe") == {"subscribed": True}
    assert client.call("create", file="c") == {"created": "c"}
    events = [client.receive()["params"], client.receive()["params"]]
    assert events[0] == {"event": "started", "vm": "c"}
    assert events[1]["event"] == "crashed" and events[1]["vm"] == "c"
    assert [vm["name"] for vm in client.call("vms")["vms"]] == ["a", "b"]


def next_of(answers: IO[bytes], kind: str) -> Any:
    """The next line that has it; in between come the answers to others, and events."""
    seen = []
    for _ in range(10):
        line = json.loads(answers.readline())
        if kind in line:
            return line[kind]
        seen.append(line)
    raise AssertionError(f"no {kind} in {seen}")


def check_hostile_bytes(terminal: Monitored, client: ctl.Client) -> None:
    """Whatever is sent, whoever asks properly afterwards is answered, and the VMs run on."""
    before = client.call("stats", vm="a")["vcpus"][0]["exits"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as raw:
        raw.connect(str(control.directory() / f"{terminal.process.pid}.sock"))
        raw.settimeout(COMMAND_TIMEOUT_S)
        raw.sendall(b"raw\n")
        answers = raw.makefile("rb")
        for line in FUZZ:
            raw.sendall(line)
            if line.strip() and json.loads(answers.readline()).get("error", {}).get("code", 0) >= -32000:
                raise AssertionError(f"{line!r} is taken")
        raw.sendall(b'{"jsonrpc":"2.0","id":1,"meth')  # half a request, and silence
        time.sleep(1)  # two sockets: it is to come first
        assert client.call("vms")["vms"]
        assert next_of(answers, "error")["code"] == -32700
        assert next_of(answers, "result")["vms"]  # what comes to all is seen here, too
        raw.sendall(b'{"jsonrpc":"2.0","id":1,"meth')
        time.sleep(2)
        raw.sendall(b'od":"vms"}\n')
        assert next_of(answers, "result")["vms"]
        raw.sendall(b"x" * (1 << 20) + b"\n")
        raw.settimeout(600)
        assert next_of(answers, "error")["code"] == -32600
        raw.sendall(b'{"jsonrpc":"2.0","id":1,"meth')  # and it goes
    assert client.call("stats", vm="a")["vcpus"][0]["exits"] > before
    assert client.call("audit", vm="b") == {"mistakes": 0}


def check_end(terminal: Monitored, client: ctl.Client) -> None:
    assert client.call("destroy", vm="a") == {"destroyed": "a"}
    assert client.call("create", file="vm0.conf") == {"created": "vm0.conf"}
    assert "end all VMs" in str(client.call("help"))
    assert client.call("quit") == {"quit": "all VMs end"}
    assert terminal.process.wait(60) == 1  # as c has crashed
    log = terminal.log.read_text()
    ends = {vm["name"]: vm["end"] for vm in map(json.loads, re.findall(r"^@vm (.*)$", log, re.M))}
    assert ends["a"] == ends["b"] == "destroyed" and ends["c"] in ("crash", "triple")
    assert re.findall(r'^@stats (\{"lost_pages".*)$', log, re.M) == ['{"lost_pages":0}']
    errors = terminal.errors.read_text()
    assert re.search(r"^VM c, vcpu 0: .*\n  0x[0-9a-f]+: [0-9a-f ]+  \S+", errors, re.M), errors
    assert "VM c: " in errors.splitlines()[-1]


@own_mode("a VM of each memory mode is in it")
def test_monitor(terminal: Monitored) -> None:
    client = connect(terminal)
    check_terminal(terminal)
    check_channel(client)
    check_commands(terminal)
    check_events(client)
    check_hostile_bytes(terminal, client)
    client.close()
    check_end(terminal, connect(terminal))


@own_mode("a run on a terminal: both modes by a parameter")
@pytest.mark.parametrize("mmu", MEMORY_MODES)
def test_looking_into_a_vm_on_two_processors(tmp_path: Path, mmu: str) -> None:
    """Both of its processors run, while everything about it is asked for, of either; it is stopped, and started anew."""
    vm = description(tmp_path, "a", "for=100000000 storm", "vcpus = 2", f'mmu = "{mmu}"')
    other = description(tmp_path, "b", FOREVER, 'mmu = "shadow"')
    terminal = Monitored(tmp_path, "--host-cpus", "2", "--stay", "--vm", vm, "--vm", other)
    try:
        client = connect(terminal)
        for round in range(4):
            for vcpu in (0, 1):
                registers = client.call("regs", vm="a", vcpu=vcpu)["registers"]
                walk = client.call("walk", vm="a", vcpu=vcpu, address=registers["rip"])
                assert walk["gpa"] == hex(int(registers["rip"], 16)) and walk[mmu][-1]["leads_to"] == "page"
                code = client.call("x", vm="a", vcpu=vcpu, address="0x100000", count=16)["memory"]
                assert code == client.call("x", vm="a", vcpu=1 - vcpu, address="0x100000", count=16)["memory"]
                client.call("trace", vm="a", vcpu=vcpu)
                client.call("why", vm="a", vcpu=vcpu)
            for command in ("pause", "reset", "resume") if round % 2 else ():
                client.call(command, vm="a")
        rows = client.call("stats", vm="a")["vcpus"]
        assert {row["cpu"] for row in rows} == {0, 1} and min(row["exits"] for row in rows) > 100
        client.call("quit")
        assert terminal.process.wait(60) == 0
        assert re.findall(r'^@stats (\{"lost_pages".*)$', terminal.log.read_text(), re.M) == ['{"lost_pages":0}']
    finally:
        terminal.close()


# ---- without an emulator ----


class Machine:
    """A broker whose hypervisor answers each request with its method, unless told otherwise."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
        self.sent: list[bytes] = []
        self.partial = b""
        self.broker = control.Broker(self.take)
        self.over = False
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def take(self, data: bytes) -> None:
        self.sent.append(data)
        *lines, self.partial = (self.partial + data).split(b"\n")
        for line in filter(bytes.strip, lines):
            try:
                request = json.loads(line)
                answer = {"jsonrpc": "2.0", "id": request["id"], "result": {"method": request["method"]}}
            except (ValueError, KeyError, TypeError):
                answer = {"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "no"}}
            self.broker.line(json.dumps(answer))

    def serve(self) -> None:
        while not self.over:
            fds = self.broker.fds()
            self.broker.ready(select.select(fds, [], [], 0.05)[0])

    def close(self) -> None:
        self.over = True
        self.thread.join()
        self.broker.close()


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Machine]:
    found = Machine(monkeypatch, tmp_path)
    yield found
    found.close()


def test_clients_share_the_port(machine: Machine) -> None:
    assert control.running() == [machine.broker.path]
    assert machine.broker.path.parent.stat().st_mode & 0o077 == 0
    one, two = ctl.Client(ctl.find(None)), ctl.Client(ctl.find(os.getpid()))
    for client, method in ((one, "vms"), (two, "mem"), (two, "vms"), (one, "log")):
        assert client.call(method) == {"method": method}
    ids = [json.loads(data)["id"] for data in machine.sent]
    assert len(set(ids)) == 4
    one.close()
    two.close()


def test_events_go_to_subscribers(machine: Machine) -> None:
    one, two = ctl.Client(machine.broker.path), ctl.Client(machine.broker.path)
    one.call("subscribe")
    two.call("vms")
    machine.broker.line('{"jsonrpc":"2.0","method":"event","params":{"event":"started","vm":"a"}}')
    assert one.receive()["params"]["vm"] == "a"
    assert two.call("mem") == {"method": "mem"}  # and nothing before it
    one.close()
    two.close()


def test_nonsense_is_passed_on_and_answered_to_its_sender(machine: Machine) -> None:
    other = ctl.Client(machine.broker.path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        link.settimeout(10)
        link.connect(str(machine.broker.path))
        link.sendall(b"nonsense\n")
        assert json.loads(link.makefile().readline())["error"]["code"] == -32700
    assert machine.sent == [b"nonsense\n"]
    assert other.call("vms") == {"method": "vms"}
    other.close()


@pytest.mark.parametrize(
    "half",
    [b'raw\n{"jsonrpc":"2.0","id":1,"meth', b'{"jsonrpc":"2.0","id":1,"meth', b"x" * (control.LINE_MAX + 1)],
    ids=["raw", "held back", "too long to be held back"],
)
def test_half_a_line_is_in_nobody_elses_way(machine: Machine, half: bytes) -> None:
    other = ctl.Client(machine.broker.path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        link.connect(str(machine.broker.path))
        link.sendall(half)
        time.sleep(0.3)
        assert other.call("vms") == {"method": "vms"}  # while it is silent,
        link.sendall(half.removeprefix(b"raw\n"))
        time.sleep(0.3)
    assert other.call("mem") == {"method": "mem"}  # and when it has gone
    other.close()


def test_sockets_of_runs_that_were_killed_are_removed(machine: Machine) -> None:
    dead = machine.broker.path.with_name("1.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.bind(str(dead))
    assert control.running() == [machine.broker.path]
    assert not dead.exists()


def _stats(tsc: int, guest: int, hv: int, wait: int, exits: int) -> dict[str, Any]:
    row = {"vm": "a", "vcpu": 0, "guest_ticks": guest, "hv_ticks": hv, "wait_ticks": wait, "exits": exits}
    return {"tsc": tsc, "tsc_hz": 1000, "cpus": 1, "vcpus": [row]}


def test_top_draws_what_happened_in_between() -> None:
    lines = ctl.top_lines(_stats(1000, 500, 100, 0, 10), _stats(3000, 1500, 600, 500, 30), width=40)
    assert lines[1] == f"{'a':<20}  50.0%  25.0%  25.0%        10  |{'#' * 20}{'+' * 10}{'-' * 10}|"
    assert len(ctl.top_lines(_stats(0, 9, 0, 0, 0), _stats(10, 5, 0, 0, 0))) == 1  # made anew meanwhile


def test_an_answer_as_text() -> None:
    rows = [{"name": "a", "mb": 8}, {"name": "longer", "mb": 64}]
    assert ctl.text({"vms": rows}) == "name    mb\na       8\nlonger  64\n"
    assert ctl.text({"n": 1, "kb": {"total": 2, "free": 1}, "story": ["x", "y"]}) == "n: 1\ntotal  2\nfree   1\nx\ny\n"


@pytest.mark.parametrize(
    ("code", "bits", "insn"),
    [("0f0b", 64, "ud2"), ("488b03", 64, "mov    rax,QWORD PTR [rbx]"), ("8b03", 32, "mov    eax,DWORD PTR [ebx]"), ("", 64, "(not readable)")],
)
def test_a_crash_is_disassembled(code: str, bits: int, insn: str) -> None:
    assert crash.disassemble(bytes.fromhex(code), 0xFFFFFFFF81000000, bits) == insn


def test_the_report_of_a_crash() -> None:
    left = {"vm": "a", "vcpu": 0, "why": "because", "rip": "0x1000", "bits": 64, "bytes": "0f0b90", "registers": {"rax": "0x1"}, "exits": []}
    assert crash.report(left) == "VM a, vcpu 0: because\n  0x1000: 0f 0b 90  ud2\n  rax  0x1\n"
