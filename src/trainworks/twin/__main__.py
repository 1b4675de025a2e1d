"""`python -m trainworks.twin --home H --port N [--detach]`: the server's entry.

With `--detach` the process forks before anything is imported, prints the server's pid and ends, so that the server is
no one's child: it outlives its starter and leaves no zombie behind in a starter that lives on.
"""

from __future__ import annotations

import os
import sys


def main() -> int:
    """Detach when asked to, then run the server."""
    arguments = sys.argv[1:]
    if "--detach" in arguments:
        arguments.remove("--detach")
        pid = os.fork()
        if pid:
            sys.stdout.write(f"{pid}\n")
            sys.stdout.flush()
            os._exit(0)
        # The starter waits for the end of this pipe.
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.close(null)
    from trainworks.twin import server  # noqa: PLC0415 - after the fork, so that the starter does not wait for it

    return server.main(arguments)


if __name__ == "__main__":
    sys.exit(main())
