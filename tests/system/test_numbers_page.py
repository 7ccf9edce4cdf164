# SPDX-License-Identifier: BSD-2-Clause
"""docs/numbers.md is made from docs/results.jsonl, and from nothing else."""

from __future__ import annotations

from conftest import ROOT

import compare_data  # noqa: F401 - finds scripts/

from triptych_lib.compare import numbers, store


def test_the_page_of_numbers_is_what_its_results_say() -> None:
    page = numbers.page(numbers.TEMPLATE, store.load(ROOT / "docs/results.jsonl"))
    assert page == (ROOT / "docs/numbers.md").read_text(), "run 'make numbers' and commit it"
