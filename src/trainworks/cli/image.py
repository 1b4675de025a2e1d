"""`trainworks image build | list`: the environments that jobs run in."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import RenderableType

from trainworks.cli.addressed import addressed
from trainworks.cli.output import EnvironmentOption, Output, OutputOption, emit, table

app = typer.Typer(no_args_is_help=True)
image_app = typer.Typer(no_args_is_help=True, help="Build and list images that jobs run in.")
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


@image_app.command("list")
def list_(environment: EnvironmentOption = "local", output: OutputOption = Output.TEXT) -> None:
    """List the images of the platform's repository, newest first."""
    from trainworks.jobs.image import list_images
    from trainworks.jobs.platform import Platform
    from trainworks.spec.environment import load_environment

    found = list_images(Platform(load_environment(environment)))

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
        if not rows:
            return addressed("no images: trainworks image build FOLDER")
        return table(("image", "digest", "pushed", "size"), rows)

    emit(output, [asdict(each) for each in found], render)
