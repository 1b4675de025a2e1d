"""What to know about a job's code before it starts: what is not packed, and what cannot be installed where it runs."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

from trainworks.aws.ecr import parse_ecr_uri
from trainworks.aws.framework_images import framework_of
from trainworks.config.job import BatchJobSpec, TrainingJobSpec
from trainworks.config.runtime_image import REQUIREMENTS


def code_notes(spec: TrainingJobSpec | BatchJobSpec) -> list[str]:
    """One line each; none for a spec without a script. Files that are missing are for the packaging to refuse."""
    script = spec.script_path
    if script is None or not script.is_file():
        return []
    if spec.source_path is None:
        return list(_left_behind(script))
    return list(_not_installed(script, spec.source_path))


def names_requirements(spec: TrainingJobSpec | BatchJobSpec) -> bool:
    """Whether the job's code comes with a requirements.txt that says something."""
    return spec.script_path is not None and spec.source_path is not None and _has_requirements(spec.source_path)


def requirements_note(spec: TrainingJobSpec | BatchJobSpec, closed: Sequence[str] | None) -> str:
    """What to know about a job with a requirements.txt; "" if its subnets lead to an index.

    `closed` are the subnets of the deployed platform without a way to the internet, None if nobody could look.
    """
    if closed is not None and not closed:
        return ""
    needs = f"{REQUIREMENTS} is installed before the script, which needs a package index"
    image = _image_advice(spec.image)
    if closed is None:
        return (
            f"{needs}, and whether the job's subnets have a route to one could not be looked up. Without one: {image}"
        )
    subnets = f"subnet{'' if len(closed) == 1 else 's'} {', '.join(closed)}"
    has = "has" if len(closed) == 1 else "have"
    return f"{needs}, and the job's {subnets} {has} no route to the internet. {image}"


def _image_advice(image: str | None) -> str:
    uri = parse_ecr_uri(image or "")
    if uri is not None and framework_of(uri) is None:
        return f"It works if the image {uri.name} has all of it already: pip then asks no index"
    # An image has only what its own requirements.txt names; the one next to the script names less.
    return (
        f"Build an image with all that the job needs, {image or 'its framework'} included, from a folder with a "
        f"{REQUIREMENTS}, and name it by --image: trainworks image build FOLDER"
    )


def _left_behind(script: Path) -> Iterator[str]:
    modules = sorted(name for name in _imports(script) if _is_beside(script, name))
    names = [f"{name}.py" if script.with_name(f"{name}.py").is_file() else f"{name}/" for name in modules]
    if _has_requirements(script.parent):
        names.append(REQUIREMENTS)
    if names:
        yield f"{script.name} is packed alone, without {', '.join(names)} next to it: --source-dir {script.parent}"


def _not_installed(script: Path, source: Path) -> Iterator[str]:
    if (
        script.parent.resolve() != source.resolve()
        and _has_requirements(script.parent)
        and not _has_requirements(source)
    ):
        yield (
            f"{script.parent / REQUIREMENTS} is not installed: only one at the top of the folder that is sent is; "
            f"move it to {source}, or send the script's folder alone: --source-dir {script.parent}"
        )


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
