"""Synthesis, cold and cached, against the TypeScript reference compiled and run by Node."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from figures import Figure, Skipped, alternating


def measure(reference: Path, trainworks: Path) -> list[Figure | Skipped]:
    """`reference` is the folder with the TypeScript sources; it is built in a scratch folder, never in place."""
    names = ["synth, cold cache", "synth, cached"]
    if not reference.is_dir():
        return [
            Skipped(name, f"the reference's sources are not at {reference}; give --reference DIR") for name in names
        ]
    if not shutil.which("npm"):
        return [Skipped(name, "npm is not installed, so the reference cannot be built") for name in names]
    with tempfile.TemporaryDirectory() as scratch:
        built = build(reference, Path(scratch) / "reference")
        cache = Path(scratch) / "cache"
        environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}

        def theirs() -> None:
            out = Path(scratch) / "cdk.out"
            shutil.rmtree(out, ignore_errors=True)
            quiet(["node", "dist/bin/tap.js"], built, {**os.environ, "CDK_OUTDIR": str(out)})

        def cached() -> None:
            quiet([trainworks, "synth"], built, environment)

        def cold() -> None:
            shutil.rmtree(cache, ignore_errors=True)
            cached()

        cold_ours, cold_theirs = alternating(cold, theirs, runs=3)
        cached_ours, cached_theirs = alternating(cached, theirs, runs=3)
    bound = "reference, node"
    return [
        Figure(names[0], cold_ours, bound, cold_theirs, "ratio 0.65", cold_ours / cold_theirs <= 0.65),
        Figure(names[1], cached_ours, bound, cached_theirs, "ratio 0.05", cached_ours / cached_theirs <= 0.05),
    ]


def build(reference: Path, scratch: Path) -> Path:
    shutil.copytree(reference, scratch)
    for path in [scratch, *scratch.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    quiet(["npm", "install", "--no-audit", "--no-fund"], scratch, dict(os.environ))
    quiet(["npm", "run", "build"], scratch, dict(os.environ))
    return scratch


def quiet(command: list[str | Path], folder: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command[0]} failed with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
