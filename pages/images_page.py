"""`framework-images.md`: what stands for each of AWS's framework images, from `aws/framework_images.json`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from trainworks.aws.framework_contents import Contents, contents
from trainworks.aws.framework_images import Framework, frameworks

HEAD = """\
# Framework images

On the twin each of AWS's framework images is a Python environment of its own in the twin's folder: made on first use by
pip, in the sandbox, with what AWS documents for that image, and used offline afterwards. It never changes the
environment that the twin runs from. While it is made, a training job is `Starting` with the progress in its status
message and its log, and a batch job is RUNNABLE with the reason. Other jobs run meanwhile.

```sh
trainworks image make pytorch:2.6.0      # make it before it is needed, with progress
trainworks image list                    # made or not: size, versions, last used
```

## What is in one

- The nearest version that the index has as a wheel for the twin's Python is taken: the same minor version, else the
  same major, else another with a warning. Nothing is compiled.
- The head of each job's log says which versions run, which packages of AWS's image are lacking, by name, and what is of
  another major version than AWS documents.
- Where there is a build for CPUs alone, that is taken. PyPI has none of torch: add an index of PyTorch's CPU builds to
  pip's configuration (`extra-index-url`), or some gigabytes of CUDA are downloaded with it.
- torchvision and torchaudio work only with the build of torch that they were compiled for. Beside a CPU build of torch
  they are taken as CPU builds (`0.21.0+cpu`), which PyPI has not, and are left out without them: PyPI's torchvision
  beside a CPU build of torch fails when it is imported.
- On a machine with GPUs an image whose tag is not for CPUs gets the usual builds. That is tested with doubles alone: it
  has not been tried on a machine with GPUs yet.
- pip asks the indexes that its own configuration names. Its variables (`PIP_INDEX_URL`) are those that the twin was
  started with.

## Where it lies

All is below `images/` of the twin's home (`~/.trainworks`, or `$TRAINWORKS_HOME`):

| file | what it is |
|---|---|
| `NAME/env` | the environment; `trainworks image list --output json` has the names |
| `NAME/pip.log` | all that pip said while it was made |
| `NAME/made.json` | the versions of all packages, what could not be had, the size, the seconds that it took |
| `NAME/ready` | the mark that it is whole, written last; its time is that of the last use |
| `NAME.pip.log` | all that pip said of one that could not be made |

## When it cannot be made

- The job fails with AWS's `Cannot pull the training image`, and with pip's reason, the fix and the place of pip's log.
  The next job that wants the image has it made again.
- What was not made whole is never used: after a `kill -9`, on a full disk or with pip killed, no mark was written, and
  the next job has it made again. The same holds where the Python that it was made with is no longer on the machine.
- The twin's own Python stands for framework images only where it is told to:
  `TRAINWORKS_FRAMEWORK_IMAGES=in-use trainworks twin start`. The head of each job's log says so, and what differs.

## Removing them

`trainworks twin prune --older-than 30d` removes environments that no job has used for that long;
`trainworks twin retention 30d` does so from then on. One that a job runs in is never removed. What
is needed again is made again.

## The images

Names, versions and packages are those of `src/trainworks/aws/framework_images.json`.
"""


def page() -> str:
    """The page."""
    return HEAD + "".join(
        f"\n{line}" for name, framework in frameworks().items() for line in _section(framework, contents()[name])
    ).rstrip() + "\n"  # fmt: skip


def _section(framework: Framework, what: Contents) -> Iterator[str]:
    yield f"### {framework.name}"
    yield ""
    yield f"Repository `{framework.repository}`, versions {', '.join(framework.tags)}."
    yield ""
    yield "| which | packages |"
    yield "|---|---|"
    yield f"| versions from the tag | {_listed(what.main)} |"
    yield f"| with them | {_listed(sorted(what.packages, key=str.lower))} |"
    if what.with_build:
        yield f"| where the index has them in the build of torch | {_listed(what.with_build)} |"
    yield f"| left out: toolkits and servers, which the twin replaces; large or compiled | {_listed(what.left_out)} |"
    for version, rules in what.constraints.items():
        yield f"| held in {version} | {_listed(rules)} |"
    for version, documented in what.documented.items():
        listed = _listed(f"{name} {number}" for name, number in documented.items())
        yield f"| AWS documents of {version}; another major version is told | {listed} |"
    yield ""


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
