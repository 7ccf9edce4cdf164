# SPDX-License-Identifier: BSD-2-Clause
"""Debian packages as a source of guest images: resolved, fetched and verified by apt, kept in a cache.

The cache is ~/.cache/triptych, or what TRIPTYCH_CACHE names. What is in it is used without asking
the network; remove a file there to have it fetched again.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from .ui import Progress, UsageError

KERNEL_PACKAGES = {
    "cloud-amd64": "linux-image-cloud-amd64",
    "amd64": "linux-image-amd64",
}
DEFAULT_KERNEL = "debian:cloud-amd64"


def cache_dir() -> Path:
    named = os.environ.get("TRIPTYCH_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    path = Path(named) if named else Path(base) / "triptych"
    path.mkdir(parents=True, exist_ok=True)
    return path


def _apt(args: list[str], cwd: Path | None = None) -> str:
    """Runs an apt command; an error names it and repeats what it said."""
    try:
        done = subprocess.run(args, cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    except FileNotFoundError as e:
        raise UsageError(f"{args[0]} is not here: the default guest needs a Debian system, or name --kernel") from e
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if line.startswith("E:")] or done.stderr.splitlines()
        raise UsageError(f"{' '.join(args)} failed: {' '.join(said[:3]) or 'no reason given'}")
    return done.stdout


def versioned_kernel(meta: str) -> str:
    """The package that a kernel's meta package depends on, e.g. linux-image-6.1.0-56-cloud-amd64."""
    out = _apt(["apt-cache", "depends", meta + ":amd64"])
    found = re.search(r"Depends: (linux-image-[0-9][^\s]*)", out)
    if not found:
        raise UsageError(f"apt knows no versioned kernel for {meta}: run 'apt-get update'")
    return found.group(1).removesuffix(":amd64")


def _unpack(deb: Path, members: list[str], into: Path) -> None:
    """Takes the named members (globs) out of a package; not all need be there."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(deb)], stdout=subprocess.PIPE) as unpack:
        done = subprocess.run(
            ["tar", "-x", "-C", str(into), "--wildcards", "--no-same-owner", *members],
            stdin=unpack.stdout,
            capture_output=True,
            text=True,
        )
    said = [line for line in done.stderr.splitlines() if not re.search("Not found in archive|previous errors", line)]
    if (done.returncode != 0 and said) or unpack.returncode not in (0, -13):
        raise UsageError(f"{deb}: cannot unpack {' '.join(members)}: {done.stderr.strip()}")


def _from_package(name: str, package: Callable[[], str], members: list[str], pick: str, progress: Progress) -> Path:
    """The file or directory cache/name: the package's member that matches the glob `pick`, or all members for ""."""
    target = cache_dir() / name
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as tmp:
        work = Path(tmp)
        os.chmod(work, 0o755)
        package_name = package()
        with progress.step(f"downloading {package_name}"):
            _apt(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", package_name], cwd=work)
        deb = next(work.glob("*.deb"))
        with progress.step(f"unpacking {package_name}"):
            tree = work / "tree"
            tree.mkdir()
            _unpack(deb, members, tree)
        found = sorted(tree.glob(pick)) if pick else [tree]
        if not found or not any(tree.iterdir()):
            raise UsageError(f"{package_name}: no {pick or ' '.join(members)} in it")
        target.with_name(target.name + ".from").write_text(deb.name + "\n")
        shutil.move(str(found[0]), target)
    return target


def debian_kernel(flavour: str, progress: Progress) -> Path:
    """vmlinuz of Debian's stock kernel."""
    meta = KERNEL_PACKAGES[flavour]
    return _from_package(
        f"debian-{flavour}/vmlinuz",
        lambda: versioned_kernel(meta) + ":amd64",
        ["./boot/vmlinuz-*"],
        "boot/vmlinuz-*",
        progress,
    )


def _same_package(kernel: Path) -> str:
    """The package, with its version, that a cached file came from."""
    name, version, _ = kernel.with_name(kernel.name + ".from").read_text().strip().split("_")
    return f"{name}:amd64={version.replace('%3a', ':')}"


def kernel_modules(spec: str, members: list[str], progress: Progress) -> Path:
    """The directory lib/modules/RELEASE of the package that a stock kernel came from, with some of its modules."""
    flavour = spec.removeprefix("debian:")
    kernel = kernel_path(spec, progress)
    wanted = [f"./lib/modules/*/kernel/{m}" for m in members]
    tag = hashlib.sha256(" ".join(wanted).encode()).hexdigest()[:8]
    found = _from_package(
        f"debian-{flavour}/modules-{tag}", lambda: _same_package(kernel), wanted, "lib/modules", progress
    )
    return next(found.iterdir())


def package_files(package: str, members: list[str], progress: Progress) -> Path:
    """A directory with the members (globs) of a Debian package, those that it has."""
    tag = hashlib.sha256(" ".join(members).encode()).hexdigest()[:8]
    return _from_package(f"{package}/files-{tag}", lambda: f"{package}:amd64", [f"./{m}" for m in members], "", progress)


def busybox(progress: Progress) -> Path:
    """Debian's static busybox."""
    return _from_package(
        "busybox-static/busybox",
        lambda: "busybox-static:amd64",
        ["./*bin/busybox"],
        "**/busybox",
        progress,
    )


def kernel_path(spec: str, progress: Progress) -> Path:
    """A kernel as people name it: a file, or debian:FLAVOUR."""
    if not spec.startswith("debian:"):
        return Path(spec)
    flavour = spec.removeprefix("debian:")
    if flavour not in KERNEL_PACKAGES:
        known = ", ".join("debian:" + f for f in KERNEL_PACKAGES)
        raise UsageError(f"kernel {spec!r}: no such Debian kernel; valid are {known}, or a file")
    return debian_kernel(flavour, progress)
