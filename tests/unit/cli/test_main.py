"""The command line before any verb: what it imports, what it says, how it exits."""

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from trainworks.cli.main import main
from trainworks.cli.output import report_error
from trainworks.cli.root import load
from trainworks.cli.verbs import VERBS, Verb, overview
from trainworks.errors import CheckError, ConfigurationError, JobError

HEAVY = ("boto3", "botocore", "aws_cdk", "typer", "rich", "pydantic", "ministack")


def run(*arguments: str) -> int:
    """Run a command line in this process; its exit code."""
    with pytest.raises(SystemExit) as request:
        main(arguments)
    code = request.value.code
    assert isinstance(code, int)
    return code


def test_the_overview_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom trainworks.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit as request:\n"
        f"    sys.stderr.write(','.join(sorted(set(sys.modules) & set({HEAVY!r}))))\n    sys.exit(request.code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == overview() + "\n"


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["train", "--help"]])
def test_nobody_who_reads_on_is_no_error_to_speak_of(arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    code = f"from trainworks.cli.main import main\nmain({arguments!r})"
    with os.fdopen(writing, "wb") as closed:
        done = subprocess.run(
            [sys.executable, "-c", code], stdout=closed, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize("buffering", ["", "1"])
@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize(
    ("streams", "said"),
    [
        (">&-", ""),
        ("<&- >&-", ""),
        (">/dev/full", "error: cannot write: No space left on device\n"),
    ],
)
def test_a_closed_or_full_standard_output_is_told_in_one_line(
    tmp_path: Path, streams: str, said: str, form: str, buffering: str
) -> None:
    arguments = ["twin", "status", "--home", str(tmp_path), "-o", form]
    code = f"from trainworks.cli.main import main\nmain({arguments!r})"
    shell = ["sh", "-c", f'exec "$0" -c "$1" {streams}', sys.executable, code]
    environment = {**os.environ, "PYTHONUNBUFFERED": buffering}
    done = subprocess.run(shell, env=environment, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, said)


def commands_of(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, command
    for name, each in getattr(command, "commands", {}).items():
        yield from commands_of(each, (*path, name))


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_help_names_every_option_whole_on_a_narrow_terminal(
    verb: Verb, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    for path, command in commands_of(load(verb), (verb.name,)):
        assert run(*path, "--help") == 0
        words = {*re.split(r"[\s,]+", capsys.readouterr().out)}
        names = {name for each in command.params for name in (*each.opts, *each.secondary_opts) if name[:1] == "-"}
        assert names <= words, path


def test_what_the_encoding_of_a_terminal_lacks_is_shown_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii", errors="strict"))
    monkeypatch.setattr("trainworks.cli.main.overview", lambda: "für \udcff")
    assert (run("--help"), written.getvalue()) == (0, b"f\\xfcr \\udcff\n")


def test_a_synthesis_from_the_cache_imports_nothing_that_it_does_not_need() -> None:
    run("synth")  # the session's cache has it from here on
    code = (
        "import sys\nfrom trainworks.cli.main import main\n"
        "try:\n    main(['synth'])\nexcept SystemExit as request:\n"
        "    sys.stderr.write(','.join(sorted(set(sys.modules) & set(sys.argv[1:]))))\n    sys.exit(request.code)"
    )
    unneeded = [name for name in HEAVY if name != "typer"] + ["jsii", "importlib.metadata", "logging", "asyncio"]
    done = subprocess.run([sys.executable, "-c", code, *unneeded], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert Path(done.stdout.strip(), "manifest.json").is_file()


def test_job_verbs_never_import_the_cdk() -> None:
    code = (
        "import sys, trainworks.cli.train, trainworks.cli.jobs, trainworks.cli.image, trainworks.jobs\n"
        "sys.exit(','.join({'aws_cdk', 'jsii', 'ministack'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_who_looks_at_jobs_does_not_wait_for_what_starts_them() -> None:
    code = (
        "import sys, trainworks.cli.jobs, trainworks.cli.data, trainworks.cli.compare, trainworks.jobs\n"
        "import trainworks.jobs.kinds\n"
        "sys.exit(','.join({'pydantic', 'pathspec', 'aws_cdk', 'jsii', 'ministack'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_every_verb_of_the_table_is_in_its_module(verb: Verb) -> None:
    command = load(verb)
    assert command.name == verb.name
    assert command.help


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["tarin"], 2, "Did you mean 'train'"),
        (["train"], 2, "SCRIPT_OR_SPEC"),
        (["jobs", "--limit", "x"], 2, "is not a valid int"),
        (["--version"], 0, "trainworks 0."),
        (["train", "no-such-file.toml"], 2, "job spec no-such-file.toml"),
        (["train", "x.py", "-p", "epochs"], 2, "expected NAME=VALUE"),
        (["jobs", "--env", "nowhere"], 2, "environment 'nowhere' is not defined"),
    ],
)
def test_exit_codes_and_words(arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*arguments) == code
    printed = capsys.readouterr()
    assert said in printed.out + printed.err
    assert "Traceback" not in printed.err


@pytest.mark.parametrize(
    ("words", "offered"),
    [("trainworks tw", ["twin"]), ("trainworks twin sto", ["stop"]), ("trainworks jobs --env lo", ["local"])],
)
def test_the_shell_completes_verbs_their_parts_and_environments(
    words: str, offered: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("_TRAINWORKS_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
    run()
    assert capsys.readouterr().out.split() == offered


def test_errors_are_sentences_with_their_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert report_error(ConfigurationError("the key [red] is wrong", fix="change it")) == 2
    assert report_error(JobError("it failed")) == 1
    printed = capsys.readouterr().err
    assert "error: the key [red] is wrong\n  fix: change it" in printed


def test_control_characters_in_an_error_are_shown_and_never_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    report_error(JobError("last lines:\n  \x1b[31mred\x1b[0m \x1b]0;title\x07 a\rb", fix="rm \x1b[2J"))
    printed = capsys.readouterr().err
    assert "error: last lines:\n  red \\x1b]0;title\\x07 a\\rb\n  fix: rm \\x1b[2J" in printed


def test_what_a_check_refused_is_data_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    refused = CheckError("1 error in the templates", fix="correct it", findings=[{"code": "TW21", "place": "Bucket"}])
    assert report_error(refused, as_json=True) == 1
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {
        "error": {"message": "1 error in the templates", "fix": "correct it"},
        "findings": [{"code": "TW21", "place": "Bucket"}],
    }
    assert "error: 1 error in the templates" in printed.err
    assert report_error(refused) == 1
    assert report_error(JobError("it failed"), as_json=True) == 1
    assert capsys.readouterr().out == ""


def test_an_aws_error_names_operation_code_and_message(capsys: pytest.CaptureFixture[str]) -> None:
    refused = ClientError({"Error": {"Code": "AccessDenied", "Message": "role x may not y on z"}}, "PutObject")
    assert report_error(refused) == 1
    assert "PutObject: AccessDenied: role x may not y on z" in capsys.readouterr().err
