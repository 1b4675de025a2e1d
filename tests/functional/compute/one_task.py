"""`python one_task.py HOME SANDBOX SCRIPT..`: a compute plane of its own that runs the scripts one after the other.

So that a test can have one as another user. Prints one JSON object: the sandbox's mode, and of each script its end.
A script may begin with a comment that holds members of its task as JSON: `# {"shared_memory_mib": 64}`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.functional.compute.harness import Bench
from trainworks.twin.ports import Tmpfs, Ulimit, Volume


def main(home: Path, sandbox: str, scripts: list[str]) -> None:
    bench = Bench(home, sandbox)
    try:
        bench.pool("shared", ("m5.large",), exclusive=False)
        mode, ends = bench.compute.sandbox_mode(), []
        if mode != "off":
            for number, script in enumerate(scripts):
                source = Path(script).read_text()
                options = {"pool_id": "shared", "memory_mib": 256, **_options(source)}
                task = bench.script(f"task-{number}", source, **options)
                end = bench.run(task, timeout_seconds=60)
                log = bench.log(task.task_id)
                ends.append({"code": end.exit_code, "reason": end.reason, "log": log, "instance": end.instance_id})
        why_not = bench.compute.sandbox_warning()
    finally:
        bench.close()
    sys.stdout.write(json.dumps({"mode": mode, "why_not": why_not, "ends": ends}) + "\n")


def _options(source: str) -> dict[str, Any]:
    first = source.partition("\n")[0]
    found: dict[str, Any] = json.loads(first[1:]) if first.startswith("# {") else {}
    for name, kind in (("volumes", Volume), ("tmpfs", Tmpfs), ("ulimits", Ulimit)):
        if name in found:
            found[name] = tuple(kind(*each) for each in found[name])
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
