"""`python -m trainworks.twin --home H --port N [--detach]`: the entry of the twin's processes.

Without `--detach` this is the server. With it the process forks before anything is imported, prints the supervisor's
pid and ends, so that the supervisor has no parent: it outlives its starter and leaves no zombie in a starter that lives
on.
"""

from __future__ import annotations

import os
import sys


def main() -> int:
    """Detach and supervise when asked to; else run the server."""
    arguments = sys.argv[1:]
    if "--detach" not in arguments:
        from trainworks.twin import server  # noqa: PLC0415 - the supervisor is not to pay for it

        code = server.main(arguments)
        # All is closed and on disk. Destroying a server's objects one by one would take seconds more.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    pid = os.fork()
    if pid:
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
        os._exit(0)
    # The starter waits for the end of this pipe.
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)
    from trainworks.twin import supervisor  # noqa: PLC0415 - after the fork, so that the starter does not wait for it

    return supervisor.main(arguments[arguments.index("--home") + 1], int(arguments[arguments.index("--port") + 1]))


if __name__ == "__main__":
    sys.exit(main())
