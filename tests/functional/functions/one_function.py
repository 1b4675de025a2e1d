"""`python one_function.py HOME SANDBOX SOURCE`: one function, invoked twice, by a twin's functions alone.

So that a test can have it as another user. Prints one JSON object: the sandbox's mode, the results, the log.
"""

from __future__ import annotations

import io
import json
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from trainworks.twin.functions.runner import LocalFunctions
from trainworks.twin.ports import Caller, ControlPlane, Credentials, FunctionSpec, Invocation, Logs

ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"


class NobodysControlPlane:
    """Credentials that are good for nothing, and a log in memory."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def assume_for_service(self, role_arn: str, *_: Any) -> Credentials:
        return Credentials("ASIA", "secret", "token", 2e9, Caller(role_arn, "000000000000", "us-east-1", "ASIA"))

    def put_log_events(self, caller: Caller, group: str, stream: str, events: Sequence[tuple[int, str]]) -> None:
        self.log += [message for _, message in events]


def main(home: Path, sandbox: str, source: str) -> None:
    home.mkdir(exist_ok=True)
    control_plane = NobodysControlPlane()
    functions = LocalFunctions(
        home, cast("ControlPlane", control_plane), cast("Logs", control_plane), "http://127.0.0.1:1", sandbox=sandbox
    )
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("index.py", source)
    spec = FunctionSpec(
        revision="1",
        function_arn=ARN,
        function_name="f",
        version="$LATEST",
        account_id="000000000000",
        region="us-east-1",
        runtime="python3.11",
        handler="index.handler",
        role_arn="arn:aws:iam::000000000000:role/r",
        code=code.getvalue(),
        timeout_seconds=5,
        log_group="/aws/lambda/f",
    )
    event = json.dumps({"home": str(home)}).encode()
    results = [functions.invoke(spec, Invocation(f"request-{number}", event, ARN)) for number in range(2)]
    functions.close()
    answer = {"mode": functions.mode, "results": [json.loads(each.payload) for each in results]}
    sys.stdout.write(json.dumps({**answer, "log": control_plane.log}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]).read_text())
