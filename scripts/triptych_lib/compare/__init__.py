# SPDX-License-Identifier: BSD-2-Clause
"""`triptych compare`: the same guests natively and in each mode, side by side, with the reasons.

    command    its options, and the order of things     matrix     workloads, modes and cells
    cell       one run: from a VM file to a record      lines      what a workload prints
    facts      what a run depends on, in words          store      results.jsonl
    runner     cells in parallel, with progress         figures    from records to the figures that are shown
    summary    tables, in Markdown and on a terminal    page       the report, in HTML
    charts     its plots                                svg        what they are drawn with
    against    what changed since an older file         budget     what main operations may take
    numbers    docs/numbers.md
"""
