#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Power cuts: the emulator is killed at random moments of a workload that syncs all the time.

A guest on the image of a disk writes files whose contents follow from their number, syncs each, and then prints its
number. After each cut the file system, its journal replayed, must be consistent and have all files whose number was
printed; the next guest goes on with the same image, replaying the journal itself. The emulated disk has no cache of
its own that a cut could lose: what is tried is everything from the guest's page cache to the disk's command. That a
flush does something is what tests/unit/test_virtio_blk_cuts.c looks at.

    tests/system/power_cuts.py [--cuts 20] [--seed 4]

The same seed cuts after the same stretches of work, in seconds of this host.
"""

from __future__ import annotations

import argparse
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from conftest import BOOT_TIMEOUT_S, Run

DISK = 16 << 20
LONGEST_S = 6.0  # of work before a cut
LINES = 900  # of a file
APPEND = "console=ttyS0 loglevel=3 triptych.run=/bin/sh --"
WORK = (
    "mount /dev/vda /mnt && n={last} && while :; do n=$((n+1)); seq $n $((n+{more})) | dd of=/mnt/w conv=fsync 2>/dev/null; "
    "mv /mnt/w /mnt/f$n; sync; echo synced-$n.; done"
)


class Lost(Exception):
    """What a cut has done to the disk."""


def new_disk(path: Path) -> None:
    with path.open("wb") as f:
        f.truncate(DISK)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", str(path)], check=True)


def check(image: Path, last: int) -> None:
    """On a copy: consistent after the journal was replayed, and files 1 to last are what they were."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.img"
        shutil.copyfile(image, copy)
        replayed = subprocess.run(["e2fsck", "-p", str(copy)], capture_output=True, text=True, check=False)
        if replayed.returncode not in (0, 1):
            raise Lost(f"e2fsck -p: {replayed.stdout}")
        checked = subprocess.run(["e2fsck", "-f", "-n", str(copy)], capture_output=True, text=True, check=False)
        if checked.returncode != 0:
            raise Lost(f"e2fsck -f: {checked.stdout}")
        subprocess.run(["debugfs", "-R", f"rdump / {folder}", str(copy)], capture_output=True, check=True)
        for n in range(1, last + 1):
            file = Path(folder) / f"f{n}"
            if not file.exists() or file.read_text() != "".join(f"{i}\n" for i in range(n, n + LINES + 1)):
                raise Lost(f"file {n} of {last}, which was synced, is not what it was")


def cut(start: Callable[..., Run], image: Path, last: int, seconds: float) -> int:
    """One guest from its boot to the cut. Returns the number of the last file that it has synced."""
    work = WORK.format(last=last, more=LINES)
    run = start("--disk", f"image:{image}", "--append", f'{APPEND} -c "{work}"')
    try:
        run.expect(f"synced-{last + 1}.", BOOT_TIMEOUT_S)
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            run.listen(left)
    finally:
        run.process.kill()  # and its emulator with it, at once
        run.process.wait()
    time.sleep(0.5)
    return max(int(n) for n in re.findall(r"synced-(\d+)\.", run.text))


def cuts(start: Callable[..., Run], image: Path, count: int, seed: int, say: Callable[[str], None] = print) -> None:
    moment = random.Random(seed)
    new_disk(image)
    last = 0
    for i in range(count):
        seconds = moment.uniform(0, LONGEST_S)
        last = cut(start, image, last, seconds)
        check(image, last)
        say(f"cut {i + 1} of {count}, {seconds:.1f} s into the work: consistent, all {last} files are there")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cuts", type=int, default=20)
    parser.add_argument("--seed", type=int, default=4)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        try:
            cuts(lambda *words: Run(log, *words), Path(folder) / "disk.img", args.cuts, args.seed)
        except Lost as e:
            print(e)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
