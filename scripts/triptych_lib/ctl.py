# SPDX-License-Identifier: BSD-2-Clause
"""`triptych ctl`: the monitor's commands for a run that is under way, from another terminal."""

from __future__ import annotations

import argparse
import json
import shutil
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import control
from .ui import STATUS_CRASHED, STATUS_OK, EngineError, UsageError

ANSWER_SECONDS = 60.0  # the machine may be busy, and an emulator slow
TOP_SECONDS = 2.0
BAR = 40
METHOD_NOT_FOUND, INVALID_PARAMS = -32601, -32602


@dataclass(frozen=True)
class Command:
    method: str
    args: tuple[str, ...]  # by the names that the hypervisor gives them; "?" behind it: optional
    help: str


# Those of hv/ctl/commands.c that make sense here, and two short names.
COMMANDS = {
    "ps": Command("vms", (), "the VMs, and how they are"),
    "stats": Command("stats", ("vm?",), "exits and ticks of all vcpus, or of a VM's, with its exits by kind"),
    "pause": Command("pause", ("vm",), "stop a VM"),
    "resume": Command("resume", ("vm",), "let it go on"),
    "reset": Command("reset", ("vm",), "start it anew"),
    "stop": Command("destroy", ("vm",), "end it, without its being asked"),
    "create": Command("create", ("file",), "make a VM from a description of the run: vm3.conf, or its name"),
    "balloon": Command("balloon", ("vm", "mb"), "ask the guest for so many MB of its memory"),
    "resize": Command("resize", ("vm", "columns", "rows"), "its console's terminal has another size now"),
    "regs": Command("regs", ("vm", "vcpu?"), "registers"),
    "walk": Command("walk", ("vm", "address", "vcpu?"), "how an address is translated, by the guest's tables and by ours"),
    "x": Command("x", ("vm", "address", "count?", "vcpu?"), "bytes at an address"),
    "why": Command("why", ("vm", "vcpu?"), "what it does, and its last exits in words"),
    "trace": Command("trace", ("vm", "count?", "vcpu?"), "the last exits; the first time, begin to record them"),
    "dump-vmcs": Command("dump-vmcs", ("vm", "vcpu?"), "the processor's own fields of a vcpu"),
    "audit": Command("audit", ("vm",), "compare all shadow page tables with the guest's"),
    "mem": Command("mem", (), "the machine's memory, by owner"),
    "log": Command("log", ("count?",), "the last lines of the hypervisor's log"),
    "quit": Command("quit", (), "end all VMs and switch the machine off"),
}


class Refused(Exception):
    """The hypervisor's answer was an error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Client:
    """A connection to a run."""

    def __init__(self, path: Path) -> None:
        self._link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._link.settimeout(ANSWER_SECONDS)
        try:
            self._link.connect(str(path))
        except OSError as e:
            raise EngineError(f"{path}: {e.strerror or e}") from e
        self._file = self._link.makefile("rwb")
        self._id = 0

    def close(self) -> None:
        self._file.close()
        self._link.close()

    def call(self, method: str, **params: object) -> dict[str, Any]:
        """Its result. Events that come meanwhile are dropped."""
        self._id += 1
        request = {"jsonrpc": "2.0", "id": self._id, "method": method, "params": params}
        self._file.write(json.dumps(request).encode() + b"\n")
        self._file.flush()
        while True:
            answer = self.receive()
            if answer.get("id") == self._id:
                break
        if "error" in answer:
            raise Refused(int(answer["error"]["code"]), str(answer["error"]["message"]))
        return dict(answer["result"])

    def receive(self, seconds: float | None = ANSWER_SECONDS) -> dict[str, Any]:
        """The next line."""
        self._link.settimeout(seconds)
        try:
            line = self._file.readline()
        except TimeoutError as e:
            raise EngineError(f"no answer within {seconds:.0f} s") from e
        except OSError as e:
            raise EngineError(f"the run has gone: {e.strerror}") from e
        if not line:
            raise EngineError("the run has ended")
        return dict(json.loads(line))


def find(run: int | None) -> Path:
    """The socket of the run with that process id, or of the only one."""
    found = control.running()
    if run is not None:
        found = [p for p in found if p.stem == str(run)]
        if not found:
            raise UsageError(f"--run {run}: there is no such run with a control channel")
    if not found:
        raise UsageError("no `triptych run` is under way")
    if len(found) > 1:
        raise UsageError("there are several runs: --run " + " or --run ".join(p.stem for p in found))
    return found[0]


# ---- showing an answer ----


def _table(rows: list[dict[str, Any]]) -> list[str]:
    if not rows:
        return ["(none)"]
    heads = list(rows[0])
    cells = [heads] + [[str(row.get(h, "")) for h in heads] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(heads))]
    return ["  ".join(text.ljust(w) for text, w in zip(row, widths, strict=True)).rstrip() for row in cells]


def _group(values: dict[str, Any]) -> list[str]:
    width = max((len(k) for k in values), default=0)
    return [f"{k.ljust(width)}  {v}" for k, v in values.items()]


def text(result: dict[str, Any]) -> str:
    """An answer for people."""
    lines: list[str] = []
    for key, value in result.items():
        if isinstance(value, list) and value and isinstance(value[0], str):
            lines += value
        elif isinstance(value, list):
            lines += ([f"{key}:"] if len(result) > 1 else []) + _table(value)
        elif isinstance(value, dict):
            lines += _group(value)
        else:
            lines.append(f"{key}: {value}")
    return "\n".join(lines) + "\n"


# ---- top ----


def _bar(parts: list[tuple[float, str]], width: int) -> str:
    bar = "".join(char * round(part * width) for part, char in parts)
    return bar[:width].ljust(width)


def top_lines(before: dict[str, Any], after: dict[str, Any], width: int = BAR) -> list[str]:
    """What each vcpu did between two answers of `stats`, in parts of a physical CPU."""
    ticks = max(after["tsc"] - before["tsc"], 1)
    earlier = {(row["vm"], row["vcpu"]): row for row in before["vcpus"]}
    lines = [f"{'vm':<20} {'guest':>6} {'exits':>6} {'waits':>6} {'exits/s':>9}  {'#':s} guest  {'+':s} exits  {'-':s} waits"]
    for row in after["vcpus"]:
        old = earlier.get((row["vm"], row["vcpu"]))
        if old is None or row["guest_ticks"] < old["guest_ticks"]:
            continue
        guest, exits, waits = (max(row[k] - old[k], 0) / ticks for k in ("guest_ticks", "hv_ticks", "wait_ticks"))
        rate = (row["exits"] - old["exits"]) * after["tsc_hz"] / ticks
        name = row["vm"] if not row["vcpu"] else f"{row['vm']}/{row['vcpu']}"
        bar = _bar([(guest, "#"), (exits, "+"), (waits, "-")], width)
        lines.append(f"{name:<20} {guest:>6.1%} {exits:>6.1%} {waits:>6.1%} {rate:>9.0f}  |{bar}|")
    return lines


def _top(client: Client, seconds: float, times: int | None) -> None:
    clear = "\x1b[H\x1b[2J" if sys.stdout.isatty() else ""
    before = client.call("stats")
    while times is None or times > 0:
        time.sleep(seconds)
        after = client.call("stats")
        width = max(10, shutil.get_terminal_size().columns - 56)
        sys.stdout.write(clear + "\n".join(top_lines(before, after, width)) + "\n")
        sys.stdout.flush()
        before = after
        times = None if times is None else times - 1


def _events(client: Client) -> None:
    client.call("subscribe")
    while True:
        sys.stdout.write(json.dumps(client.receive(None).get("params")) + "\n")
        sys.stdout.flush()


# ---- the command line ----


def add_options(p: argparse.ArgumentParser) -> None:
    p.add_argument("--run", type=int, metavar="PID", help="the process id of the `triptych run` meant, if there are several")
    p.add_argument("--json", action="store_true", help="the answer as JSON")
    commands = p.add_subparsers(dest="ctl", required=True, metavar="COMMAND")
    for word, command in COMMANDS.items():
        c = commands.add_parser(word, help=command.help)
        for arg in command.args:
            name = arg.rstrip("?")
            if arg.endswith("?"):
                c.add_argument(name, metavar=name.upper(), nargs="?")
            else:
                c.add_argument(name, metavar=name.upper())
    c = commands.add_parser("top", help="what each vcpu does, as bars, until Ctrl-C")
    c.add_argument("--seconds", type=float, default=TOP_SECONDS, metavar="S", help="between two looks")
    c.add_argument("--times", type=int, metavar="N", help="so many times, then end")
    commands.add_parser("events", help="VMs that begin, stop, crash, as lines of JSON, until Ctrl-C")


def main(args: argparse.Namespace) -> int:
    client = Client(find(args.run))
    try:
        if args.ctl == "top":
            _top(client, args.seconds, args.times)
        elif args.ctl == "events":
            _events(client)
        else:
            command = COMMANDS[args.ctl]
            names = [a.rstrip("?") for a in command.args]
            params = {n: getattr(args, n) for n in names if getattr(args, n) is not None}
            result = client.call(command.method, **params)
            sys.stdout.write(json.dumps(result) + "\n" if args.json else text(result))
    except Refused as e:
        if e.code == INVALID_PARAMS:
            raise UsageError(str(e)) from e
        sys.stderr.write(f"triptych: {e}\n")
        return STATUS_CRASHED
    except KeyboardInterrupt:
        return STATUS_OK
    finally:
        client.close()
    return STATUS_OK
