"""Endpoints that really serve: boto3 against a running twin."""

from __future__ import annotations

import io
import json
import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.functional.sagemaker.hosting import ECHO, PYTHON_IMAGE, Hosting, make_hosting
from tests.functional.sagemaker.test_image_making import wheel
from tests.functional.twin.iam import allow, user
from tests.patience import until
from trainworks.testing import TestTwin

SCIKIT = """
import pickle
def model_fn(model_dir):
    with open(model_dir + "/weights", "rb") as file:
        return pickle.load(file)
"""


@pytest.fixture
def hosting(twin: TestTwin) -> Iterator[Hosting]:
    made = make_hosting(twin)
    yield made
    made.close()


@pytest.fixture
def own_hosting(own_twin: TestTwin) -> Hosting:
    return make_hosting(own_twin)


def failed(call: Any, **members: Any) -> dict[str, Any]:
    """The error of a call that has to fail."""
    with pytest.raises(ClientError) as refused:
        call(**members)
    return dict(refused.value.response)


def test_a_model_is_served_logged_and_taken_away(hosting: Hosting) -> None:
    name = hosting.endpoint({"ModelName": hosting.model()})
    runtime = hosting.client("sagemaker-runtime")
    answer = runtime.invoke_endpoint(
        EndpointName=name, Body="1,2", ContentType="text/csv", Accept="a/b", CustomAttributes="trace"
    )
    assert answer["Body"].read() == b"w 1,2 text/csv a/b"
    assert (answer["ContentType"], answer["InvokedProductionVariant"]) == ("text/plain", "AllTraffic")
    described = hosting.describe(name)
    (variant,) = described["ProductionVariants"]
    assert (variant["CurrentInstanceCount"], variant["DesiredInstanceCount"], variant["CurrentWeight"]) == (1, 1, 1.0)
    assert variant["DeployedImages"][0]["SpecifiedImage"] == PYTHON_IMAGE
    error = failed(runtime.invoke_endpoint, EndpointName=name, Body="fail", ContentType="text/csv")
    assert (error["Error"]["Code"], error["OriginalStatusCode"]) == ("ModelError", 500)
    assert "this model cannot" in error["OriginalMessage"]
    assert error["LogStreamArn"].endswith(f":log-group:/aws/sagemaker/Endpoints/{name}")
    until(lambda: "RuntimeError: this model cannot" in hosting.log(name), "the traceback in the log")
    hosting.delete(name)
    gone = failed(runtime.invoke_endpoint, EndpointName=name, Body="x")["Error"]
    assert gone == {"Code": "ValidationError", "Message": f"Endpoint {name} of account 000000000000 not found."}
    group = f"/aws/sagemaker/Endpoints/{name}"
    streams = hosting.client("logs").describe_log_streams(logGroupName=group)["logStreams"]
    assert all(stream["logStreamName"].startswith("AllTraffic/i-") for stream in streams)


def test_the_default_functions_of_scikit_learn_read_and_write_csv_json_and_npy(hosting: Hosting) -> None:
    import pickle

    import numpy as np
    from sklearn.linear_model import LinearRegression

    fitted = LinearRegression().fit(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), np.array([0.0, 1.0, 2.0]))
    name = hosting.endpoint({"ModelName": hosting.model({"weights": pickle.dumps(fitted)}, SCIKIT)})
    rows = np.array([[1.0, 1.0], [2.0, 0.0]], dtype=np.float32)
    buffer = io.BytesIO()
    np.save(buffer, rows)
    bodies = {"text/csv": b"1,1\n2,0", "application/json": b"[[1, 1], [2, 0]]", "application/x-npy": buffer.getvalue()}
    runtime = hosting.client("sagemaker-runtime")
    for given, body in bodies.items():
        for wanted in bodies:
            answer = runtime.invoke_endpoint(EndpointName=name, Body=body, ContentType=given, Accept=wanted)
            said = answer["Body"].read()
            read = {
                "text/csv": lambda said: np.genfromtxt(io.BytesIO(said), delimiter=","),
                "application/json": lambda said: np.array(json.loads(said)),
                "application/x-npy": lambda said: np.load(io.BytesIO(said)),
            }[wanted]
            assert answer["ContentType"] == wanted
            assert read(said) == pytest.approx(np.array([3.0, 2.0]), abs=1e-4)
    unread = failed(runtime.invoke_endpoint, EndpointName=name, Body="<a/>", ContentType="application/xml")
    assert unread["OriginalStatusCode"] == 415
    rows_of_csv = {"Body": bodies["text/csv"], "ContentType": "text/csv"}
    unwritten = failed(runtime.invoke_endpoint, EndpointName=name, **rows_of_csv, Accept="a/b")
    assert unwritten["OriginalStatusCode"] == 406


def test_what_a_models_requirements_name_is_there(hosting: Hosting, tmp_path: Path) -> None:
    wheel(tmp_path, "tinypkg", "1.0")
    (packed,) = tmp_path.glob("*.whl")
    files = {
        "code/requirements.txt": "--no-index --find-links wheels\ntinypkg==1.0\n",
        f"code/wheels/{packed.name}": packed.read_bytes(),
    }
    script = "import tinypkg\ndef model_fn(d): pass\ndef transform_fn(m, d, c, a): return tinypkg.__version__, a\n"
    assert hosting.invoke(hosting.endpoint({"ModelName": hosting.model(files, script)})) == "1.0"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("raise ValueError('no such weights')", "ValueError: no such weights"),
        ("def predict_fn(data, model): return 1", "Please provide a model_fn implementation in inference.py"),
        ("import os\ndef model_fn(d): os._exit(7)", "exit code 7"),
    ],
)
def test_a_model_that_does_not_load_fails_its_endpoint_with_its_last_lines(
    hosting: Hosting, script: str, said: str
) -> None:
    name = hosting.endpoint({"ModelName": hosting.model(script=script)}, wanted="Failed")
    reason = hosting.describe(name)["FailureReason"]
    assert "for production variant AllTraffic did not pass the ping health check" in reason
    assert said in reason


def test_variants_get_their_shares_and_one_may_be_named(hosting: Hosting) -> None:
    models = {each: hosting.model({"weights": each}) for each in ("a", "b")}
    name = hosting.endpoint(
        {"VariantName": "a", "ModelName": models["a"], "InitialVariantWeight": 1.0},
        {"VariantName": "b", "ModelName": models["b"], "InitialVariantWeight": 0.0},
    )
    assert {hosting.invoke(name)[0] for _ in range(10)} == {"a"}
    assert hosting.invoke(name, TargetVariant="b").startswith("b ")
    runtime = hosting.client("sagemaker-runtime")
    error = failed(runtime.invoke_endpoint, EndpointName=name, Body="x", TargetVariant="c")["Error"]
    assert error["Code"] == "ValidationError"


def test_what_came_of_requests_is_in_cloudwatch(hosting: Hosting) -> None:
    name = hosting.endpoint({"ModelName": hosting.model()})
    start = datetime.now(UTC) - timedelta(minutes=5)
    for _ in range(3):
        hosting.invoke(name)
    hosting.invoke(name, "sleep")
    failed(hosting.client("sagemaker-runtime").invoke_endpoint, EndpointName=name, Body="fail", ContentType="text/csv")
    cloudwatch = hosting.client("cloudwatch")

    def statistic(metric: str, which: str) -> list[float]:
        points = cloudwatch.get_metric_statistics(
            Namespace="AWS/SageMaker",
            MetricName=metric,
            Dimensions=[{"Name": "EndpointName", "Value": name}, {"Name": "VariantName", "Value": "AllTraffic"}],
            StartTime=start,
            EndTime=datetime.now(UTC) + timedelta(minutes=5),
            Period=3600,
            Statistics=[which],
        )["Datapoints"]
        return [point[which] for point in points]

    until(lambda: sum(statistic("Invocations", "Sum")) == 5, "five invocations")
    assert sum(statistic("Invocation5XXErrors", "Sum")) == sum(statistic("InvocationModelErrors", "Sum")) == 1
    assert sum(statistic("Invocation4XXErrors", "Sum")) == 0
    assert sum(statistic("InvocationsPerInstance", "Sum")) == 5
    assert max(statistic("ModelLatency", "Maximum")) >= 200_000
    assert min(statistic("OverheadLatency", "Minimum")) > 0
    assert sum(statistic("OverheadLatency", "SampleCount")) == 5


def test_who_may_not_is_refused_and_who_is_allowed_again_is_not(hosting: Hosting) -> None:
    name = hosting.endpoint({"ModelName": hosting.model()})
    arn = hosting.describe(name)["EndpointArn"]
    who, session = user(hosting.twin, allow("sagemaker:DescribeEndpoint"))
    runtime = hosting.client("sagemaker-runtime", session)
    error = failed(runtime.invoke_endpoint, EndpointName=name, Body="x", ContentType="text/csv")["Error"]
    assert error["Code"] == "AccessDeniedException"
    assert f"is not authorized to perform: sagemaker:InvokeEndpoint on resource: {arn}" in error["Message"]
    ours = allow("sagemaker:InvokeEndpoint", arn, Condition={"StringEquals": {"aws:ResourceTag/team": "ml"}})
    document = json.dumps({"Version": "2012-10-17", "Statement": [ours]})
    iam, sagemaker = hosting.client("iam"), hosting.client("sagemaker")
    iam.put_user_policy(UserName=who, PolicyName="p", PolicyDocument=document)
    failed(runtime.invoke_endpoint, EndpointName=name, Body="x", ContentType="text/csv")
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "team", "Value": "ml"}])
    assert runtime.invoke_endpoint(EndpointName=name, Body="x", ContentType="text/csv")["Body"].read()
    iam.delete_user_policy(UserName=who, PolicyName="p")
    failed(runtime.invoke_endpoint, EndpointName=name, Body="x", ContentType="text/csv")


def test_what_is_too_large_or_not_implemented_is_refused_by_name(hosting: Hosting) -> None:
    runtime, sagemaker = hosting.client("sagemaker-runtime"), hosting.client("sagemaker")
    model = hosting.model()
    name = hosting.endpoint({"ModelName": model})
    large = failed(runtime.invoke_endpoint, EndpointName=name, Body=b"x" * 6_291_457)["Error"]
    assert "less than or equal to 6291456" in large["Message"]
    assert (
        "TargetModel"
        in failed(runtime.invoke_endpoint, EndpointName=name, Body="x", TargetModel="m")["Error"]["Message"]
    )
    streamed = failed(runtime.invoke_endpoint_with_response_stream, EndpointName=name, Body="x")["Error"]
    assert "InvokeEndpointWithResponseStream" in streamed["Message"]
    variant = {"VariantName": "v", "ModelName": model}
    serverless = {**variant, "ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 1}}
    create = sagemaker.create_endpoint_config
    refused = failed(create, EndpointConfigName="c", ProductionVariants=[serverless])["Error"]
    assert "'ProductionVariants.ServerlessConfig'" in refused["Message"]
    unknown = {**variant, "ModelName": "gone", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    refused = failed(create, EndpointConfigName="c", ProductionVariants=[unknown])["Error"]
    assert refused["Message"] == 'Could not find model "arn:aws:sagemaker:us-east-1:000000000000:model/gone".'
    container = {"Image": PYTHON_IMAGE, "ModelDataUrl": f"s3://{hosting.bucket}/gone.tar.gz"}
    given = {"ModelName": "m", "PrimaryContainer": container, "ExecutionRoleArn": hosting.role_arn}
    assert "Could not find model data at" in failed(sagemaker.create_model, **given)["Error"]["Message"]


def test_an_artefact_that_the_role_may_not_read_is_no_model(hosting: Hosting) -> None:
    bucket = f"{hosting.bucket}-other"
    hosting.client("s3").create_bucket(Bucket=bucket)
    hosting.client("s3").put_object(Bucket=bucket, Key="m.tar.gz", Body=b"x")
    container = {"Image": PYTHON_IMAGE, "ModelDataUrl": f"s3://{bucket}/m.tar.gz"}
    error = failed(
        hosting.client("sagemaker").create_model,
        ModelName="m",
        PrimaryContainer=container,
        ExecutionRoleArn=hosting.role_arn,
    )["Error"]
    assert f"Could not access model data at s3://{bucket}/m.tar.gz" in error["Message"]
    assert hosting.role_arn in error["Message"]
    assert "s3:GetObject" in error["Message"]


def test_a_model_as_a_folder_is_shown_as_it_is(hosting: Hosting) -> None:
    s3 = hosting.client("s3")
    for key, body in {"weights": "folder", "code/inference.py": ECHO}.items():
        s3.put_object(Bucket=hosting.bucket, Key=f"folder/{key}", Body=body)
    source = {"S3Uri": f"s3://{hosting.bucket}/folder/", "S3DataType": "S3Prefix", "CompressionType": "None"}
    name = f"{hosting.bucket}-folder"
    hosting.client("sagemaker").create_model(
        ModelName=name,
        PrimaryContainer={"Image": PYTHON_IMAGE, "ModelDataSource": {"S3DataSource": source}},
        ExecutionRoleArn=hosting.role_arn,
    )
    assert hosting.invoke(hosting.endpoint({"ModelName": name})).startswith("folder ")


def test_containers_serve_on_over_the_death_of_the_server(own_hosting: Hosting) -> None:
    name = own_hosting.endpoint({"ModelName": own_hosting.model()})
    own_hosting.twin.kill()
    own_hosting.twin.start()
    assert own_hosting.describe(name)["EndpointStatus"] == "InService"
    assert own_hosting.invoke(name).startswith("w x")


class Load:
    """Clients that invoke an endpoint without a pause; `outcomes` counts what came of it."""

    def __init__(self, hosting: Hosting, name: str, clients: int = 2) -> None:
        self.outcomes: Counter[str] = Counter()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(hosting, name)) for _ in range(clients)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _run(self, hosting: Hosting, name: str) -> None:
        while not self._over.is_set():
            try:
                self.outcomes[hosting.invoke(name).split()[0]] += 1
            except ClientError as error:
                self.outcomes[str(error)] += 1


def test_an_instance_that_is_killed_is_replaced_and_no_request_fails(own_hosting: Hosting) -> None:
    name = own_hosting.endpoint({"ModelName": own_hosting.model(), "InitialInstanceCount": 2})
    with Load(own_hosting, name) as load:
        until(lambda: load.outcomes["w"] > 20)
        agents = instances(own_hosting)
        os.kill(agents[0], signal.SIGKILL)
        until(lambda: own_hosting.describe(name)["ProductionVariants"][0]["CurrentInstanceCount"] == 1)
        until(lambda: own_hosting.describe(name)["ProductionVariants"][0]["CurrentInstanceCount"] == 2)
        before = load.outcomes["w"]
        until(lambda: load.outcomes["w"] > before + 20)
    assert set(load.outcomes) == {"w"}


def test_an_update_puts_a_new_fleet_in_the_place_of_the_old_one_and_no_request_fails(hosting: Hosting) -> None:
    old, new = (hosting.model({"weights": each}) for each in ("old", "new"))
    broken = hosting.model(script="raise ValueError('not this one')")
    name = hosting.endpoint({"ModelName": old})
    sagemaker = hosting.client("sagemaker")
    with Load(hosting, name) as load:
        until(lambda: load.outcomes["old"] > 5)
        sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=hosting.config({"ModelName": broken}))
        again = failed(sagemaker.update_endpoint, EndpointName=name, EndpointConfigName="any-that-is-not-there")[
            "Error"
        ]
        assert "Cannot update in-progress endpoint" in again["Message"]
        described = hosting.wait(name)
        assert "not this one" in described["FailureReason"]
        assert load.outcomes["new"] == 0
        config = hosting.config({"ModelName": new, "InitialInstanceCount": 2})
        sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=config)
        described = hosting.wait(name)
        assert described["EndpointConfigName"] == config
        assert "FailureReason" not in described
        assert described["ProductionVariants"][0]["CurrentInstanceCount"] == 2
        before = load.outcomes["old"]
        until(lambda: load.outcomes["new"] > 5)
        assert load.outcomes["old"] <= before + 2
        scaled = [{"VariantName": "AllTraffic", "DesiredInstanceCount": 1}]
        sagemaker.update_endpoint_weights_and_capacities(EndpointName=name, DesiredWeightsAndCapacities=scaled)
        hosting.wait(name)
        before = load.outcomes["new"]
        until(lambda: load.outcomes["new"] > before + 5)
    assert set(load.outcomes) == {"old", "new"}
    assert hosting.describe(name)["ProductionVariants"][0]["DesiredInstanceCount"] == 1


def test_an_update_goes_on_over_the_death_of_the_server(own_hosting: Hosting) -> None:
    name = own_hosting.endpoint({"ModelName": own_hosting.model()})
    config = own_hosting.config({"ModelName": own_hosting.model({"weights": "new"}), "InitialInstanceCount": 2})
    own_hosting.client("sagemaker").update_endpoint(EndpointName=name, EndpointConfigName=config)
    own_hosting.twin.kill()
    own_hosting.twin.start()
    assert own_hosting.wait(name)["EndpointConfigName"] == config
    assert own_hosting.invoke(name).startswith("new x")


def test_a_request_that_ends_containers_is_told_so_and_they_are_replaced(hosting: Hosting) -> None:
    name = hosting.endpoint({"ModelName": hosting.model()})
    runtime = hosting.client("sagemaker-runtime")
    error = failed(runtime.invoke_endpoint, EndpointName=name, Body="exit", ContentType="text/csv")
    assert error["Error"]["Code"] == "ModelError"
    assert error["OriginalStatusCode"] == 0

    def answers() -> bool:
        try:
            return hosting.invoke(name).startswith("w x")
        except ClientError as refused:
            assert refused.response["Error"]["Code"] in ("ServiceUnavailable", "ModelError")
            return False

    until(answers, "another container")


def instances(hosting: Hosting) -> list[int]:
    """The agents of the instances that run now, by the processes of their folders."""
    import sqlite3

    with sqlite3.connect(f"file:{hosting.twin.home.twin_db}?mode=ro", uri=True) as database:
        rows = database.execute("SELECT pid FROM compute_instances WHERE pool_id LIKE 'endpoint-%'").fetchall()
    return [pid for (pid,) in rows]
