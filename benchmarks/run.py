"""Measure what a user feels, each figure next to what bounds it, in one run on this machine; `python3 dev.py bench`.

Prints the table, stores it in `figures.json`, and writes it into `README.md` between the two marks.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

import arrays
import checks
import deploys
import door
import floods
import history
import inputs
import serving
import starts
import synth
from figures import Figure, Skipped
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
TRAINWORKS = Path(sys.executable).parent / "trainworks"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    names = ["arrays", "history", "logs", "door", "starts", "deploys", "inputs", "serving", "checks", "synth"]
    parser.add_argument("--reference", type=Path, default=ROOT.parent / "shared" / "reference")
    parser.add_argument("--only", choices=names, action="append")
    parser.add_argument("--no-store", action="store_true", help="print only")
    options = parser.parse_args()
    measures = {
        "synth": lambda: synth.measure(options.reference, TRAINWORKS),
        "checks": checks.measure,
        "deploys": lambda: deploys.measure(TRAINWORKS),
        "starts": lambda: starts.measure(TRAINWORKS),
        "door": door.measure,
        "arrays": arrays.measure,
        "inputs": inputs.measure,
        "serving": serving.measure,
        "logs": floods.measure,
        "history": history.measure,
    }
    results: list[Figure | Skipped] = []
    # What makes thousands of files comes before what deletes thousands: see `twins`.
    for name in options.only or names:
        sys.stderr.write(f"measuring {name} ...\n")
        results += measures[name]()
    show(results)
    if not options.no_store and not options.only:
        store(results)
    return 0


def show(results: list[Figure | Skipped]) -> None:
    table = Table("what", "ours", "bound", "ratio", "aim", "reached")
    for row in rows(results):
        table.add_row(*row)
    Console(width=150).print(table)


def rows(results: list[Figure | Skipped]) -> list[list[str]]:
    return [
        [r.name, "skipped", r.why, "", "", ""]
        if isinstance(r, Skipped)
        else [r.name, amount(r.ours, r.unit), f"{r.bound_name}: {amount(r.bound, r.unit)}", f"{r.ratio:.2f}", r.aim,
              "yes" if r.reached else "no"]
        for r in results
    ]  # fmt: skip


def amount(value: float, unit: str) -> str:
    if unit == "s" and value < 1:
        return f"{value * 1000:.1f} ms"
    return f"{value:.2f} {unit}"


def store(results: list[Figure | Skipped]) -> None:
    machine = f"{os.cpu_count()} cores, Linux {platform.release().split('-')[0]}, Python {platform.python_version()}"
    dated = {"date": datetime.now(UTC).date().isoformat(), "machine": machine}
    records = [r.record() if isinstance(r, Figure) else {"name": r.name, "skipped": r.why} for r in results]
    (HERE / "figures.json").write_text(json.dumps({**dated, "figures": records}, indent=1) + "\n")
    page = (HERE / "README.md").read_text()
    head, tail = page.split(BEGIN)[0], page.split(END)[1]
    lines = [
        f"Measured {dated['date']} on {machine}.",
        "",
        "| what | ours | bound | ratio | aim | reached |",
        "|---|---|---|---|---|---|",
    ]
    lines += ["| " + " | ".join(row) + " |" for row in rows(results)]
    (HERE / "README.md").write_text(head + BEGIN + "\n" + "\n".join(lines) + "\n" + END + tail)


if __name__ == "__main__":
    sys.exit(main())
