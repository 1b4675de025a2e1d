"""What to know of a job's code before it starts: what stays behind, and what cannot be installed on AWS."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from trainworks.spec.job import BatchJobSpec, TrainingJobSpec
from trainworks.spec.runtime_image import REQUIREMENTS


def code_notes(spec: TrainingJobSpec | BatchJobSpec) -> list[str]:
    """One line each; none for a spec without a script. Files that are missing are for the packaging to refuse."""
    script = spec.script_path
    if script is None or not script.is_file():
        return []
    if spec.source_path is None:
        return list(_left_behind(script))
    if isinstance(spec, TrainingJobSpec) and _has_requirements(spec.source_path):
        return [
            f"{REQUIREMENTS} is installed when the job starts, which needs a package index: the subnets of training "
            "jobs have no way to one on AWS. Build an image with the packages, and name it by --image: "
            f"trainworks image build {spec.source_path}"
        ]
    return []


def _left_behind(script: Path) -> Iterator[str]:
    modules = sorted(name for name in _imports(script) if _is_beside(script, name))
    names = [f"{name}.py" if script.with_name(f"{name}.py").is_file() else f"{name}/" for name in modules]
    if _has_requirements(script.parent):
        names.append(REQUIREMENTS)
    if names:
        yield f"{script.name} alone goes to the job, without {', '.join(names)} beside it: --source-dir {script.parent}"


def _is_beside(script: Path, module: str) -> bool:
    if module == script.stem:
        return False
    return script.with_name(f"{module}.py").is_file() or (script.parent / module / "__init__.py").is_file()


def _imports(script: Path) -> set[str]:
    """First names of the modules that a script imports; none of a script that is not Python, or not yet."""
    try:
        nodes = list(ast.walk(ast.parse(script.read_bytes())))
    except (SyntaxError, ValueError, OSError):
        return set()
    found = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    found |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level}
    return {name.partition(".")[0] for name in found}


def _has_requirements(folder: Path) -> bool:
    path = folder / REQUIREMENTS
    return path.is_file() and bool(path.read_text(errors="replace").strip())
