"""`python one_task.py HOME SANDBOX SCRIPT..`: a compute plane of its own that runs the scripts one after the other.

So that a test can have one as another user. Prints one JSON object: the sandbox's mode, and of each script its end.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.functional.compute.harness import Bench


def main(home: Path, sandbox: str, scripts: list[str]) -> None:
    bench = Bench(home, sandbox)
    try:
        bench.pool("shared", ("m5.large",), exclusive=False)
        mode, ends = bench.compute.sandbox_mode(), []
        if mode != "off":
            for number, script in enumerate(scripts):
                task = bench.script(f"task-{number}", Path(script).read_text(), pool_id="shared", memory_mib=256)
                end = bench.run(task, timeout_seconds=60)
                log = bench.log(task.task_id)
                ends.append({"code": end.exit_code, "reason": end.reason, "log": log, "instance": end.instance_id})
        why_not = bench.compute.sandbox_warning()
    finally:
        bench.close()
    sys.stdout.write(json.dumps({"mode": mode, "why_not": why_not, "ends": ends}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
