"""Training jobs from CreateTrainingJob to their end, executed."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.functional.compute.agents import freeze, kill
from tests.functional.sagemaker.conftest import Service, Train
from tests.unit.twin.services.sagemaker.doubles import ADA, request
from tests.unit.twin.services.sagemaker.harness import Harness
from trainworks.twin.ports import ApiError, MetricDatum


def statuses(job: dict[str, Any]) -> list[str]:
    return [entry["Status"] for entry in job["SecondaryStatusTransitions"]]


def channel(uri: str = "s3://data/train/", **source: Any) -> dict[str, Any]:
    return {"ChannelName": "train", "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri, **source}}}


def model_files(harness: Harness, name: str = "job-1") -> dict[str, bytes]:
    packed = io.BytesIO(harness.objects.body("models", f"output/{name}/output/model.tar.gz"))
    with tarfile.open(fileobj=packed) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar.getmembers() if member.isfile()}  # type: ignore[union-attr]


def test_a_script_reads_its_data_and_leaves_a_model(train: Train, harness: Harness) -> None:
    harness.objects.put("data", "train/part/a.csv", b"1,2")
    train(
        """
import argparse, os, sys
parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int)
parser.add_argument("--lr", type=float, default=float(os.environ["SM_HP_LR"]))
options = parser.parse_args()
data = open(os.environ["SM_CHANNEL_TRAIN"] + "/part/a.csv").read()
with open(os.environ["SM_CHANNEL_TRAIN"] + "/part/a.csv", "a") as file:
    file.write("scribble")
print(f"epochs={options.epochs} lr={options.lr} data={data}")
print("loss: 0.5\\rloss: 0.25;")
sys.stdout.buffer.write(b"\\xff\\xfe not utf-8\\n")
open(os.path.join(os.environ["SM_MODEL_DIR"], "model.txt"), "w").write("weights")
os.makedirs(os.environ["SM_OUTPUT_DATA_DIR"], exist_ok=True)
open(os.path.join(os.environ["SM_OUTPUT_DATA_DIR"], "report.txt"), "w").write("fine")
""",
        InputDataConfig=[channel()],
        HyperParameters={"epochs": "3", "lr": "0.1"},
        AlgorithmSpecification={
            "TrainingImage": "image",
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "loss", "Regex": "loss: ([0-9.]+)"}],
        },
    )
    job = harness.wait("Completed")
    assert statuses(job) == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    assert "epochs=3 lr=0.1 data=1,2" in harness.log()
    assert any("not utf-8" in line for line in harness.log())
    assert job["ModelArtifacts"] == {"S3ModelArtifacts": "s3://models/output/job-1/output/model.tar.gz"}
    assert model_files(harness) == {"model.txt": b"weights"}
    assert "output/job-1/output/output.tar.gz" in harness.objects.keys("models")
    assert harness.objects.body("data", "train/part/a.csv") == b"1,2", "the object store stays intact"
    assert [(each["MetricName"], each["Value"]) for each in job["FinalMetricDataList"]] == [("loss", 0.25)]
    values = harness.until(
        lambda: [each.value for _, each in list(harness.control_plane.metrics) if each.metric_name == "loss"],
        lambda found: len(found) == 2,
    )
    assert values == [0.5, 0.25]
    assert job["TrainingTimeInSeconds"] >= job["BillableTimeInSeconds"] >= 1
    harness.until(
        lambda: [detail["SecondaryStatus"] for _, _, detail in list(harness.control_plane.events)],
        lambda seen: seen == statuses(job),
    )
    harness.until(lambda: list((harness.home / "jobs").glob("*/attempt-*")), lambda left: not left)


def test_a_script_that_raises_fails_with_its_traceback(train: Train, harness: Harness) -> None:
    train("print('before')\nraise ValueError('no such column: age')")
    job = harness.wait("Failed")
    assert job["FailureReason"].startswith("AlgorithmError: ExecuteUserScriptError:\nExitCode 1\n")
    assert "ValueError: no such column: age" in job["FailureReason"]
    assert job["FailureReason"].endswith(", exit code: 1")
    assert "before" in harness.log()
    assert "ModelArtifacts" not in job
    assert "TrainingEndTime" in job


def test_what_the_script_wrote_to_failure_is_the_reason(train: Train, harness: Harness) -> None:
    train("open('/opt/ml/output/failure', 'w').write('column age is missing')\nraise SystemExit(3)")
    assert harness.wait("Failed")["FailureReason"] == "AlgorithmError: column age is missing, exit code: 3"


def test_a_script_that_is_not_there(train: Train, harness: Harness) -> None:
    train("", HyperParameters={"sagemaker_program": '"other.py"'})
    reason = harness.wait("Failed")["FailureReason"]
    assert reason.startswith("ClientError: The script other.py (sagemaker_program) is not in the source directory")


@pytest.mark.parametrize("uri", ["s3://data/nothing/", "s3://nobodys-bucket/data/"])
def test_an_input_with_nothing_in_it_is_refused(train: Train, harness: Harness, uri: str) -> None:
    with pytest.raises(ApiError, match="No S3 objects found under S3 URL") as caught:
        train("", InputDataConfig=[channel(uri)])
    assert caught.value.code == "ValidationException"
    with pytest.raises(ApiError, match="not found"):
        harness.describe()


def test_a_hyperparameter_that_is_null_is_an_empty_text(train: Train, harness: Harness) -> None:
    train(
        "import os, sys\nopen('/opt/ml/output/failure', 'w').write(repr((sys.argv[1:], os.environ['SM_HP_RESUME'])))\n"
        "raise SystemExit(1)",
        HyperParameters={"resume": "null"},
    )
    assert "(['--resume', ''], '')" in harness.wait("Failed")["FailureReason"]


@pytest.mark.parametrize(
    ("action", "bucket", "told"),
    [
        ("s3:GetObject", "data", "Data download failed"),
        ("s3:PutObject", "models", "Artifact upload to s3://models/out"),
    ],
)
def test_a_role_without_permission(train: Train, harness: Harness, action: str, bucket: str, told: str) -> None:
    harness.objects.put("data", "train/a", b"1")
    harness.objects.denied = {(action, bucket)}
    train("open('/opt/ml/model/m', 'w').write('m')", InputDataConfig=[channel()])
    reason = harness.wait("Failed")["FailureReason"]
    assert told in reason
    assert "AccessDenied" in reason
    assert "assumed-role/training" in reason
    assert action in reason
    assert f"arn:aws:s3:::{bucket}" in reason


def test_an_archive_that_leads_out_of_its_folder(harness: Harness) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        member = tarfile.TarInfo("../../escaped.py")
        member.size = 0
        tar.addfile(member, io.BytesIO())
    harness.objects.put("models", "code/sourcedir.tar.gz", packed.getvalue())
    harness.call("CreateTrainingJob", **request())
    reason = harness.wait("Failed")["FailureReason"]
    assert "cannot be unpacked" in reason
    harness.until(lambda: harness.jobs_cleaned("job-1"), bool)
    assert not list(harness.home.rglob("escaped.py"))


def test_stop_lets_the_script_save_its_model(train: Train, harness: Harness) -> None:
    train(
        """
import signal, sys, time
def stop(*_):
    open("/opt/ml/model/partial", "w").write("half")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
print("ready", flush=True)
time.sleep(60)
"""
    )
    harness.until(harness.log, lambda log: "ready" in log)
    harness.call("StopTrainingJob", TrainingJobName="job-1")
    job = harness.wait("Stopped")
    assert statuses(job) == ["Starting", "Downloading", "Training", "Stopping", "Uploading", "Stopped"]
    assert model_files(harness) == {"partial": b"half"}


def test_the_last_of_a_crowd_is_stopped_at_once_and_the_others_go_on_after_a_restart(service: Service) -> None:
    names = [f"crowd-{number}" for number in range(12)]
    for name in names:
        service.train("print('done')", name)
    service.harness.call("StopTrainingJob", TrainingJobName=names[-1])
    stopped = service.harness.wait("Stopped", names[-1])
    service.restart()
    ended = [service.harness.wait("Completed", name) for name in names[:-1]]
    assert stopped["LastModifiedTime"] < max(each["TrainingEndTime"] for each in ended), "it waits for nobody"


def test_max_runtime(train: Train, harness: Harness) -> None:
    train(
        "import time\nopen('/opt/ml/model/m', 'w').write('m')\ntime.sleep(600)",
        StoppingCondition={"MaxRuntimeInSeconds": 4},
    )
    job = harness.wait("Stopped")
    assert job["SecondaryStatus"] == "MaxRuntimeExceeded"
    assert model_files(harness) == {"m": b"m"}


RESUMING = """
import os, signal, sys, time
folder = "/opt/ml/checkpoints"
done = len(os.listdir(folder))
print(f"starting from {done}", flush=True)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
for epoch in range(done, 6):
    if done == 0 and epoch == 3:
        time.sleep(600)  # until it is interrupted
    time.sleep(0.3)
    open(f"{folder}/.tmp", "w").write(str(epoch))
    os.rename(f"{folder}/.tmp", f"{folder}/epoch-{epoch}")
    print(f"epoch {epoch}", flush=True)
open("/opt/ml/model/m", "w").write("m")
"""
SPOT = {
    "EnableManagedSpotTraining": True,
    "StoppingCondition": {"MaxRuntimeInSeconds": 600, "MaxWaitTimeInSeconds": 600},
}
BEGINNING = """
import os, time
print(f"starting from {len(os.listdir('/opt/ml/model'))}", flush=True)
open("/opt/ml/model/half", "w").close()
print("saved", flush=True)
time.sleep(600)
"""


def test_a_spot_job_resumes_from_its_checkpoint(train: Train, harness: Harness) -> None:
    train(RESUMING, CheckpointConfig={"S3Uri": "s3://models/checkpoints/job-1"}, **SPOT)
    harness.until(harness.log, lambda log: "epoch 2" in log)
    instances = harness.service.locators()["training_job_name"]("job-1", ADA)
    harness.compute.interrupt(instances[0], 0.2)
    job = harness.wait("Completed")
    assert statuses(job) == [
        "Starting", "Downloading", "Training", "Interrupted", "Restarting", "Starting", "Downloading", "Training",
        "Uploading", "Completed",
    ]  # fmt: skip
    starts = [line for line in harness.log() if line.startswith("starting")]
    assert starts[0] == "starting from 0"
    assert int(starts[1].split()[-1]) >= 3
    epochs = [line for line in harness.log() if line.startswith("epoch")]
    assert epochs[-1] == "epoch 5"
    assert len(epochs) <= 7, "at most the epoch in hand is done again"
    assert job["TrainingTimeInSeconds"] >= job["BillableTimeInSeconds"]
    assert {f"checkpoints/job-1/epoch-{n}" for n in range(6)} <= set(harness.objects.keys("models"))


def test_without_checkpoints_a_spot_job_begins_again(train: Train, harness: Harness) -> None:
    train(BEGINNING, **SPOT)
    harness.until(harness.log, lambda log: "saved" in log)
    harness.compute.interrupt(harness.service.locators()["training_job_name"]("job-1", ADA)[0], 0.1)
    harness.until(harness.log, lambda log: log.count("saved") == 2)
    assert harness.log().count("starting from 0") == 2
    harness.call("StopTrainingJob", TrainingJobName="job-1")
    harness.wait("Stopped")


def test_two_instances_find_one_another_and_merge_their_models(train: Train, harness: Harness) -> None:
    for name in "abcd":
        harness.objects.put("data", f"train/{name}", name.encode())
    train(
        """
import json, os, socket
config = json.load(open("/opt/ml/input/config/resourceconfig.json"))
me = config["current_host"]
assert config["hosts"] == ["algo-1", "algo-2"] == json.loads(os.environ["SM_HOSTS"])
print(me, sorted(os.listdir("/opt/ml/input/data/train")), socket.gethostname() == me, flush=True)
if me == "algo-1":
    with socket.create_server((socket.gethostbyname(me), 7777)) as server:
        print("heard", server.accept()[0].recv(9))
else:
    import time
    for _ in range(200):
        try:
            socket.create_connection(("algo-1", 7777)).send(b"hello")
            break
        except OSError:
            time.sleep(0.02)
open(f"/opt/ml/model/{me}", "w").write(me)
""",
        InputDataConfig=[channel(S3DataDistributionType="ShardedByS3Key")],
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 1},
    )
    harness.wait("Completed")
    assert "algo-1 ['a', 'c'] True" in harness.log()
    assert "algo-2 ['b', 'd'] True" in harness.log()
    assert "heard b'hello'" in harness.log()
    assert model_files(harness) == {"algo-1": b"algo-1", "algo-2": b"algo-2"}


def test_one_failing_instance_ends_the_others(train: Train, harness: Harness) -> None:
    train(
        "import os, time\nif os.environ['SM_CURRENT_HOST'] == 'algo-2': raise SystemExit(7)\ntime.sleep(60)",
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 1},
    )
    assert harness.wait("Failed")["FailureReason"].endswith(", exit code: 7 (algo-2)")


def test_a_manifest_and_an_entrypoint(harness: Harness) -> None:
    harness.objects.put("data", "one", b"1")
    harness.objects.put("data", "two/2", b"2")
    harness.objects.put("data", "list.manifest", json.dumps([{"prefix": "s3://data/"}, "one", "two/2"]).encode())
    given = request(
        HyperParameters={"depth": "2"},
        InputDataConfig=[channel("s3://data/list.manifest", S3DataType="ManifestFile")],
        AlgorithmSpecification={
            "TrainingImage": "image",
            "TrainingInputMode": "FastFile",
            "ContainerEntrypoint": ["sh", "-c"],
            "ContainerArguments": [
                "cd /opt/ml/input && cat data/train/one data/train/two/2 config/hyperparameters.json"
            ],
        },
    )
    harness.call("CreateTrainingJob", **given)
    harness.wait("Completed")
    assert "".join(harness.log()).replace(" ", "") == '12{"depth":"2"}'


def test_it_goes_on_after_a_restart_of_the_server(service: Service) -> None:
    script = RESUMING.replace("time.sleep(600)", "pass")
    service.train(script, CheckpointConfig={"S3Uri": "s3://models/checkpoints/job-1"}, **SPOT)
    service.harness.until(service.harness.log, lambda log: "epoch 1" in log)
    service.restart()
    job = service.harness.wait("Completed")
    assert statuses(job) == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    log = service.harness.log()
    assert [line for line in log if line.startswith("epoch")] == [f"epoch {n}" for n in range(6)], "once each"
    assert service.harness.objects.puts.count("models/output/job-1/output/model.tar.gz") <= 1


def test_a_requirements_file_that_cannot_be_installed(train: Train, harness: Harness) -> None:
    train("print('not reached')", files={"requirements.txt": "--no-index\nno-such-package-anywhere\n"})
    reason = harness.wait("Failed")["FailureReason"]
    assert reason.startswith("AlgorithmError: InstallRequirementsError: pip could not install ")
    assert "not reached" not in harness.log()


def wheel(module: str, text: str) -> bytes:
    """A wheel with one module, so that pip has something to install without a network."""
    packed = io.BytesIO()
    info = f"{module}-1.dist-info"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(f"{module}.py", text)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {module}\nVersion: 1\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return packed.getvalue()


def test_a_requirements_file_is_installed_first(train: Train, harness: Harness) -> None:
    train(
        "import sys, tinypkg, pip\nprint('value', tinypkg.VALUE, sys.argv[1:])",
        files={
            "requirements.txt": "--no-index\n./tinypkg-1-py3-none-any.whl\n",
            "tinypkg-1-py3-none-any.whl": wheel("tinypkg", "VALUE = 42\n"),
        },
        HyperParameters={"epochs": "2"},
    )
    harness.wait("Completed")
    assert "value 42 ['--epochs', '2']" in harness.log()


def test_host_metrics(train: Train, harness: Harness) -> None:
    train("import time\ntime.sleep(600)")

    def used() -> list[MetricDatum]:
        return [each for _, each in list(harness.control_plane.metrics) if each.metric_name == "MemoryUtilization"]

    hosts = harness.until(used, bool)
    harness.call("StopTrainingJob", TrainingJobName="job-1")
    harness.wait("Stopped")
    assert hosts[0].dimensions == {"Host": "job-1/algo-1"}


def test_a_deleted_job_leaves_nothing(train: Train, harness: Harness) -> None:
    train("print('done')")
    harness.wait("Completed")
    harness.until(lambda: harness.jobs_cleaned("job-1"), bool)
    harness.call("DeleteTrainingJob", TrainingJobName="job-1")
    assert not list((harness.home / "jobs").iterdir())
    assert harness.call("ListTrainingJobs")["TrainingJobSummaries"] == []


def test_without_namespaces_the_same_job_runs() -> None:
    root = Path(tempfile.mkdtemp(prefix="tw-sm-"))
    service = Service(root, sandbox="off")
    try:
        service.harness.objects.put("data", "train/a", b"1,2")
        service.train(
            """
import os
data = open(os.environ["SM_CHANNEL_TRAIN"] + "/a").read()
open(os.environ["SM_MODEL_DIR"] + "/m", "w").write(data)
print("base", os.environ["SAGEMAKER_BASE_DIR"])
""",
            InputDataConfig=[channel()],
        )
        service.harness.wait("Completed")
        assert model_files(service.harness) == {"m": b"1,2"}
    finally:
        service.close()
        shutil.rmtree(root)


_SPARSE = """
import os
with open(os.path.join(os.environ["SM_MODEL_DIR"], "weights"), "wb") as file:
    file.truncate(3 << 40)
"""


def test_endless_uploads_hold_up_nobody_and_end_with_stop(train: Train, harness: Harness) -> None:
    """More sparse files than there are threads for states; the volumes would hold them."""
    resources = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 16384}
    names = [f"endless-{number}" for number in range(9)]
    for name in names:
        train(_SPARSE, name, ResourceConfig=resources)
    for name in names:
        harness.wait("Uploading", name)
    train("print('done')", "other")
    harness.wait("Completed", "other")
    train(_SPARSE, "refused", ResourceConfig={**resources, "VolumeSizeInGB": 10})
    reason = harness.until(lambda: harness.describe("refused"), lambda job: job["TrainingJobStatus"] == "Failed")
    assert reason["FailureReason"].startswith("ClientError: The files in /opt/ml/model and /opt/ml/output/data have")
    for name in names[1:]:
        harness.call("StopTrainingJob", TrainingJobName=name)
        job = harness.describe(name)
        assert (job["TrainingJobStatus"], job.get("ModelArtifacts")) == ("Stopped", None)
        assert statuses(job)[-3:] == ["Uploading", "Stopping", "Stopped"]
    for name in names[1:]:
        harness.until(lambda name=name: harness.jobs_cleaned(name), bool)
    harness.service.stop()  # the upload that is left would take hours
    assert harness.describe(names[0])["SecondaryStatus"] == "Uploading"


def test_a_type_with_more_gpus_than_the_machine_tells_the_truth(train: Train, harness: Harness) -> None:
    """These tests' compute plane is given no GPU, whatever the machine has."""
    resources = {"InstanceType": "ml.p5.48xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10}
    train("import os; print('told', os.environ['SM_NUM_GPUS'])", ResourceConfig=resources)
    job = harness.wait("Completed")
    note = "ml.p5.48xlarge has 8 GPUs on AWS; this machine has no GPU: it runs with no GPU"
    assert note in harness.log()
    assert "told 0" in harness.log()
    training = next(each for each in job["SecondaryStatusTransitions"] if each["Status"] == "Training")
    assert training["StatusMessage"].endswith(f"({note})")


def test_an_instance_that_fails_before_a_job_begins_is_replaced(service: Service) -> None:
    """An on-demand job without retries: it has lost nothing, and nobody is told of it."""
    service.harness.compute.sandbox_mode()
    frozen = freeze(service.home)
    service.train("print('ran')")
    service.harness.wait("Downloading")
    kill(frozen)
    job = service.harness.wait("Completed")
    assert statuses(job) == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    assert service.harness.log().count("ran") == 1
