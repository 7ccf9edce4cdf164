# SPDX-License-Identifier: BSD-2-Clause
"""The Makefile's promises that no compiler checks: what is rebuilt when, and that the generated page is."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from conftest import ROOT


def make(*args: str) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith("MAKE") and k != "MFLAGS"}
    return subprocess.run(["make", *args], cwd=ROOT, capture_output=True, text=True, env=env, timeout=120)


@pytest.mark.parametrize(
    "source", ["build/triptych.elf", "scripts/triptych", "scripts/triptych_lib/iso.py", "scripts/triptych_lib/cli.py"]
)
def test_the_image_is_rebuilt_when_what_it_is_made_from_changes(source: str) -> None:
    assert make("-q", "build/triptych.iso").returncode == 0, "`make` has not been run, or does not build the image"
    assert "build/triptych.iso --preflight" in make("-n", "-W", source, "all").stdout


@pytest.mark.parametrize("name", ["triptych.elf", "counting/triptych.elf", "nano.elf", "guest/debugged.elf", "guest-images/linux/bench"])
def test_what_is_built_does_not_say_where(name: str) -> None:
    """Two clones of a commit measure the same: the files that an emulator loads have the same bytes."""
    assert str(ROOT).encode() not in (ROOT / "build" / name).read_bytes()


def test_the_generated_page_is_what_the_tables_say(tmp_path: Path) -> None:
    assert make("check-docs").returncode == 0
    page = tmp_path / "page.md"
    page.write_text((ROOT / "docs/cpuid-msr.md").read_text().replace("0x", "0X", 1))
    done = make("check-docs", f"DOC={page}")
    assert done.returncode != 0 and "run 'make docs' and commit it" in done.stderr
    assert make("docs", f"DOC={page}").returncode == 0
    assert page.read_text() == (ROOT / "docs/cpuid-msr.md").read_text()


def test_help_names_every_target() -> None:
    said = make("help").stdout
    phony = {t for names in re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.M) for t in names.split()}
    quiet = {"all", "help", "clean", "unit", "guest-elfs", "$(FUZZ:%=run-%)"}
    assert all(f"make {target}" in said for target in phony - quiet)
