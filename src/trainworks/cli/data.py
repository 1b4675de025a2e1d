"""`trainworks data put | list | remove`: the data that jobs are given, in the platform's dataset bucket."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import RenderableType

from trainworks.cli.addressed import addressed
from trainworks.cli.completion import dataset_names
from trainworks.cli.output import EnvironmentOption, Output, OutputOption, emit, facts, records

if TYPE_CHECKING:
    from trainworks.jobs.datasets import DataFile, Dataset

app = typer.Typer(no_args_is_help=True)
data_app = typer.Typer(no_args_is_help=True, help="Upload, list and remove the data that jobs are given.")
app.add_typer(data_app, name="data")


@data_app.command("put", no_args_is_help=True)
def put(  # noqa: PLR0917 - one parameter an option
    path: Annotated[Path, typer.Argument(metavar="PATH", help="a file or a folder")],
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="its name, for inputs as dataset:NAME; without one, data is kept by its content",
            autocompletion=dataset_names,
        ),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="put PATH in the place of NAME; asks where files of NAME are not in PATH")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="do not ask")] = False,
    environment: EnvironmentOption = "local",
    output: OutputOption = Output.TEXT,
) -> None:
    """Upload data, and print how a job names it as an input.

    trainworks data put data/ digits     trainworks train train.py -i training=dataset:digits
    """
    from trainworks.cli.transfers import transfer_bars
    from trainworks.jobs.connection import open_connection
    from trainworks.jobs.datasets import approve_all, put_dataset

    approve = approve_all if yes else lambda files: _ask_to_lose(files, name or "", path)
    with transfer_bars(output) as tell:
        dataset = put_dataset(open_connection(environment), path, name, replace=replace, approve=approve, tell=tell)
    emit(output, asdict(dataset), lambda: _dataset_facts(dataset))


@data_app.command("list")
def list_(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="the files of one dataset", autocompletion=dataset_names)
    ] = None,
    environment: EnvironmentOption = "local",
    output: OutputOption = Output.TEXT,
) -> None:
    """List what is uploaded: all datasets, or the files of one."""
    from trainworks.jobs.connection import open_connection
    from trainworks.jobs.datasets import dataset_files, list_datasets

    connection = open_connection(environment)
    if name is None:
        found = list_datasets(connection)
        emit(output, [asdict(each) for each in found], lambda: _datasets(found))
        return
    files = dataset_files(connection, name)
    emit(output, [asdict(each) for each in files], lambda: _files(files))


@data_app.command("remove", no_args_is_help=True)
def remove(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="a name that data list shows, or a URI", autocompletion=dataset_names)
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="do not ask")] = False,
    environment: EnvironmentOption = "local",
    output: OutputOption = Output.TEXT,
) -> None:
    """Remove a dataset: all files below its name. Asks before it does."""
    from trainworks.cli.asking import ask
    from trainworks.cli.transfers import shown_bytes, shown_files
    from trainworks.jobs.connection import open_connection
    from trainworks.jobs.datasets import dataset_files, find_dataset, remove_dataset

    connection = open_connection(environment)
    dataset = find_dataset(connection, name)
    if not yes:
        within = _with_folders(dataset_files(connection, name))
        ask(f"Delete {shown_files(dataset.files)} ({shown_bytes(dataset.bytes)}) at {dataset.uri}{within}?")
    removed = remove_dataset(connection, dataset)
    emit(output, asdict(dataset) | {"removed": removed}, lambda: f"{dataset.name}: {shown_files(removed)} removed")


def _ask_to_lose(files: Sequence[DataFile], name: str, path: Path) -> None:
    """Asks before files of a dataset are removed since what takes their place has none of that name."""
    from trainworks.cli.asking import ask
    from trainworks.cli.transfers import shown_bytes, shown_files, shown_names

    named = shown_names([each.path for each in files])
    size = shown_bytes(sum(each.bytes for each in files))
    ask(f"Delete {shown_files(len(files))} ({size}) of dataset {name} that {path} does not have: {named}?")


def _with_folders(files: Sequence[DataFile]) -> str:
    """`, with its folders heldout/, train/`; of many the first."""
    from trainworks.cli.transfers import shown_names
    from trainworks.jobs.datasets import folders_of

    folders = [f"{each}/" for each in folders_of(files)]
    if not folders:
        return ""
    return f", with its folder{'s' if len(folders) > 1 else ''} {shown_names(folders)}"


def _dataset_facts(dataset: Dataset) -> RenderableType:
    from trainworks.cli.transfers import shown_bytes

    told = {"uri": dataset.uri, "files": dataset.files, "size": shown_bytes(dataset.bytes)}
    return facts(told | {"as an input": f"-i training={dataset.location}"})


def _datasets(found: list[Dataset]) -> RenderableType:
    from trainworks.cli.transfers import shown_bytes

    if not found:
        return addressed("no data yet: trainworks data put FOLDER NAME")
    rows = [
        (
            each.name,
            str(each.files),
            shown_bytes(each.bytes),
            f"{each.changed_at.astimezone():%Y-%m-%d %H:%M}",
            each.location,
        )
        for each in found
    ]
    return records(("dataset", "files", "size", "changed", "as an input"), rows, right=("files", "size"))


def _files(files: list[DataFile]) -> RenderableType:
    from trainworks.cli.transfers import shown_bytes

    rows = [
        (each.path, shown_bytes(each.bytes), f"{each.changed_at.astimezone():%Y-%m-%d %H:%M}", each.uri)
        for each in files
    ]
    return records(("file", "size", "changed", "uri"), rows, right=("size",))
