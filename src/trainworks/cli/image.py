"""`trainworks image build | make | list`: the environments that jobs run in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trainworks.cli.addressed import addressed
from trainworks.cli.output import EnvironmentOption, Output, OutputOption, emit, stderr

app = typer.Typer(no_args_is_help=True)
image_app = typer.Typer(no_args_is_help=True, help="Build, make and list images that jobs run in.")
app.add_typer(image_app, name="image")


@image_app.command("build", no_args_is_help=True)
def build(
    folder: Annotated[Path, typer.Argument(help="a folder with requirements.txt, code, and optionally train")],
    tag: Annotated[str | None, typer.Option("--tag", "-t", help="by default made from the content")] = None,
    environment: EnvironmentOption = "local",
    output: OutputOption = Output.TEXT,
) -> None:
    """Build an image from a folder and push it to the platform's repository.

    On the twin an image is a Python environment: requirements.txt installed, the folder's files next to it, and the
    file train, if there is one, as its entry point. On AWS it is a container image and needs docker; a Dockerfile in
    the folder is used, else one that does the same.
    """
    from trainworks.cli.steps import steps_for
    from trainworks.jobs.connection import open_connection
    from trainworks.jobs.image import build_image

    built = build_image(open_connection(environment), folder, tag, steps_for(output))
    if not built.is_new:
        stderr().print("an image of the same content is there already")
    emit(output, built, lambda: built.image_uri)


@image_app.command("make", no_args_is_help=True)
def make(
    image: Annotated[str, typer.Argument(help="a framework, as scikit-learn or pytorch:2.6.0, or an image URI")],
    output: OutputOption = Output.TEXT,
) -> None:
    """Make the environment of an image on the twin now, so that jobs have it at once and without a network.

    A job makes what it needs on first use; this does it before, and says how far it is.
    """
    from trainworks.application.image_making import make_image
    from trainworks.cli.steps import steps_for

    steps = steps_for(output)
    with steps(f"making the environment of {image}", in_pipe=False):
        made = make_image(image, steps.say)
    emit(output, made, lambda: addressed("\n".join(made.notes)))


@image_app.command("list")
def list_(environment: EnvironmentOption = "local", output: OutputOption = Output.TEXT) -> None:
    """List the framework images that jobs may name, and the images of the platform's repository, newest first.

    On the twin: whether the environment of each is made, with its size, its versions, when it was made and last used.
    """
    from trainworks.application.made_images import made_images, offered_images
    from trainworks.cli.image_view import Pushed, image_lists, image_records
    from trainworks.config.environment import load_environment
    from trainworks.errors import NotDeployedError
    from trainworks.jobs.connection import Connection
    from trainworks.jobs.image import list_images

    chosen = load_environment(environment)
    made = made_images() if chosen.is_twin else []
    if made is None:
        pushed = Pushed((), "the twin is not running, so its images cannot be listed: trainworks twin start")
    else:
        try:
            pushed = Pushed(tuple(list_images(Connection(chosen))), "no own images: trainworks image build FOLDER")
        except NotDeployedError as error:
            pushed = Pushed((), f"no own images: {error.message}: {error.fix}")
    offered = list(offered_images(made or []))
    emit(
        output,
        image_records(offered, made or [], pushed.images),
        lambda: image_lists(offered, made if chosen.is_twin else None, pushed),
    )
