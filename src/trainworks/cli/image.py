"""`trainworks image build | make | list`: the environments that jobs run in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group, RenderableType

from trainworks.cli.addressed import addressed
from trainworks.cli.output import EnvironmentOption, Output, OutputOption, emit, table

_POLL_SECONDS = 0.5

app = typer.Typer(no_args_is_help=True)
image_app = typer.Typer(no_args_is_help=True, help="Build, make and list images that jobs run in.")
app.add_typer(image_app, name="image")


@image_app.command("build", no_args_is_help=True)
def build(
    folder: Annotated[Path, typer.Argument(help="a folder with requirements.txt, code, and optionally train")],
    tag: Annotated[str | None, typer.Option("--tag", "-t", help="made of the content by default")] = None,
    environment: EnvironmentOption = "local",
    output: OutputOption = Output.TEXT,
) -> None:
    """Build an image from a folder and push it to the platform's repository.

    On the twin an image is a Python environment: requirements.txt installed, the folder's files beside it, and the file
    train, if there is one, as its entry point. On AWS it is a container image and needs docker; a Dockerfile in the
    folder is used, else one that does the same.
    """
    from trainworks.jobs.image import build_image
    from trainworks.jobs.platform import Platform
    from trainworks.spec.environment import load_environment

    built = build_image(Platform(load_environment(environment)), folder, tag)
    emit(output, built, lambda: built.image_uri if built.is_new else f"{built.image_uri}  (was there already)")


@image_app.command("make", no_args_is_help=True)
def make(
    image: Annotated[str, typer.Argument(help="a framework, as scikit-learn or pytorch:2.6.0, or an image URI")],
    output: OutputOption = Output.TEXT,
) -> None:
    """Make the environment of an image on the twin now, so that jobs have it at once and without a network.

    A job makes what it needs on first use; this does it before, and says how far it is.
    """
    import time
    import uuid

    from trainworks.cli.output import stderr
    from trainworks.errors import TwinError
    from trainworks.spec.framework_images import resolve_image
    from trainworks.twin import lifecycle
    from trainworks.twin.control_client import ask
    from trainworks.twin.home import default_home

    image_uri = resolve_any(image, resolve_image)
    server = lifecycle.find(default_home())
    if server is None:
        raise TwinError("the twin is not running", fix="trainworks twin start")
    request = {"image_uri": image_uri, "waiter": uuid.uuid4().hex}
    said = 0
    while True:
        answer = ask(server, "image", request)
        lines = answer["said"] if answer["ready"] else answer["lines"]
        for line in lines[said:]:
            stderr().print(line, markup=False, highlight=False, soft_wrap=True)
        said = max(said, len(lines))
        if answer["ready"]:
            break
        time.sleep(_POLL_SECONDS)
    emit(output, {"image_uri": image_uri, "notes": answer["lines"]}, lambda: addressed("\n".join(answer["lines"])))


def resolve_any(image: str, resolve: Callable[[str, str, str], str]) -> str:
    """The URI of a framework's image for CPUs, or for GPUs where it has none for CPUs."""
    from trainworks.errors import RequestError
    from trainworks.twin.home import DEFAULT_REGION

    try:
        return resolve(image, DEFAULT_REGION, "ml.m5.large")
    except RequestError as error:
        if "has no cpu variant" not in str(error):
            raise
        return resolve(image, DEFAULT_REGION, "ml.g5.xlarge")


@image_app.command("list")
def list_(environment: EnvironmentOption = "local", output: OutputOption = Output.TEXT) -> None:
    """List the images of the platform's repository, newest first, and on the twin the framework images made so far."""
    from trainworks.cli.made_images import made_images
    from trainworks.jobs.image import list_images
    from trainworks.jobs.platform import Platform
    from trainworks.spec.environment import load_environment

    platform = Platform(load_environment(environment))
    found = list_images(platform)
    made = made_images() if platform.environment.is_twin else []

    def render() -> RenderableType:
        rows = [
            (
                each.image_uri,
                each.digest[:19],
                f"{each.pushed_at.astimezone():%Y-%m-%d %H:%M:%S}" if each.pushed_at else "",
                "" if each.size_bytes is None else f"{each.size_bytes / 1024:.1f} KiB",
            )
            for each in found
        ]
        pushed = table(("image", "digest", "pushed", "size"), rows)
        if made:
            shown = table(("framework image made here", "versions", "size", "last used"), [each.row for each in made])
            return Group(pushed, shown) if rows else shown
        return pushed if rows else addressed("no images: trainworks image build FOLDER")

    pushed_records = [{"kind": "pushed", **asdict(each)} for each in found]
    emit(output, [*pushed_records, *({"kind": "made", **asdict(each)} for each in made)], render)
