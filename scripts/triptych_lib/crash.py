# SPDX-License-Identifier: BSD-2-Clause
"""What a VM left that crashed, for people: the line @crash of the log port, with its instruction disassembled."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from . import ctl

MACHINES = {16: "i8086", 32: "i386", 64: "i386:x86-64"}
_INSN = re.compile(r"^\s*[0-9a-f]+:\t(?:[0-9a-f]{2} )+\s*\t?(.*)$")


def disassemble(code: bytes, address: int, bits: int) -> str:
    """The first instruction of `code`, by objdump; or why not."""
    tool = shutil.which("objdump")
    if tool is None:
        return "(objdump is not here: install binutils)"
    if not code:
        return "(not readable)"
    with tempfile.TemporaryDirectory(prefix="triptych-") as tmp:
        file = Path(tmp) / "code"
        file.write_bytes(code)
        done = subprocess.run(
            [tool, "-D", "-b", "binary", "-m", MACHINES.get(bits, MACHINES[64]), "-M", "intel", f"--adjust-vma={address:#x}", str(file)],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    found = [m.group(1).strip() for line in done.stdout.splitlines() if (m := _INSN.match(line))]
    return found[0] if found and found[0] else "(no instruction)"


def report(crash: dict[str, Any]) -> str:
    """The whole of it, as text."""
    address, code = int(str(crash["rip"]), 0), bytes.fromhex(str(crash["bytes"]))
    insn = disassemble(code, address, int(crash["bits"]))
    head = f"VM {crash['vm']}, vcpu {crash['vcpu']}: {crash['why']}\n  {crash['rip']}: {code.hex(' ')}  {insn}\n"
    rest = {k: v for k, v in crash.items() if k not in ("vm", "vcpu", "why", "rip", "bytes", "bits") and v != []}
    return head + "".join(f"  {line}\n" for line in ctl.text(rest).splitlines())
