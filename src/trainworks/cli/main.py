"""The entry point: find the verb, load only its module, print errors without a traceback, set the exit code.

    sys.argv --> verbs.py (a table) --> cli/<module>.py: app --> jobs | deploy | ... --> exit code

The overview is printed from the table alone, so that `trainworks --help` costs what starting Python costs. Exit codes:
0 done, 1 the job or deploy failed, 2 the request was wrong, 130 interrupted by Ctrl-C.
"""

from __future__ import annotations

import gc
import io
import os
import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import NoReturn

from trainworks.cli.verbs import overview

INTERRUPTED = 130
_OBJECTS_BETWEEN_COLLECTIONS = 200_000
"""What a command imports stays until its end: to look through it for garbage 700 objects at a time, as Python does by
default, is time for nothing."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command line and exit."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    _fill_closed_streams()
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        # As on standard error: a character that the terminal's encoding lacks is shown as its code and is not an error.
        sys.stdout.reconfigure(errors="backslashreplace")
    if "_TRAINWORKS_COMPLETE" not in os.environ:
        if given in ([], ["--help"], ["-h"], ["help"]):
            _say(overview())
        if given == ["--version"]:
            from trainworks import __version__

            _say(f"trainworks {__version__}")
    try:
        sys.exit(_written(_run(given)))
    except KeyboardInterrupt:  # while it was loading, or showing an error
        sys.exit(INTERRUPTED)


def _run(arguments: list[str]) -> int:
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    from trainworks.cli.addressed import LOCAL, use
    from trainworks.cli.root import root_group

    use(LOCAL)
    try:
        root_group()(arguments, prog_name="trainworks")
    except SystemExit as request:
        return request.code if isinstance(request.code, int) else 1
    except Exception as error:  # noqa: BLE001 - the outermost frame: every error becomes a message and an exit code
        from trainworks.cli.output import report_error

        return report_error(error, as_json=_asks_for_json(arguments))
    return 0


def _fill_closed_streams() -> None:
    """Who closed a standard stream (`>&-`) wants nothing of it. Left so, a file opened next would get its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 - for good


def _asks_for_json(arguments: Sequence[str]) -> bool:
    asked = {("-o", "json"), ("--output", "json")}
    return any(pair in asked for pair in pairwise(arguments)) or "--output=json" in arguments


def _say(text: str) -> NoReturn:
    sys.exit(_written(0, text + "\n"))


def _written(code: int, text: str = "") -> int:
    """The exit code once `text` and all output before it is written: 1 if nobody reads it or there is no room for it.

    Python flushes once more as it exits, and would print the error of that: what is left goes to /dev/null.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if code == 0 and not isinstance(error, BrokenPipeError):
            sys.stderr.write(f"error: standard output: {error.strerror}\n")
        return code or 1
    return code


if __name__ == "__main__":
    main()
