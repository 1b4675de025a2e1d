"""Looking at jobs, comparing them, fetching what they left, interrupting them, and the data that they are given."""

from __future__ import annotations

import io
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.functional.jobs.command import Command, command_line
from tests.patience import PATIENCE_SECONDS
from trainworks.config.job import TrainingJobSpec
from trainworks.deploy.emptying import empty_bucket
from trainworks.jobs import BatchJobSpec, Platform, open_platform, train, wait
from trainworks.testing import TestTwin

SCRIPT = """\
import pathlib, sys
print("first line", flush=True)
print("loss=" + sys.argv[sys.argv.index("--rate") + 1], flush=True)
pathlib.Path("/opt/ml/model/weights.txt").write_text("weights")
pathlib.Path("/opt/ml/model/current").symlink_to("weights.txt")
pathlib.Path("/opt/ml/output/data/plot.txt").write_text("plot")
print("last line", flush=True)
"""
WAITING = """\
import pathlib, signal, sys, time
mark = pathlib.Path("/opt/ml/checkpoints/mark")
if mark.exists():
    print("resumed", flush=True)
    sys.exit(0)
mark.write_text("here")
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("waiting", flush=True)
time.sleep(600)
"""
WRITING = """\
import os, boto3
key = f"predictions/{os.environ['TRAINWORKS_JOB_NAME']}/deep/part-0.jsonl"
boto3.client("s3").put_object(Bucket=os.environ["TRAINWORKS_MODEL_BUCKET"], Key=key, Body=b"{}\\n")
"""


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, twin: TestTwin, platform: Platform, tmp_path: Path) -> Command:
    monkeypatch.chdir(tmp_path)
    suffix = platform.environment.environment_suffix
    return command_line(monkeypatch, TRAINWORKS_HOME=str(twin.home.root), ENVIRONMENT_SUFFIX=suffix)


@pytest.fixture(scope="module")
def trained(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Two jobs that ended well, which differ in one hyperparameter and one metric."""
    path = tmp_path_factory.mktemp("trained") / "verbs.py"
    path.write_text(SCRIPT)
    names = []
    for rate in (0.25, 0.5):
        spec = TrainingJobSpec(script=path, hyperparameters={"rate": rate}, metrics={"loss": "loss=([0-9.]+)"})
        job = platform.train(spec)
        wait(job)
        names.append(job.name)
    yield names[0], names[1]


@pytest.fixture(scope="module")
def predicted(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("predicted") / "predict.py"
    path.write_text(WRITING)
    job = platform.submit_batch(BatchJobSpec(script=path))
    wait(job)
    return job.name


def test_jobs_are_filtered_by_what_they_are(command: Command, trained: tuple[str, str], predicted: str) -> None:
    def listed(*options: str) -> set[str]:
        return {each["name"] for each in command("jobs", "--limit", "1000", "-o", "json", *options).data}

    everything = {*trained, predicted}
    assert listed() >= everything
    assert listed("--kind", "training") >= set(trained) and predicted not in listed("--kind", "training")
    assert listed("--status", "completed") >= set(trained) and predicted not in listed("--status", "Completed")
    assert listed("--status", "SUCCEEDED", "--status", "Completed", "--since", "1h") >= everything
    assert listed("--name", trained[0].upper()) == {trained[0]}
    assert listed("--name", trained[0], "--status", "Failed") == set()
    assert listed("--name", trained[0], "--since", "999999w") == {trained[0]}
    assert everything.isdisjoint(listed("--status", "FAILED", "--status", "RUNNING"))
    assert len(command("jobs", "--limit", "2", "-o", "json").data) == 2
    for nobody in ("no-job-is-called-so", "no_job", "ü b", "x" * 200):
        assert everything.isdisjoint(listed("--name", nobody))


def test_a_metric_is_a_column(command: Command, trained: tuple[str, str]) -> None:
    said = command("jobs", "--name", trained[0], "--metric", "loss", "--metric", "absent")
    heading, line = said.out.splitlines()
    assert heading.split()[-2:] == ["loss", "absent"] and line.split()[-1] == "0.25"
    [record] = command("jobs", "--name", trained[0], "--metric", "loss", "-o", "json").data
    assert record["metrics"] == {"loss": 0.25}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["jobs", "--status", "Done"], "no job has the status 'Done'"),
        (["jobs", "--kind", "tuning"], "no job has the kind 'tuning'"),
        (["jobs", "--since", "yesterday"], "'yesterday' is not an age"),
        (["logs", "nobody", "--tail", "3"], "no training or batch job 'nobody'"),
        (["compare", "one"], "1 jobs cannot be compared"),
        (["download", "nobody"], "no training or batch job 'nobody'"),
        (["interrupt", "nobody"], "no training or batch job 'nobody'"),
        (["data", "put", "no-such-folder"], "no-such-folder does not exist"),
        (["describe", ""], "no training or batch job ''"),
        (["data", "put", ".", "--replace"], "only data with a name is replaced"),
        (["data", "put", "/dev/null"], "/dev/null is neither a file nor a folder"),
        (["data", "put", "/dev/null", "../escaped"], "is not a name of a dataset"),
        (["data", "remove", "no-such-data"], "there is no dataset no-such-data"),
        (["data", "remove", "/", "--yes"], "is not a dataset of"),
        (["data", "remove", "", "--yes"], "is not a dataset of"),
        (["data", "remove", "dataset:", "--yes"], "is not a dataset of"),
    ],
)
def test_what_is_wrong_is_exit_code_2(command: Command, arguments: list[str], said: str) -> None:
    done = command(*arguments)
    assert (done.code, done.out) == (2, "")
    assert said in done.err and "fix: " in done.err


def test_the_end_of_a_log_and_what_is_new_in_it(command: Command, trained: tuple[str, str]) -> None:
    assert command("logs", trained[0], "--tail", "2").out == "loss=0.25\nlast line\n"
    assert command("logs", trained[0], "--tail", "0").out == ""
    whole = command("logs", trained[0]).out
    assert (
        command("logs", trained[0], "--tail", "100000").out == whole == command("logs", trained[0], "--since", "2w").out
    )
    followed = command("logs", "-f", trained[0], "--tail", "1")
    assert (followed.code, followed.out) == (0, "last line\n")
    followed = command("logs", "-f", trained[0], "--tail", "0")
    assert (followed.code, followed.out) == (0, "")
    assert [each["message"] for each in command("logs", trained[0], "-n", "1", "-o", "json").data] == ["last line"]


def test_jobs_are_compared(command: Command, trained: tuple[str, str], predicted: str) -> None:
    first, second = command("compare", *trained, "-o", "json").data
    assert (first["hyperparameters"], second["hyperparameters"]) == ({"rate": 0.25}, {"rate": 0.5})
    assert (first["metrics"], second["metrics"]) == ({"loss": 0.25}, {"loss": 0.5})
    assert first["seconds"] is not None and float(first["cost"]["total"]["low"]) > 0
    lines = [line.split() for line in command("compare", *trained).out.splitlines()]
    assert ["hyperparameter", "rate", "0.25", "0.5"] in lines and ["metric", "loss", "0.25", "0.5"] in lines
    assert lines.index(["in", "common"]) < lines.index(["kind", "training"])
    mixed = command("compare", trained[0], predicted, "-o", "json").data
    assert [each["kind"] for each in mixed] == ["training", "batch"]


def test_what_a_training_job_left_is_fetched_and_unpacked(
    command: Command, trained: tuple[str, str], tmp_path: Path
) -> None:
    fetched = command("download", trained[0], "-o", "json").data
    folder = tmp_path / trained[0]
    assert [each["folder"] for each in fetched["artifacts"]] == [f"{trained[0]}/model", f"{trained[0]}/output"]
    assert (folder / "model/weights.txt").read_text() == "weights"
    assert (folder / "model/current").readlink() == Path("weights.txt")
    assert (folder / "output/plot.txt").read_text() == "plot"
    assert sorted(path.name for path in folder.iterdir()) == ["model", "output"]
    again = command("download", trained[0])
    assert again.code == 2 and "nothing is overwritten" in again.err
    assert command("download", trained[0], "other").code == 0


def test_what_a_batch_job_wrote_is_fetched(command: Command, predicted: str, tmp_path: Path) -> None:
    [fetched] = command("download", predicted, "here", "-o", "json").data["artifacts"]
    assert (fetched["files"], fetched["bytes"]) == (1, 3)
    assert (tmp_path / "here/predictions/deep/part-0.jsonl").read_bytes() == b"{}\n"


def test_an_archive_that_leads_out_of_its_folder_is_not_unpacked(
    command: Command, platform: Platform, trained: tuple[str, str], tmp_path: Path
) -> None:
    model = platform.job(trained[1]).describe()["ModelArtifacts"]["S3ModelArtifacts"]
    bucket, _, key = model.removeprefix("s3://").partition("/")
    s3 = platform.client("s3")
    before = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    for member in (_file("../escaped.txt"), _file("/tmp/escaped.txt"), _link("out", ".."), _device("null")):
        s3.put_object(Bucket=bucket, Key=key, Body=_archive(member))
        done = command("download", trained[1], "unsafe")
        assert done.code == 2 and "is not unpacked" in done.err
        assert [path.name for path in tmp_path.rglob("*")] == ["unsafe"]
    s3.put_object(Bucket=bucket, Key=key, Body=before)


def _file(name: str) -> tarfile.TarInfo:
    return tarfile.TarInfo(name)


def _link(name: str, target: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = tarfile.SYMTYPE, target
    return member


def _device(name: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = tarfile.CHRTYPE
    return member


def _archive(member: tarfile.TarInfo) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        tar.addfile(member)
    return packed.getvalue()


def test_a_key_that_is_no_path_is_not_fetched(
    command: Command, platform: Platform, predicted: str, tmp_path: Path
) -> None:
    bucket, key = platform.outputs.model_bucket, f"predictions/{predicted}/deep//odd"
    platform.client("s3").put_object(Bucket=bucket, Key=key, Body=b"x")
    try:
        done = command("download", predicted, "odd")
    finally:
        platform.client("s3").delete_object(Bucket=bucket, Key=key)
    assert done.code == 2 and "its key is not a path of a file" in done.err
    assert not any((tmp_path / "odd").iterdir())


def test_a_job_that_left_nothing_says_so(command: Command, script: Any) -> None:
    name = command("train", script("print(1)\n"), "-o", "json").data["name"]
    failing = command("batch", "submit", "--command", "-o", "json", "--", "false")
    failed = command("jobs", "--kind", "batch", "--status", "failed", "--since", "1h", "-o", "json").data
    assert failing.code == 1 and {each["status"] for each in failed} == {"FAILED"}
    done = command("download", name)
    assert done.code == 1 and "has nothing in S3" in done.err


def test_a_job_is_interrupted_and_goes_on(command: Command, platform: Platform, script: Any) -> None:
    name = command("train", script(WAITING), "--detach").out.strip()
    job = platform.job(name)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while "waiting" not in [line.message for line in job.logs()]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    told = command("interrupt", name, "--notice", "1", "-o", "json").data
    assert told["name"] == name and len(told["instance_ids"]) == 1
    followed = command("logs", "-f", name)
    assert followed.code == 0 and "resumed\n" in followed.out, followed.err
    assert command("describe", name, "-o", "json").data["interruptions"] == 1
    refused = command("interrupt", name)
    assert refused.code == 2 and "runs on no instance now" in refused.err


def test_what_runs_on_demand_and_what_runs_on_aws_is_not_interrupted(
    command: Command, platform: Platform, script: Any, tmp_path: Path
) -> None:
    name = command("train", script("print(1)\n"), "--on-demand", "-o", "json").data["name"]
    assert "runs on demand" in command("interrupt", name).err
    own = open_platform("local", tmp_path)
    object.__setattr__(own.environment, "is_twin", False)
    with pytest.raises(Exception, match="only AWS interrupts"):
        own.interrupt("training_job_name", name, 1.0)


def test_data_is_put_listed_and_removed(command: Command, platform: Platform, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.csv").write_text("1")
    (folder / "deep" / "b.csv").write_text("22")
    bucket = platform.outputs.dataset_bucket
    put = command("data", "put", "data", "numbers", "-o", "json").data
    assert (put["location"], put["files"], put["bytes"]) == ("dataset:numbers", 2, 3)
    assert put["uri"] == f"s3://{bucket}/datasets/numbers/"
    by_content = command("data", "put", "data", "-o", "json").data
    assert by_content["location"] == by_content["uri"] == command("data", "put", "data", "-o", "json").data["uri"]
    listed = {each["name"]: each for each in command("data", "list", "-o", "json").data}
    assert listed["numbers"]["files"] == 2 and by_content["name"] in listed
    assert [each["path"] for each in command("data", "list", "numbers", "-o", "json").data] == ["a.csv", "deep/b.csv"]
    (folder / "a.csv").unlink()
    refused = command("data", "put", "data", "numbers")
    assert refused.code == 2 and "--replace" in refused.err
    assert command("data", "put", "data", "numbers", "--replace", "--yes", "-o", "json").data["files"] == 1
    assert command("data", "remove", "numbers").code == 2
    assert command("data", "remove", "numbers", answers="n\n").code == 2
    assert command("data", "list", "numbers").code == 0
    assert command("data", "remove", "numbers", answers="y\n").code == 0
    assert command("data", "list", "numbers").code == 2
    assert command("data", "remove", by_content["uri"], "--yes", "-o", "json").data["removed"] == 2


def test_who_replaces_or_removes_data_is_told_what_goes_with_it(command: Command, tmp_path: Path) -> None:
    for path in ("all/a.csv", "all/b.csv", "part/a.csv"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text("1")
    assert command("data", "put", "all", "nested").code == 0
    assert command("data", "put", "part", "nested/heldout").code == 0

    def paths() -> list[str]:
        return [each["path"] for each in command("data", "list", "nested", "-o", "json").data]

    refused = command("data", "put", "part", "nested", "--replace")
    assert refused.code == 2 and "2 files (2 B) of dataset nested that part does not have" in refused.err
    assert "b.csv, heldout/a.csv" in refused.err and paths() == ["a.csv", "b.csv", "heldout/a.csv"]
    assert command("data", "put", "all", "nested/heldout", "--replace").code == 0, "nothing is lost: nobody is asked"
    assert command("data", "put", "part", "nested/a.csv").code == 2, "a file is no folder"
    assert "with its folder heldout/?" in command("data", "remove", "nested").err
    assert command("data", "remove", "nested/heldout", "--yes", "-o", "json").data["removed"] == 2
    assert paths() == ["a.csv", "b.csv"]
    assert command("data", "put", "part", "nested", "--replace", answers="y\n").code == 0
    assert paths() == ["a.csv"]
    assert command("data", "remove", "nested", "--yes").code == 0


@pytest.mark.parametrize("name", ["uploads", "uploads/", "dataset:uploads", "..", "nested/../..", "/", "ü", " "])
def test_what_is_no_dataset_is_not_removed(command: Command, tmp_path: Path, name: str) -> None:
    (tmp_path / "one.csv").write_text("1")
    kept = command("data", "put", "one.csv", "-o", "json").data["name"]
    assert command("data", "remove", name, "--yes").code == 2
    assert command("data", "list", kept).code == 0


def test_data_is_removed_whatever_its_files_are_called(command: Command, platform: Platform, tmp_path: Path) -> None:
    names = ["plain", "line\nbreak", "\x01control", "ü <&>"]
    (tmp_path / "odd").mkdir()
    for name in names:
        (tmp_path / "odd" / name).write_text("1")
    command("data", "put", "odd", "odd")
    command("data", "put", "odd", "odder")
    assert {each["path"] for each in command("data", "list", "odd", "-o", "json").data} == set(names)
    assert command("data", "remove", "odd", "--yes", "-o", "json").data["removed"] == len(names)
    assert command("data", "list", "odd").code == 2
    assert command("data", "list", "odder").code == 0, "what begins so is not it"
    s3, bucket = platform.client("s3"), "odd-names-are-emptied"
    s3.create_bucket(Bucket=bucket)
    for name in names:
        s3.put_object(Bucket=bucket, Key=name, Body=b"1")
    assert empty_bucket(s3, bucket) == len(names)
    s3.delete_bucket(Bucket=bucket)
    command("data", "remove", "odder", "--yes")


def test_a_dataset_is_an_input(command: Command, script: Any, tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("1")
    command("data", "put", "one.csv", "single")
    listing = "import os; print(os.listdir('/opt/ml/input/data/training'))\n"
    done = command("train", script(listing), "-i", "training=dataset:single")
    assert "['one.csv']" in done.out, done.err
    missing = command("train", script(listing), "-i", "training=dataset:absent")
    assert missing.code == 2 and "trainworks data put FOLDER absent" in missing.err
    command("data", "remove", "single", "--yes")


@pytest.fixture
def offered(command: Command, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], tuple[list[str], str]]:
    """What bash offers for the last of some words, and what is said beside it."""

    def complete(words: str) -> tuple[list[str], str]:
        with monkeypatch.context() as patch:
            patch.setenv("_TRAINWORKS_COMPLETE", "complete_bash")
            patch.setenv("COMP_WORDS", words)
            patch.setenv("COMP_CWORD", str(len(words.split()) - 1))
            done = command()
        return done.out.split(), done.err

    return complete


def test_the_shell_completes_names_of_jobs_and_is_silent_without_a_twin(
    offered: Any, trained: tuple[str, str], predicted: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert offered(f"trainworks describe {trained[0]}") == ([trained[0]], "")
    assert set(trained) <= set(offered("trainworks compare verbs")[0])
    assert offered(f"trainworks logs {predicted[:-1]}") == ([predicted], "")
    monkeypatch.setenv("TRAINWORKS_HOME", str(tmp_path / "nowhere"))
    assert offered("trainworks logs ve") == ([], "")
    assert not (tmp_path / "nowhere").exists()


def test_the_shell_completes_names_of_datasets_by_name_and_by_content(
    command: Command, offered: Any, tmp_path: Path
) -> None:
    (tmp_path / "one.csv").write_text("completed")
    for name in (["completed/one"], ["completed/two"], []):
        put = command("data", "put", "one.csv", *name, "-o", "json").data
    assert offered("trainworks data list complet") == (["completed"], "")
    assert offered("trainworks data remove completed/o") == (["completed/one"], "")
    for beginning in ("up", "uploads/", put["name"][:-1]):
        assert put["name"] in offered(f"trainworks data list {beginning}")[0]
    command("data", "remove", "completed", "--yes")


def test_the_sdk_takes_scripts_and_its_jobs_tell_of_themselves(
    monkeypatch: pytest.MonkeyPatch, command: Command, platform: Platform, tmp_path: Path
) -> None:
    (tmp_path / "own.py").write_text(SCRIPT)
    job = train("own.py", hyperparameters={"rate": 0.125}, metrics={"loss": "loss=([0-9.]+)"})
    wait(job)
    assert repr(job) == f"TrainingJob('{job.name}')"
    assert [line.message for line in job.logs(tail=2)] == ["loss=0.125", "last line"]
    [loss] = [series for series in job.metrics() if series.name == "loss"]
    assert repr(loss) == "MetricSeries('loss', host=None, 1 points, last 0.125)"
    assert [each.folder.name for each in job.download("fetched")] == ["model", "output"]
    assert (tmp_path / "fetched/model/weights.txt").exists()
    assert repr(platform) == "Platform('local')"


def test_what_is_packed_is_shown_on_a_terminal_and_much_of_it_warned_of(command: Command, tmp_path: Path) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (code / "train.py").write_text("print(1)\n")
    (code / "more.txt").write_text("x" * 2048)
    (code / "data.bin").write_bytes(b"x")
    (code / ".trainworksignore").write_text("*.bin\n")
    argv = ("train", "code/train.py", "--source-dir", "code", "--detach")
    shown = command(*argv, terminal=100)
    assert "code: 2 files, 2.0 KiB; left out: data.bin (*.bin in .trainworksignore)" in shown.err
    piped = command(*argv)
    assert piped.code == 0 and "code:" not in piped.err
    (code / "large.txt").write_bytes(bytes(51 << 20))
    warned = command(*argv)
    assert warned.code == 0 and "the code has 51.0 MiB" in warned.err and ".trainworksignore" in warned.err


def test_a_batch_job_without_a_way_to_an_index_is_told_of_too(command: Command, tmp_path: Path) -> None:
    (tmp_path / "predict.py").write_text("print(1)\n")
    (tmp_path / "requirements.txt").write_text("--no-index\n")
    done = command("batch", "submit", "predict.py", "--source-dir", ".", "--detach")
    assert done.code == 0 and "no route to the internet" in done.err
