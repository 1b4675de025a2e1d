"""What `dev.py` does once it is known that this Python can: have `dev_setup.py` set up `.venv`, delegate to its tools.

Standard library only: it has to run before anything is installed. `dev.py` is apart because it has to be read by the
Pythons that this file is too new for.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from dev_setup import EVERYTHING, LOCK, PYTHON, ROOT, VENV, SetupError, in_sections, install, releases

EXTRAS = {
    "run": ("infra", "local"),
    "check": ("infra", "local", "check"),
    "docs": ("infra", "local", "check", "docs"),
    "test": ("infra", "local", "check", "docs", "dev"),
}
"""Each section of the lock has what these extras need and no section before it has."""
BUILD = ("setuptools",)
"""What installs trainworks itself."""


def main(arguments: list[str], usage: str) -> int:
    """Run one command of `dev.py`; its exit code."""
    commands = {
        "demo": demo, "test": test, "check": check, "bench": bench, "drill": drill, "docs": docs, "lock": lock,
        "run": run,
    }  # fmt: skip
    if not arguments or arguments[0] not in commands:
        given = f"no such command: {arguments[0]}\n\n" if arguments else ""
        print(f"{given}{usage.strip()}", file=sys.stderr)
        return 2
    problem = missing_prerequisite()
    if problem:
        print(f"dev.py: {problem}", file=sys.stderr)
        return 2
    try:
        install(sections(*arguments))
        return commands[arguments[0]](arguments[1:])
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(
            f"dev.py: {' '.join(map(str, error.cmd[:6]))} ... ended with exit code {error.returncode}", file=sys.stderr
        )
        return 1
    except KeyboardInterrupt:
        return 130


def sections(command: str, *arguments: str) -> tuple[str, ...]:
    """What a command needs of the lock."""
    if command == "demo":
        return ("run",)
    if command == "run":
        return ("run", "check") if arguments[:1] == ("check",) else ("run",)
    return ("run", "check", "docs") if command == "docs" else EVERYTHING


def missing_prerequisite() -> str:
    """What this machine lacks, with the command that fixes it; empty if nothing is missing."""
    version = ".".join(map(str, sys.version_info[:3]))
    if not sys.platform.startswith("linux"):
        return f"the twin runs on Linux; this is {sys.platform}. fix: run it in a Linux machine or WSL 2"
    if not PYTHON.exists():
        try:
            import ensurepip  # noqa: F401, PLC0415  (Debian ships Python without it)
        except ImportError:
            minor = f"{sys.version_info.major}.{sys.version_info.minor}"
            return (
                f"Python {version} at {sys.executable} has no ensurepip, so no virtual environment can be made. "
                f"fix: sudo apt-get install python{minor}-venv"
            )
    return ""


def tool(name: str, *arguments: str | Path) -> int:
    """Run a program of `.venv` from the root of the clone and give its exit code."""
    path = f"{VENV / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    environment = {**os.environ, "PATH": path, "TRAINWORKS_COMMAND": "python3 dev.py run"}
    return subprocess.run([VENV / "bin" / name, *arguments], check=False, cwd=ROOT, env=environment).returncode


def demo(arguments: list[str]) -> int:
    return tool("trainworks", "demo", *arguments)


def run(arguments: list[str]) -> int:
    return tool("trainworks", *arguments)


def check(_: list[str]) -> int:
    """All checks run, so that one call shows everything; the exit code is 1 if any failed."""
    return max(
        tool("ruff", "format", "--check", "."),
        tool("ruff", "check", "."),
        tool("mypy"),
        tool("lint-imports"),
        tool("python", ROOT / "pages" / "generate.py", "--check"),
    )


def test(arguments: list[str]) -> int:
    """The checks and the tests; with arguments, only the tests they select."""
    if arguments:
        return tool("pytest", *arguments)
    failed = check([])
    # By file: what a file deploys for all its tests is then deployed once, not once a worker.
    return max(failed, tool("pytest", "-n", "2", "--dist", "loadfile"))


def bench(arguments: list[str]) -> int:
    return tool("python", ROOT / "benchmarks" / "run.py", *arguments)


def drill(arguments: list[str]) -> int:
    return tool("python", ROOT / "drill" / "run.py", *arguments)


def docs(_: list[str]) -> int:
    """The generated pages, then the site; a warning of Sphinx, such as a link that leads nowhere, is an error."""
    failed = tool("python", ROOT / "pages" / "generate.py")
    if failed:
        return failed
    site, doctrees = ROOT / "site", ROOT / "site" / ".doctrees"
    for page in site.rglob("*.html"):
        page.unlink()  # one whose source is gone would stay
    failed = tool(
        "python", "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet", "--jobs", "2",
        "-b", "html", "-d", doctrees, ROOT / "docs", site,
    )  # fmt: skip
    if not failed:
        print(f"dev.py: the site is in {site / 'index.html'}")
    return failed


def lock(arguments: list[str]) -> int:
    """Hashes for every platform, and no address of any index, so that the file serves everybody's mirror.

    Versions that are pinned already stay, unless `--upgrade` is given.
    """
    subprocess.run([PYTHON, "-m", "pip", "install", "--quiet", "uv"], check=True)
    fresh = VENV / "compiled.txt"
    fresh.write_text(LOCK.read_text())
    failed = _compiled(fresh, EXTRAS["test"], "--generate-hashes", *arguments)
    wanted: list[tuple[str, set[str]]] = []
    for section, extras in EXTRAS.items():
        part = VENV / "compiled-part.txt"
        failed = failed or _compiled(part, extras, "--constraint", str(fresh))
        if failed:
            return failed
        wanted.append((section, {name for name, _ in releases(part.read_text())} | set(BUILD)))
    LOCK.write_text(in_sections(fresh.read_text(), wanted))
    return 0


def _compiled(output: Path, extras: tuple[str, ...], *options: str) -> int:
    """Have uv write what some extras need, of everything that may be needed on any platform."""
    asked = [word for extra in extras for word in ("--extra", extra)]
    return tool(
        "uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--no-emit-index-url",
        "--no-emit-find-links", "--no-annotate", "--no-header", *asked, *options, "pyproject.toml",
        "--output-file", output,
    )  # fmt: skip
