# SPDX-License-Identifier: BSD-2-Clause
"""The root file system of the default guest: busybox, an init script, our benchmark.

For a VM with virtio devices also the drivers, for one with disks what makes and checks ext4, for one with a network
card iperf3, and for the benchmark the compiler that it measures.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from pathlib import Path

from . import cpio, images, kmodules
from .paths import BENCH, EXITS, IOBENCH, NETBENCH, RECIPE
from .ui import Progress, UsageError

DIRECTORIES = ("bin", "sbin", "lib", "lib64", "dev", "etc", "proc", "sys", "tmp", "root", "run", "var", "mnt")
DRIVERS = ["virtio_pci", "virtio_mmio", "virtio_blk", "virtio_rng", "virtio_net", "virtio_console", "virtio_balloon"]
# Of io=emulated; one of the kernels has none.
EMULATED_DRIVERS = ["ata_piix", "sd_mod", "crct10dif_generic", "crc64_rocksoft_generic", "ne2k_pci"]
FILE_SYSTEMS = ["ext4", "crc32c_generic", "crc32c_intel"]
# Where they and what they depend on are, in either of the stock kernels.
MODULE_FILES = [
    "drivers/virtio/*",
    "drivers/block/virtio_blk.*",
    "drivers/char/virtio_console.*",
    "drivers/char/hw_random/*",
    "drivers/net/virtio_net.*",
    "drivers/net/net_failover.*",
    "net/core/failover.*",
    "drivers/net/ethernet/8390/8390.*",
    "drivers/net/ethernet/8390/ne2k-pci.*",
    "fs/ext4/*",
    "fs/jbd2/*",
    "fs/mbcache.*",
    "lib/crc16.*",
    "lib/crc64*",
    "lib/crc-t10dif.*",
    "block/t10-pi.*",
    "crypto/crc64_rocksoft_generic.*",
    "crypto/crct10dif_*",
    "drivers/ata/libata.*",
    "drivers/ata/ata_piix.*",
    "drivers/scsi/scsi_mod.*",
    "drivers/scsi/scsi_common.*",
    "drivers/scsi/sd_mod.*",
    "lib/libcrc32c.*",
    "crypto/crc32c_generic.*",
    "arch/x86/crypto/crc32c-intel.*",
]
LIBRARIES = "lib/x86_64-linux-gnu"
DISK_PROGRAMS = {
    "e2fsprogs": ["sbin/mke2fs", "sbin/e2fsck"],
    "libext2fs2": [f"{LIBRARIES}/libext2fs.so.*", f"{LIBRARIES}/libe2p.so.*"],
    "libcom-err2": [f"{LIBRARIES}/libcom_err.so.*"],
    "libblkid1": [f"{LIBRARIES}/libblkid.so.*"],
    "libuuid1": [f"{LIBRARIES}/libuuid.so.*"],
    "libc6": [f"{LIBRARIES}/libc.so.*", f"{LIBRARIES}/ld-linux-x86-64.so.*"],
}
NETWORK_PROGRAMS = {
    "iperf3": ["bin/iperf3"],
    "libiperf0": [f"{LIBRARIES}/libiperf.so.*"],
    "libssl3": [f"{LIBRARIES}/libcrypto.so.*"],
    "libsctp1": [f"{LIBRARIES}/libsctp.so.*"],
    "libc6": [f"{LIBRARIES}/{name}.so.*" for name in ("libc", "libm", "ld-linux-x86-64")],
}
COMPILER = {
    "tcc": ["bin/tcc"],
    "libc6": [
        *(f"{LIBRARIES}/{name}.so.*" for name in ("libc", "libm", "libdl", "libpthread")),
        f"{LIBRARIES}/ld-linux-x86-64.so.*",
    ],
}
OWN_COMMANDS = ("poweroff", "reboot", "halt")  # scripts of ours instead of busybox's


def applets(busybox: Path) -> list[str]:
    """The names that this busybox answers to. It is a static amd64 program: it runs on the host."""
    try:
        out = subprocess.run([str(busybox), "--list"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as e:
        raise UsageError(f"{busybox} does not run here ({e}): an x86-64 host is needed") from e
    return sorted(set(out.stdout.split()))


def entries(busybox: Path, bench: Path | None) -> list[cpio.Entry]:
    result = [cpio.directory(d) for d in DIRECTORIES]
    result += [cpio.chardev("dev/console", 5, 1), cpio.chardev("dev/null", 1, 3, 0o666)]
    result += [cpio.regular("bin/busybox", busybox.read_bytes(), 0o755)]
    result += [
        cpio.symlink(f"bin/{name}", "busybox")
        for name in applets(busybox)
        if name not in OWN_COMMANDS and name not in ("busybox", "init", "linuxrc")
    ]
    result.append(cpio.symlink("sbin/modprobe", "/bin/busybox"))  # where the kernel looks for it
    end = (RECIPE / "end").read_bytes()
    result += [cpio.regular(f"sbin/{name}", end, 0o755) for name in OWN_COMMANDS]
    result += [
        cpio.regular("init", (RECIPE / "init").read_bytes(), 0o755),
        cpio.regular("etc/udhcpc", (RECIPE / "udhcpc").read_bytes(), 0o755),
        cpio.regular("etc/profile", (RECIPE / "profile").read_bytes()),
        cpio.regular("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n"),
        cpio.regular("etc/group", b"root:x:0:\n"),
    ]
    if bench is not None:
        result.append(cpio.regular("bin/bench", bench.read_bytes(), 0o755))
    return result


def programs(packages: dict[str, list[str]], progress: Progress) -> list[cpio.Entry]:
    """Programs of Debian's with the libraries that they need, each under the name that the loader looks for."""
    result = [cpio.directory(LIBRARIES), cpio.directory("usr"), cpio.directory("usr/bin")]
    for package, members in packages.items():
        tree = images.package_files(package, [*members, *(f"usr/{m}" for m in members)], progress)
        for path in sorted(p for p in tree.rglob("*") if p.is_file() and not p.is_symlink()):
            library = re.match(r"(.*\.so\.\d+)", path.name)
            directory = "sbin" if path.parent.name == "sbin" else "usr/bin"
            place = f"{LIBRARIES}/{library.group(1)}" if library else f"{directory}/{path.name}"
            result.append(cpio.regular(place, path.read_bytes(), 0o755))
    result.append(cpio.symlink("lib64/ld-linux-x86-64.so.2", f"/{LIBRARIES}/ld-linux-x86-64.so.2"))
    return result


def merged(*wanted: dict[str, list[str]]) -> dict[str, list[str]]:
    """All packages, each with the members that any of them wants."""
    result: dict[str, list[str]] = {}
    for packages in wanted:
        for package, members in packages.items():
            have = result.setdefault(package, [])
            have += [m for m in members if m not in have]
    return result


def own_programs(*paths: Path) -> list[cpio.Entry]:
    """Those of ours that are built."""
    return [cpio.regular(f"bin/{path.name}", path.read_bytes(), 0o755) for path in paths if path.exists()]


def build(
    progress: Progress, drivers_for: str | None = None, disks: bool = False, network: bool = False, compiler: bool = False
) -> Path:
    """The default initramfs, in the cache under the hash of its contents.

    drivers_for: the stock kernel that needs drivers for virtio; disks: with programs for file systems; network: with
    iperf3; compiler: with tcc.
    """
    busybox = images.busybox(progress)
    content = entries(busybox, BENCH if BENCH.exists() else None)
    if drivers_for:
        release = images.kernel_modules(drivers_for, MODULE_FILES, progress)
        content += kmodules.entries(release, [*DRIVERS, *EMULATED_DRIVERS, *FILE_SYSTEMS])
        content += own_programs(EXITS)
    wanted = ((disks, DISK_PROGRAMS), (network, NETWORK_PROGRAMS), (compiler, COMPILER))
    packages = merged(*(what for is_wanted, what in wanted if is_wanted))
    if packages:
        content += programs(packages, progress)
    if disks:
        content.append(cpio.symlink("sbin/mkfs.ext4", "mke2fs"))
        content += own_programs(IOBENCH)
    if network:
        content += own_programs(NETBENCH)
    data = cpio.archive(content)
    path = images.cache_dir() / "initramfs" / (hashlib.sha256(data).hexdigest()[:16] + ".cpio")
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        tmp = path.with_name(f"{path.name}.{os.getpid()}")
        tmp.write_bytes(data)
        tmp.rename(path)
    return path
