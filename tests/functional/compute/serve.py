"""A server process for the crash tests: runs a compute plane over a home and writes down every event it commits.

`python serve.py HOME` reads one JSON object a line from standard input: tasks to submit.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from sqlite3 import Connection

from trainworks.twin.compute.placement import Machine
from trainworks.twin.compute.scheduler import ComputeSettings, LocalCompute
from trainworks.twin.ports import PoolSpec, TaskEvent, TaskSpec
from trainworks.twin.store import Database


def main(home: Path) -> None:
    database = Database(home / "twin.db", "CREATE TABLE IF NOT EXISTS seen (task_id TEXT, state TEXT, code INTEGER)")
    compute = LocalCompute(database, home, ComputeSettings(Machine(4, 1 << 16)))

    def listen(tx: Connection, events: Sequence[TaskEvent]) -> None:
        tx.executemany("INSERT INTO seen VALUES (?, ?, ?)", [(e.task_id, e.state.value, e.exit_code) for e in events])

    compute.subscribe("", listen)
    compute.start()
    sys.stdout.write("started\n")
    sys.stdout.flush()
    for line in sys.stdin:
        wish = json.loads(line)
        with database.transaction() as tx:
            compute.create_pool(tx, PoolSpec("pool", ("m5.xlarge",), max_vcpus=8))
            compute.submit(
                tx,
                [
                    TaskSpec(
                        name, "pool", tuple(wish["argv"]), {"NAME": name}, home / "log", ml_root=Path(wish["ml_root"])
                    )
                    for name in wish["names"]
                ],
            )
        sys.stdout.write("submitted\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
