"""Results that are measured a piece at a time and merged into one file."""

import json
import re

from _report import RESULTS, describe_machine

__all__ = ["merge_rows", "read_rows"]


def read_rows(name, group):
    """Return the rows of one group of ``results/<name>.json``, or {}."""
    return _read(name).get(group, {})


def merge_rows(name, group, rows):
    """Write rows of figures to ``results/<name>.json``, keeping what else was measured.

    The machine is described once, as it is now; each row says which processor it was measured on.
    """
    report = _read(name)
    machine = describe_machine()
    old = report.get(group, {})
    processor = {"processor": machine["processor"]}
    report[group] = old | {key: old.get(key, {}) | row | processor for key, row in rows.items()}
    report = {**report, "machine": machine}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(_on_few_lines(json.dumps(report, indent=2)) + "\n")
    print(json.dumps({group: rows}), flush=True)


def _on_few_lines(text):
    """Write lists of numbers on one line each."""
    return re.sub(r"\[[^][{}]*\]", lambda match: " ".join(match.group().split()), text)


def _read(name):
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else {"machine": {}}
