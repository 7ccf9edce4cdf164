# SPDX-License-Identifier: BSD-2-Clause
"""How VMs end while something else happens to them: resets in a loop, resets that are pending, ends before a beginning;
and when they let nothing in."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import COMMAND_TIMEOUT_S, own_mode
from test_monitor import FOREVER, Monitored, connect, description
from triptych_lib import control, ctl

BUSY = "for=100000000 spin"


@pytest.fixture
def looping(tmp_path: Path) -> Iterator[Monitored]:
    """One VM does nothing but reset itself, beside two that count; there is no memory for the last."""
    again = description(tmp_path, "a", "for=100000000 reset", "pin = 0", "reboot = true")
    args = [arg for name in ("c", "b") for arg in ("--vm", description(tmp_path, name, BUSY, "pin = 0"))]
    large = Path(description(tmp_path, "large", FOREVER))
    large.write_text(large.read_text().replace('mem = "8M"', 'mem = "1G"'))
    found = Monitored(tmp_path, "--stay", "--host-mem", "256M", "--vm", again, *args, "--spare", str(large))
    yield found
    found.close()


def together(terminal: Monitored, *calls: tuple[str, dict[str, str]]) -> list[dict[str, Any]]:
    """What the calls come to that arrive in one go."""
    lines = [json.dumps({"jsonrpc": "2.0", "id": i, "method": m, "params": p}) for i, (m, p) in enumerate(calls)]
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as raw:
        raw.connect(str(control.directory() / f"{terminal.process.pid}.sock"))
        raw.settimeout(COMMAND_TIMEOUT_S)
        raw.sendall("".join(line + "\n" for line in lines).encode())
        answers = raw.makefile("rb")
        return [json.loads(answers.readline()) for _ in calls]


def check_events(client: ctl.Client) -> None:
    """Who has heard that a VM is created hears also that it cannot be made, and why; and that one ends."""
    assert client.call("subscribe") == {"subscribed": True}
    assert client.call("create", file="large") == {"created": "large"}
    event = client.receive()["params"]
    assert (event["event"], event["vm"], event["end"]) == ("crashed", "large", "crash")
    assert event["why"].startswith("its 1024 MB of memory cannot be had")


@own_mode("the VMs are described in it")
def test_a_vm_that_resets_itself_without_end(looping: Monitored) -> None:
    """It can be stopped and ended all the same, and its name is free then; nor does a reset stand in the way of an end."""
    client = connect(looping)
    before = client.call("stats", vm="b")["vcpus"][0]
    assert client.call("pause", vm="a") == {"paused": "a"}
    assert client.call("resume", vm="a") == {"resumed": "a"}
    for _ in range(3):
        assert client.call("destroy", vm="a") == {"destroyed": "a"}
        assert [vm["name"] for vm in client.call("vms")["vms"]] == ["c", "b"]
        assert client.call("create", file="a") == {"created": "a"}
    after = client.call("stats", vm="b")["vcpus"][0]
    ran, waited = (after[k] - before[k] for k in ("guest_ticks", "wait_ticks"))
    assert ran / (ran + waited) > 1 / 5  # a third, but for what the calls take
    check_events(client)
    client.close()
    for vm in ("a", "b", "c"):
        for _ in range(4):
            answers = together(looping, ("reset", {"vm": vm}), ("destroy", {"vm": vm}), ("vms", {}), ("create", {"file": vm}))
            assert not [a for a in answers if "error" in a], answers
            assert vm not in [row["name"] for row in answers[2]["result"]["vms"]]
    answers = together(looping, ("reset", {"vm": "b"}), ("reset", {"vm": "c"}), ("quit", {}))
    assert not [a for a in answers if "error" in a], answers
    assert looping.process.wait(60) == 1  # as large could not be made
    log = looping.log.read_text()
    assert log.count(" a: reset\n") < 60  # it is limited
    assert '@stats {"lost_pages":0}' in log


@own_mode("the VM is described in it")
def test_a_vm_that_lets_no_interrupt_in(tmp_path: Path) -> None:
    """Alone on its processor, with RFLAGS.IF = 0, which in Bochs keeps the machine's interrupts off: the control channel
    and the log go on."""
    found = Monitored(tmp_path, "--stay", "--vm", description(tmp_path, "b", BUSY))
    client = connect(found)
    ticks = client.call("stats", vm="b")["vcpus"][0]["guest_ticks"]
    assert client.call("stats", vm="b")["vcpus"][0]["guest_ticks"] > ticks
    assert client.call("destroy", vm="b") == {"destroyed": "b"}
    client.call("quit")
    client.close()
    assert found.process.wait(60) == 0
    found.close()
