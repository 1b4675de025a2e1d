#!/usr/bin/env python3
"""Set up and run trainworks from a clone, with nothing but Python and git.

    python3 dev.py demo      the main job, on this machine, on real data
    python3 dev.py test      the tests; CI runs exactly this
    python3 dev.py check     formatting, lint, types, import rules
    python3 dev.py bench     what is measured, next to what bounds it
    python3 dev.py drill     kill a twin's processes for minutes and look for what was lost
    python3 dev.py docs      write the generated pages again, and the site of all pages
    python3 dev.py lock      bring requirements.lock to pyproject.toml; --upgrade: newest versions
    python3 dev.py run ...   any trainworks command

Creates `.venv` next to this file, installs into it what the command needs of `requirements.lock` (again only when that
changes) and delegates.
"""

# Old Pythons have to be able to read this file, to be told that they are too old: no newer syntax here, not even a
# future import. What is done is in dev_commands.py.
import sys

MINIMUM = (3, 11)


def main():
    # type: () -> int
    if sys.version_info[:2] < MINIMUM:
        found = ".".join(str(part) for part in sys.version_info[:3])
        wanted = ".".join(str(part) for part in MINIMUM)
        sys.stderr.write(
            "dev.py: Python " + wanted + " or newer is needed; this is " + found + " at " + sys.executable + ". "
            "fix: run it with a newer one, as in `python3.12 dev.py demo`\n"
        )
        return 2
    import dev_commands  # noqa: PLC0415 - only now is it known that this Python can read it

    return dev_commands.main(sys.argv[1:], __doc__ or "")


if __name__ == "__main__":
    sys.exit(main())
