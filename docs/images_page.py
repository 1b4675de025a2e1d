"""`docs/framework-images.md`: what stands for each of AWS's framework images, from `spec/framework_images.json`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from trainworks.spec.framework_contents import Contents, contents
from trainworks.spec.framework_images import Framework, frameworks

HEAD = """\
# Framework images

Generated from `src/trainworks/spec/framework_images.json` by `python3 dev.py docs`.

On the twin each of AWS's framework images is a Python environment of its own in the twin's folder: made on first use by
pip, in the sandbox, with what AWS documents for that image, and used offline afterwards. It never changes the
environment that the twin runs from. While it is made, a training job is `Starting` with the progress in its status
message and its log, and a batch job is RUNNABLE with the reason.

    trainworks image make pytorch:2.6.0      make it before it is needed, with progress

- The nearest version that the index has as a wheel for the twin's Python is taken: the same minor version, else the
  same major, else another with a warning. The head of each job's log says which, and what is left out.
- Where there is a build for CPUs alone, that is taken. PyPI has none of torch: add an index of PyTorch's CPU builds to
  pip's configuration (`extra-index-url`), or some gigabytes of CUDA are downloaded with it.
- On a machine with GPUs an image that is not for CPUs gets the usual builds. That has not been tried on one yet.
- Without an index a missing image fails the job and says what to do, unless the twin's own Python has the framework:
  then that stands for it, with a warning in the log. `TRAINWORKS_FRAMEWORK_IMAGES=in-use` always does that.
- `trainworks twin prune` removes environments that nothing has used for the time given.
"""


def page() -> str:
    """The page."""
    return HEAD + "".join(
        f"\n{line}" for name, framework in frameworks().items() for line in _section(framework, contents()[name])
    ).rstrip() + "\n"  # fmt: skip


def _section(framework: Framework, what: Contents) -> Iterator[str]:
    yield f"## {framework.name}"
    yield ""
    yield f"Repository `{framework.repository}`, versions {', '.join(framework.tags)}."
    yield ""
    yield "| | packages |"
    yield "|---|---|"
    yield f"| versions from the tag | {_listed(what.main)} |"
    yield f"| with them | {_listed(sorted(what.packages, key=str.lower))} |"
    if what.with_build:
        yield f"| where the index has them in the build of torch | {_listed(what.with_build)} |"
    yield f"| left out: toolkits and servers, which the twin replaces; large or compiled | {_listed(what.left_out)} |"
    for version, rules in what.constraints.items():
        yield f"| held in {version} | {_listed(rules)} |"
    yield ""


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
