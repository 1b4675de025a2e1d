"""The CDK app as a process that synthesizes many environments, one request after another."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self

from trainworks.assembly.request import SynthRequest
from trainworks.errors import SynthesisError

_COMMAND = (sys.executable, "-m", "trainworks.infra.app", "--requests")


class Synthesizer:
    """Runs `trainworks.infra.app`; the process starts with the first request and ends with the `with` block.

    Raises `SynthesisError` with the CDK's own words if a synthesis fails; the next request may still succeed.
    """

    def __init__(self, command: Sequence[str] = _COMMAND) -> None:
        self._command = tuple(command)
        self._process: subprocess.Popen[str] | None = None
        self._stderr = tempfile.TemporaryFile(mode="w+", encoding="utf-8")  # noqa: SIM115 - closed in __exit__

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process and self._process.stdin and self._process.stdout:
            self._process.stdin.close()
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process.stdout.close()
        self._stderr.close()

    def synthesize(self, request: SynthRequest, output_dir: Path) -> None:
        """Write the assembly of `request` into `output_dir`."""
        line = json.dumps(
            {
                "environment_suffix": request.environment_suffix,
                "profile": asdict(request.profile),
                "account": request.account,
                "region": request.region,
                "output_dir": str(output_dir),
            }
        )
        answer = self._exchange(line)
        if answer["error"] is not None:
            raise SynthesisError(
                f"synthesis of {request.stack_name} failed: {answer['error']}",
                fix="correct the setting or construct that is named",
            )

    def _exchange(self, line: str) -> dict[str, str | None]:
        process = self._started()
        assert process.stdin and process.stdout  # noqa: S101 - both are pipes
        try:
            process.stdin.write(line + "\n")
            process.stdin.flush()
        except BrokenPipeError:
            raise self._ended(process) from None
        while text := process.stdout.readline():
            try:
                answer = json.loads(text)
            except json.JSONDecodeError:
                continue  # something that the CDK prints for people
            if isinstance(answer, dict) and "error" in answer:
                return answer
        raise self._ended(process)

    def _started(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._stderr, text=True
            )
        return self._process

    def _ended(self, process: subprocess.Popen[str]) -> SynthesisError:
        """The process ended without an answer: its last words are on standard error."""
        code = process.wait()
        self._stderr.seek(0)
        words = [line for line in self._stderr.read().splitlines() if line.strip()]
        if words and words[-1].startswith("  fix: "):
            return SynthesisError("\n".join(words[:-1][-5:]), fix=words[-1].removeprefix("  fix: "))
        last = "\n".join(words[-5:]) or f"it ended with exit code {code}"
        return SynthesisError(f"the CDK app could not run: {last}", fix="run python -m trainworks.infra.app by itself")
