# SPDX-License-Identifier: BSD-2-Clause
"""What this host can do and what it lacks: `triptych doctor`, and scripts/deps, which installs it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

from triptych_lib import doctor, engine  # noqa: E402
from triptych_lib.doctor import NEEDS, Need  # noqa: E402

COMMANDS = [n for n in NEEDS if not n.tool.startswith("/")]
NOTHING = engine.HostProbe("", problem="nothing was looked at")


def packages_of_deps() -> dict[str, str]:
    """Package and reason, as scripts/deps lists them."""
    found = re.search(r"^packages='\n(.*?)^'$", (ROOT / "scripts/deps").read_text(), re.M | re.S)
    assert found is not None
    return dict(line.split(": ", 1) for line in found.group(1).splitlines())


def path_without(folder: Path, *missing: str) -> str:
    """A PATH on which all that doctor looks for is there, but for some."""
    folder.mkdir()
    for need in COMMANDS:
        if need.tool not in missing:
            real = shutil.which(need.tool)
            assert real is not None, f"{need.tool} is needed to test that it is not missed"
            (folder / need.tool).symlink_to(real)
    return str(folder)


def run_doctor(path: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(ROOT / "scripts/triptych"), "doctor"], capture_output=True, text=True, env={"HOME": "/nonexistent", "PATH": path, **env}
    )


# ---- doctor


def test_where_nothing_is_missing(tmp_path: Path) -> None:
    done = run_doctor(path_without(tmp_path / "bin"), TRIPTYCH_CACHE=str(tmp_path / "cache"))
    assert (done.returncode, done.stderr) == (0, "")
    assert "missing   " not in done.stdout and "make deps" not in done.stdout
    assert re.search(r"^engine +(kvm|bochs)\b", done.stdout, re.M)
    assert re.search(r"^hypervisor +built$", done.stdout, re.M)
    assert re.search(rf"^cache +{tmp_path}/cache$", done.stdout, re.M)


@pytest.mark.parametrize("need", COMMANDS, ids=[n.tool for n in COMMANDS])
def test_a_command_that_is_missing(tmp_path: Path, need: Need) -> None:
    done = run_doctor(path_without(tmp_path / "bin", need.tool), TRIPTYCH_CACHE=str(tmp_path / "cache"))
    assert done.returncode == (1 if need.required else 0)
    weight = "needed" if need.required else "useful"
    assert f"missing    {need.tool}: {weight}, {need.why} (package {need.package})\n" in done.stdout
    assert done.stdout.count("missing    ") == 1
    assert done.stdout.endswith("to install what is missing: make deps\n")


def test_a_file_that_is_missing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(doctor, "NEEDS", (Need("/nonexistent/rom", "some-rom", "starts it"), Need("/", "base-files", "all")))
    assert doctor.report(NOTHING, True) == 1
    assert "missing    /nonexistent/rom: needed, starts it (package some-rom)\n" in capsys.readouterr().out


def test_what_it_says_of_the_host(capsys: pytest.CaptureFixture[str]) -> None:
    kvm = engine.HostProbe("flags : vmx\n", kvm_opens=True, kvm_offers_vmx=True, tools={"qemu-system-x86_64": True})
    doctor.report(kvm, False)
    said = capsys.readouterr().out
    assert "VT-x       nested KVM works here\n" in said and "engine     kvm\n" in said
    assert "hypervisor not built yet: run make\n" in said
    doctor.report(NOTHING, True)
    said = capsys.readouterr().out
    assert "VT-x       no: nothing was looked at\n" in said and "engine     bochs (slower" in said


def test_what_doctor_misses_deps_installs() -> None:
    packages = packages_of_deps()
    assert {n.package for n in NEEDS if n.package != "apt"} <= set(packages)
    assert all(why.strip() for why in packages.values())


# ---- deps


class Host:
    """A machine of shell scripts, on which only some packages are installed."""

    def __init__(self, folder: Path, installed: set[str], uid: int = 0, tools: tuple[str, ...] = ("apt-get", "sudo")) -> None:
        self.log = folder / "log"
        self.folder = folder / "bin"
        self.folder.mkdir()
        for tool in ("grep", "env"):
            (self.folder / tool).symlink_to(shutil.which(tool) or "")
        # As dpkg-query -W -f '${db:Status-Status}' PACKAGE.
        (folder / "installed").write_text("".join(f"{p}\n" for p in sorted(installed)))
        self.script("dpkg-query", f'grep -qx "$4" {folder}/installed || exit 1; printf installed')
        self.script("id", f"echo {uid}")
        for tool in tools:
            run = 'exec "$@"' if tool == "sudo" else ""
            self.script(tool, f'echo {tool} "$@" >>{self.log}\n{run}')

    def script(self, name: str, body: str) -> None:
        (self.folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (self.folder / name).chmod(0o755)

    def run(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run([str(ROOT / "scripts/deps")], capture_output=True, text=True, env={"PATH": str(self.folder)})

    def calls(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


def test_deps_does_nothing_where_all_are_there(tmp_path: Path) -> None:
    host = Host(tmp_path, set(packages_of_deps()))
    done = host.run()
    assert (done.returncode, done.stdout, done.stderr, host.calls()) == (0, "", "", [])


def test_deps_installs_what_is_missing_and_says_why(tmp_path: Path) -> None:
    packages = packages_of_deps()
    host = Host(tmp_path, set(packages) - {"bochs", "mypy"})
    done = host.run()
    assert done.returncode == 0, done.stderr
    assert f"\n  bochs - {packages['bochs']}\n" in done.stderr and f"\n  mypy - {packages['mypy']}\n" in done.stderr
    assert "cppcheck" not in done.stderr
    update, install = host.calls()
    assert update.startswith("apt-get update")
    assert install.startswith("apt-get install") and install.endswith(" bochs mypy")


def test_deps_asks_for_sudo(tmp_path: Path) -> None:
    host = Host(tmp_path, set(packages_of_deps()) - {"bochs"}, uid=1000)
    done = host.run()
    assert done.returncode == 0 and "sudo may ask for your password" in done.stderr
    assert [c.split()[0] for c in host.calls()] == ["sudo", "apt-get", "sudo", "apt-get"]


@pytest.mark.parametrize(
    ("uid", "tools", "said"),
    [(1000, ("apt-get",), "run as root: apt-get install bochs"), (0, (), "this is no Debian system")],
    ids=["no sudo", "no apt"],
)
def test_deps_cannot_install(tmp_path: Path, uid: int, tools: tuple[str, ...], said: str) -> None:
    host = Host(tmp_path, set(packages_of_deps()) - {"bochs"}, uid, tools)
    done = host.run()
    assert done.returncode == 1 and said in done.stderr and "bochs" in done.stderr
    assert host.calls() == []


def test_deps_fails_where_apt_fails(tmp_path: Path) -> None:
    host = Host(tmp_path, set(packages_of_deps()) - {"bochs"}, tools=())
    host.script("apt-get", "echo 'E: no network' >&2; exit 100")
    assert host.run().returncode == 100
