# SPDX-License-Identifier: BSD-2-Clause
"""results.jsonl: one line a measurement, added as it is made; what is in it need not be measured again."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from pathlib import Path
from typing import Any

from ..ui import UsageError

RESULTS = "results.jsonl"
FORMAT = 1
OK, FAILED, CANNOT = "ok", "failed", "cannot"  # measured; went wrong; this mode cannot run this workload
STATUSES = (OK, FAILED, CANNOT)

Record = dict[str, Any]


def key_of(facts: dict[str, Any]) -> str:
    """A name for all that decides a measurement's figures."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def parse(text: str, where: str) -> list[Record]:
    """The records of a results file. A last line that was cut short (the machine went down) is left out."""
    result: list[Record] = []
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            if not isinstance(record, dict) or record.get("status") not in STATUSES:
                raise ValueError
            if record["format"] != FORMAT:
                raise UsageError(f"{where}:{number}: format {record['format']}, and only {FORMAT} is known")
            for name in ("key", "workload", "mode", "repetition", "engine", "operations"):
                if name not in record:
                    raise ValueError
        except (ValueError, KeyError) as e:
            if number == len(lines):
                continue
            raise UsageError(f"{where}:{number}: not a result of `triptych compare`") from e
        result.append(record)
    return result


def load(path: Path) -> list[Record]:
    try:
        return parse(path.read_text(), str(path))
    except (OSError, UnicodeDecodeError) as e:
        raise UsageError(f"{path}: {getattr(e, 'strerror', None) or e}") from e


class Store:
    """The file under way. Threads may add at the same time."""

    def __init__(self, path: Path, resume: bool) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._have: dict[str, Record] = {}
        if path.exists():
            if not resume:
                path.replace(path.with_name(path.name + ".old"))
            else:
                self._repair()
                self._have = {r["key"]: r for r in load(path) if r["status"] != FAILED}

    def _repair(self) -> None:
        """A line that was cut short goes, so that the next one starts on a line of its own."""
        data = self.path.read_bytes()
        if data and not data.endswith(b"\n"):
            os.truncate(self.path, data.rfind(b"\n") + 1)

    def find(self, key: str) -> Record | None:
        """An earlier measurement with the same key, unless it failed."""
        return self._have.get(key)

    def add(self, record: Record) -> None:
        line = json.dumps(record, sort_keys=True) + "\n"
        with self._lock, self.path.open("a") as f:
            f.write(line)
            f.flush()
            os.fsync(f.fileno())
