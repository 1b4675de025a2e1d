"""Every error that trainworks raises on purpose.

Each says what is wrong, the value that was given, and the fix. The command line prints `str(error)` and exits with
`error.exit_code`; no traceback reaches a user for something that they did.

    TrainworksError                    1   something failed; the message names the resource and the fix
    ├── RequestError                   2   the request was wrong; nothing was changed
    │   ├── ConfigurationError         2   trainworks.toml or a job spec: file, key, value, what is allowed
    │   └── NotDeployedError           2   the platform that the command needs is not there
    ├── SynthesisError                 1   the CDK app failed
    ├── CheckError                     1   the templates have errors that only run time would show; nothing was changed
    ├── DeployError                    1   a stack operation failed; carries the first cause
    │   └── DeployInterruptedError   130   Ctrl-C: nobody watches any more, the operation itself goes on
    ├── JobError                       1   a job ended in failure; carries its reason and last log lines
    ├── InvocationError                1   a function failed; carries the type and message of what it raised
    └── TwinError                      1   the twin could not start, stop or answer
        ├── TwinRefusedError           1   it refuses what only a twin can do
        ├── PortInUseError             1
        └── HomeVersionError           1   the home was written by another version
"""

from collections.abc import Mapping, Sequence


class TrainworksError(Exception):
    """Base of all errors raised on purpose. `fix` is one sentence or command that fixes the cause, or empty."""

    exit_code = 1

    def __init__(self, message: str, *, fix: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.message}\n  fix: {self.fix}" if self.fix else self.message


class RequestError(TrainworksError):
    """The request was wrong: nothing was changed."""

    exit_code = 2


class ConfigurationError(RequestError):
    """A configuration file or job spec is wrong; the message names file, key, value and what is allowed."""


class NotDeployedError(RequestError):
    """The stack whose outputs the command needs does not exist in this environment."""


class SynthesisError(TrainworksError):
    """The CDK app could not be synthesized."""


class CheckError(TrainworksError):
    """The check before a deploy found errors: nothing was changed. The message lists them; `findings` are data."""

    def __init__(self, message: str, *, fix: str = "", findings: Sequence[Mapping[str, object]] = ()) -> None:
        super().__init__(message, fix=fix)
        self.findings = tuple(findings)


class DeployError(TrainworksError):
    """A stack operation failed; the message carries the first cause with its resource and reason."""


class DeployInterruptedError(DeployError):
    """Ctrl-C while a stack operation was watched; the operation goes on."""

    exit_code = 130


class JobError(TrainworksError):
    """A job ended in failure; the message carries its reason and the last lines of its log."""


class InvocationError(TrainworksError):
    """A function failed, or its update did; the message carries why."""


class TwinError(TrainworksError):
    """The twin could not start, stop or answer."""


class TwinRefusedError(TwinError):
    """The twin refused a request for what only a twin can do; the message is its own."""


class PortInUseError(TwinError):
    """Another process listens on the port."""


class HomeVersionError(TwinError):
    """The twin's home was written by another version of trainworks."""
