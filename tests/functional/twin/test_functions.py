"""Lambda functions: in the sandbox, as their role, with AWS's words for whatever they do."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.patience import PATIENCE_SECONDS

import trainworks
from trainworks.testing import TestTwin, temporary_twin

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}
ALLOWED = ["logs:*", "sts:*", "sqs:ListQueues"]

Make = Callable[..., str]
NOBODY = 65534


def archive(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        for name, text in files.items():
            opened.writestr(name, text)
    return buffer.getvalue()


def function_role(twin: TestTwin, name: str) -> str:
    iam = twin.client("iam")
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ALLOWED, "Resource": "*"}]}
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps(document))
    return str(arn)


@pytest.fixture(scope="module")
def role(twin: TestTwin) -> str:
    return function_role(twin, "functions-role")


@pytest.fixture
def make(twin: TestTwin, role: str, request: pytest.FixtureRequest) -> Make:
    """Makes a function of one source, or of several files; its name."""
    count = iter(range(1000))

    def make(source: str = "", files: dict[str, str] | None = None, **more: Any) -> str:
        name = f"{request.node.originalname}-{abs(hash(request.node.name)) % 10**6}-{next(count)}"[-64:]
        code = {"ZipFile": archive(files or {"index.py": source})}
        given = {"Runtime": "python3.11", "Handler": "index.handler", "Role": role, "Timeout": 20, "Code": code, **more}
        twin.client("lambda").create_function(FunctionName=name, **given)
        return name

    return make


def call(twin: TestTwin, name: str, event: Any = None, **more: Any) -> tuple[Any, str, str]:
    """(what it returned or its error document, the function error, the end of its log)."""
    payload = json.dumps(event).encode()
    answer = twin.client("lambda").invoke(FunctionName=name, Payload=payload, LogType="Tail", **more)
    log = base64.b64decode(answer.get("LogResult", "")).decode()
    return json.loads(answer["Payload"].read()), answer.get("FunctionError", ""), log


LOOK = """
import json, os, sys

def handler(event, context):
    found = {"variables": dict(os.environ), "folders": {}, "written": []}
    for folder in ("/var/task", "/opt", "/tmp", *event["hidden"]):
        try:
            found["folders"][folder] = sorted(os.listdir(folder))
        except OSError as error:
            found["folders"][folder] = type(error).__name__
    for folder in ("/var/task", "/opt", "/var/runtime", "/etc", "/usr", "/tmp"):
        try:
            with open(folder + "/written", "w") as file:
                file.write("x")
            found["written"].append(folder)
        except OSError:
            pass
    found["processes"] = sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
    found["modules"] = [name for name in ("boto3", "trainworks", "ministack") if __import__("importlib.util").util.find_spec(name)]
    found["privileges"] = open("/proc/self/status").read()
    return found
"""  # noqa: E501


def test_a_function_sees_its_own_and_nothing_of_the_twin(twin: TestTwin, make: Make) -> None:
    layer = twin.client("lambda").publish_layer_version(
        LayerName="words", Content={"ZipFile": archive({"python/words.py": "HELLO = 'hi'", "data/x.txt": "x"})}
    )["LayerVersionArn"]
    name = make(LOOK, Layers=[layer], Environment={"Variables": {"COLOUR": "red"}})
    home = str(twin.home.root)
    found, error, _ = call(twin, name, {"hidden": [home, str(Path.home())]})
    assert error == "", found
    assert found["folders"]["/var/task"] == ["index.py"]
    assert {"data", "python"} <= set(found["folders"]["/opt"])
    # In a clone below /tmp its interpreter and source are shown there, and nothing else.
    shown = {path.parts[2] for path in (Path(sys.prefix), Path(trainworks.__file__)) if path.parts[1] == "tmp"}
    assert set(found["folders"]["/tmp"]) <= shown
    assert found["folders"][home] in ([], "FileNotFoundError")
    assert ".aws" not in found["folders"][str(Path.home())]
    assert found["written"] == ["/tmp"]
    assert len(found["processes"]) == 2
    assert found["modules"] == ["boto3"]
    assert "NoNewPrivs:\t1" in found["privileges"]
    variables = found["variables"]
    root = twin.home.credentials()
    assert root.secret_access_key not in variables.values()
    assert variables["COLOUR"] == "red"
    assert variables["AWS_ENDPOINT_URL"] == twin.endpoint_url
    assert (variables["LAMBDA_TASK_ROOT"], variables["_HANDLER"]) == ("/var/task", "index.handler")
    own = {each for each in variables if not each.startswith(("AWS_", "LAMBDA_"))}
    assert own == {"COLOUR", "LANG", "LD_LIBRARY_PATH", "PATH", "PYTHONDONTWRITEBYTECODE", "TZ", "_HANDLER"}


def test_a_function_acts_as_its_role(twin: TestTwin, make: Make, role: str) -> None:
    source = """
import boto3
def handler(event, context):
    try:
        boto3.client("s3").list_buckets()
        buckets = "allowed"
    except Exception as error:
        buckets = type(error).__name__
    boto3.client("sqs").list_queues()
    return boto3.client("sts").get_caller_identity()["Arn"], buckets
"""
    name = make(source, Timeout=30)
    found, _, _ = call(twin, name)
    session = role.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/")
    assert found == [f"{session}/{name}", "AccessDenied"]


def test_a_warm_environment_keeps_what_it_knows_and_a_new_version_does_not(twin: TestTwin, make: Make) -> None:
    source = "count = 0\ndef handler(event, context):\n    global count\n    count += 1\n    return count\n"
    name = make(source)
    assert [call(twin, name)[0] for _ in range(3)] == [1, 2, 3]
    first, second = (call(twin, name)[2] for _ in range(2))
    assert "Init Duration" not in first + second
    twin.client("lambda").update_function_configuration(FunctionName=name, Environment={"Variables": {"AB": "b"}})
    found, _, log = call(twin, name)
    assert found == 1
    assert "Init Duration" in log


FAULTS: dict[str, tuple[str, str, str]] = {
    "raises": ("def handler(e, c):\n    raise KeyError('k')\n", "KeyError", "'k'"),
    "no module": ("import nowhere\n", "Runtime.ImportModuleError", "Unable to import module 'index': No module named"),
    "syntax": ("def handler(:\n", "Runtime.UserCodeSyntaxError", "Syntax error in module 'index'"),
    "import raises": ("1 / 0\n", "ZeroDivisionError", "division by zero"),
    "no handler": ("x = 1\n", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'index'"),
    "no JSON": ("def handler(e, c):\n    return {1}\n", "Runtime.MarshalError", "Unable to marshal response"),
    "not finite": (
        "def handler(e, c):\n    return float('nan')\n",
        "Runtime.MarshalError",
        "Unable to marshal response",
    ),
    "exits": ("import os\ndef handler(e, c):\n    os._exit(3)\n", "Runtime.ExitError", "exit status 3"),
    "leaves": ("import sys\ndef handler(e, c):\n    sys.exit(0)\n", "Runtime.ExitError", "without providing a reason"),
    "exits at import": ("import os\nos._exit(4)\n", "Runtime.ExitError", "exit status 4"),
    "too much memory": ("def handler(e, c):\n    bytearray(10**9)[:] = b'x' * 10**9\n", "Runtime.ExitError", "killed"),
    "too much shared memory": (
        "def handler(e, c):\n    open('/dev/shm/x', 'wb').write(b'x' * 60_000_000)\n    bytearray(90_000_000)[:] = b'x' * 90_000_000\n",  # noqa: E501
        "Runtime.ExitError",
        "killed",
    ),
    "too large": ("def handler(e, c):\n    return 'x' * 7_000_000\n", "Function.ResponseSizeTooLarge", "6291556"),
    "never returns": ("def handler(e, c):\n    while True: pass\n", "Sandbox.Timedout", "timed out after 2.00 seconds"),
    "junk to the twin": (
        "import os\ndef handler(e, c):\n    os.write(3, b'{' * 10**6)\n    os.write(3, b'{' * 10**6)\n",
        "Runtime.ExitError",
        "",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_a_function_does_has_awss_name_for_it(twin: TestTwin, make: Make, fault: str) -> None:
    source, kind, words = FAULTS[fault]
    found, error, log = call(twin, make(source, Timeout=2))
    assert error == "Unhandled"
    assert found["errorType"] == kind
    assert words in found["errorMessage"]
    assert log.startswith("INIT_START Runtime Version: python:3.")
    assert re.search(r"START RequestId: (\S+) Version: \$LATEST\n(?s:.*)END RequestId: \1\n", log)
    assert re.search(
        r"REPORT RequestId: \S+\tDuration: \d+\.\d\d ms\tBilled Duration: \d+ ms\tMemory Size: 128 MB", log
    )


def test_two_functions_of_the_same_code_are_strangers(twin: TestTwin, make: Make) -> None:
    source = "count = 0\ndef handler(e, c):\n    global count\n    count += 1\n    return [count, c.function_name]\n"
    first, second = make(source), make(source)
    assert [call(twin, first)[0] for _ in range(2)] == [[1, first], [2, first]]
    assert call(twin, second)[0] == [1, second]
    twin.client("lambda").delete_function(FunctionName=first)
    assert call(twin, second)[0] == [2, second]


def test_an_error_has_its_stack_and_names_the_line(twin: TestTwin, make: Make) -> None:
    found, _, log = call(twin, make("def inner():\n    raise ValueError('boom')\ndef handler(e, c):\n    inner()\n"))
    assert found["stackTrace"] == [
        '  File "/var/task/index.py", line 4, in handler\n    inner()\n',
        "  File \"/var/task/index.py\", line 2, in inner\n    raise ValueError('boom')\n",
    ]
    assert "[ERROR] ValueError: boom\nTraceback (most recent call last):\n" in log


def test_a_flood_and_what_is_left_running_harm_nobody(twin: TestTwin, make: Make) -> None:
    flood = make("def handler(e, c):\n    while True: print('y' * 100_000)\n", Timeout=2)
    forks = make(
        "import os, time\ndef handler(e, c):\n    for _ in range(20):\n        if os.fork() == 0:\n"
        "            while True: pass\n    return 'left'\n"
    )
    quick = make("def handler(e, c):\n    return 'quick'\n")
    assert call(twin, forks)[0] == "left"
    with ThreadPoolExecutor() as threads:
        flooded = threads.submit(call, twin, flood)
        assert [call(twin, quick)[0] for _ in range(5)] == ["quick"] * 5
        found, _, log = flooded.result()
    assert found["errorType"] == "Sandbox.Timedout"
    assert "the rest of the output is left out" in log
    assert call(twin, forks)[0] == "left"


def log_of(twin: TestTwin, name: str) -> list[str]:
    found = twin.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")
    return [event["message"] for event in found["events"]]


def test_what_it_printed_is_in_its_log_group_when_the_answer_is_there(twin: TestTwin, make: Make) -> None:
    name = make(
        "import logging\ndef handler(e, c):\n    print('first\\nsecond')\n"
        "    logging.getLogger().warning('third')\n    return c.log_stream_name\n"
    )
    stream, _, _ = call(twin, name)
    lines = log_of(twin, name)
    assert [line for line in lines if line in ("first", "second")] == ["first", "second"]
    assert any(re.fullmatch(r"\[WARNING\]\t\S+Z\t[0-9a-f-]{36}\tthird", line) for line in lines)
    streams = twin.client("logs").describe_log_streams(logGroupName=f"/aws/lambda/{name}")["logStreams"]
    assert [each["logStreamName"] for each in streams] == [stream]


def test_an_asynchronous_failure_is_its_own(twin: TestTwin, make: Make) -> None:
    name = make("def handler(e, c):\n    print('tried')\n    raise ValueError('no')\n")
    answer = twin.client("lambda").invoke(FunctionName=name, InvocationType="Event", Payload=b"{}")
    assert answer["StatusCode"] == 202
    queues = twin.client("sqs")
    deadline = time.monotonic() + PATIENCE_SECONDS
    tried: list[str] = []
    while time.monotonic() < deadline and not any("ValueError" in line for line in tried):
        queues.create_queue(QueueName=f"{name}-queue")
        groups = twin.client("logs").describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{name}")["logGroups"]
        tried = log_of(twin, name) if groups else []
        time.sleep(0.1)
    assert "tried" in tried


def test_a_function_that_calls_another_gets_its_answer(twin: TestTwin, make: Make) -> None:
    inner = make("def handler(e, c):\n    return e['n'] + 1\n")
    outer = make(
        "import boto3, json\ndef handler(e, c):\n"
        "    made = boto3.client('lambda').invoke(FunctionName=e['inner'], Payload=json.dumps({'n': 41}))\n"
        "    return json.load(made['Payload'])\n",
        Timeout=30,
    )
    twin.client("iam").put_role_policy(
        RoleName="functions-role",
        PolicyName="invoke",
        PolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "*"}],
            }
        ),
    )
    assert call(twin, outer, {"inner": inner})[0] == 42


def test_a_state_machine_gets_the_value_or_the_type_of_the_error(twin: TestTwin, make: Make) -> None:
    name = make(
        "class Broken(Exception): pass\ndef handler(e, c):\n    if e['fail']: raise Broken('no')\n    return '42'\n"
    )
    trust = json.dumps(TRUST).replace("lambda.amazonaws.com", "states.amazonaws.com")
    allow = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "*"}
    iam = twin.client("iam")
    role = iam.create_role(RoleName="functions-states", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    iam.put_role_policy(RoleName="functions-states", PolicyName="p", PolicyDocument=policy)
    arn = twin.client("lambda").get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    states = {
        "Call": {
            "Type": "Task",
            "Resource": arn,
            "End": True,
            "Catch": [{"ErrorEquals": ["Broken"], "Next": "Caught"}],
        },
        "Caught": {"Type": "Pass", "End": True},
    }
    client = twin.client("stepfunctions")
    definition = json.dumps({"StartAt": "Call", "States": states})
    machine = client.create_state_machine(name="functions", definition=definition, roleArn=role)["stateMachineArn"]

    def output(fail: bool) -> Any:
        execution = client.start_execution(stateMachineArn=machine, input=json.dumps({"fail": fail}))["executionArn"]
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (found := client.describe_execution(executionArn=execution))["status"] == "RUNNING":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return json.loads(found["output"])

    assert output(fail=False) == "42"
    caught = output(fail=True)
    assert caught["Error"] == "Broken"
    assert json.loads(caught["Cause"])["errorMessage"] == "no"


def test_a_runtime_that_this_machine_lacks_is_refused_by_name(twin: TestTwin, make: Make) -> None:
    name = make(files={"index.js": "exports.handler = async () => 1"}, Runtime="nodejs20.x")
    client = twin.client("lambda")
    with pytest.raises(client.exceptions.InvalidRuntimeException, match=r"runtime nodejs20\.x.*Fix: use python"):
        client.invoke(FunctionName=name)


def test_another_python_stands_in_and_says_so(twin: TestTwin, make: Make) -> None:
    _, _, log = call(twin, make("def handler(e, c):\n    return 1\n", Runtime="python3.13"))
    assert re.match(r"INIT_START Runtime Version: python:3\.\d+\.\d+ \(stands for python3\.13\)\n", log)


@pytest.mark.parametrize("payload", [b"{", b"NaN", b"\xff", b"{} {}"])
def test_an_event_that_is_no_json_is_refused(twin: TestTwin, make: Make, payload: bytes) -> None:
    name = make("def handler(e, c):\n    return e\n")
    client = twin.client("lambda")
    for kind in ("RequestResponse", "Event"):
        with pytest.raises(client.exceptions.InvalidRequestContentException, match="Could not parse request body"):
            client.invoke(FunctionName=name, Payload=payload, InvocationType=kind)


def test_an_event_is_any_json(twin: TestTwin, make: Make) -> None:
    name = make("def handler(e, c):\n    return e\n")
    for event in (None, 1, "text", [1, {"a": None}], {"\u00e9": "\u20ac"}, "x" * 500_000):
        assert call(twin, name, event)[0] == event


HOSTILE_ARCHIVES = {
    "out of the folder": "../../outside.py",
    "absolute": "/tmp/outside.py",
}


@pytest.mark.parametrize("kind", HOSTILE_ARCHIVES)
def test_an_archive_that_leads_out_of_its_folder_is_refused(twin: TestTwin, make: Make, kind: str) -> None:
    name = make(files={"index.py": "def handler(e, c):\n    return 1\n", HOSTILE_ARCHIVES[kind]: "x"})
    found, error, _ = call(twin, name)
    assert (error, found["errorType"]) == ("Unhandled", "InvalidZipFileException")
    assert HOSTILE_ARCHIVES[kind] in found["errorMessage"]


def missing(twin: TestTwin, role: str, code: dict[str, str]) -> ClientError:
    with pytest.raises(ClientError) as caught:
        twin.client("lambda").create_function(
            FunctionName="never", Runtime="python3.11", Handler="index.handler", Role=role, Code=code
        )
    return caught.value


def test_code_that_is_not_there_fails_the_call_and_the_stack(twin: TestTwin, role: str) -> None:
    twin.client("s3").create_bucket(Bucket="functions-code")
    nowhere = {"S3Bucket": "no-such-bucket-of-functions", "S3Key": "k"}
    no_key = {"S3Bucket": "functions-code", "S3Key": "k"}
    assert "S3 Error Code: NoSuchBucket" in str(missing(twin, role, nowhere))
    assert "S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist." in str(
        missing(twin, role, no_key)
    )
    properties = {"Runtime": "python3.11", "Handler": "index.handler", "Role": role, "Code": no_key}
    template = {"Resources": {"F": {"Type": "AWS::Lambda::Function", "Properties": properties}}}
    cloudformation = twin.client("cloudformation")
    cloudformation.create_stack(StackName="functions-missing", TemplateBody=json.dumps(template))
    settled(twin, "functions-missing")
    events = cloudformation.describe_stack_events(StackName="functions-missing")["StackEvents"]
    reasons = [each.get("ResourceStatusReason", "") for each in events if each["ResourceStatus"] == "CREATE_FAILED"]
    assert any("S3 Error Code: NoSuchKey" in reason for reason in reasons), reasons


def settled(twin: TestTwin, stack: str) -> str:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        status = str(twin.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"])
        if not status.endswith("IN_PROGRESS"):
            return status
        time.sleep(0.1)
    raise AssertionError(f"{stack} does not come to rest")


def custom_resource(role: str, source: str) -> str:
    code = {"Runtime": "python3.12", "Handler": "index.handler", "Code": {"ZipFile": source}, "Role": role}
    return json.dumps(
        {
            "Resources": {
                "F": {"Type": "AWS::Lambda::Function", "Properties": code},
                "C": {"Type": "Custom::Thing", "Properties": {"ServiceToken": {"Fn::GetAtt": ["F", "Arn"]}}},
            },
            "Outputs": {"Answer": {"Value": {"Fn::GetAtt": ["C", "Answer"]}}},
        }
    )


def test_a_custom_resource_with_inline_code_answers_by_cfnresponse(twin: TestTwin, role: str) -> None:
    source = (
        "import cfnresponse\ndef handler(event, context):\n"
        "    cfnresponse.send(event, context, cfnresponse.SUCCESS, {'Answer': '42'}, 'made-by-me')\n"
    )
    cloudformation = twin.client("cloudformation")
    cloudformation.create_stack(StackName="functions-custom", TemplateBody=custom_resource(role, source))
    assert settled(twin, "functions-custom") == "CREATE_COMPLETE"
    (stack,) = cloudformation.describe_stacks(StackName="functions-custom")["Stacks"]
    assert stack["Outputs"][0]["OutputValue"] == "42"
    resources = cloudformation.describe_stack_resources(StackName="functions-custom")["StackResources"]
    assert "made-by-me" in {each["PhysicalResourceId"] for each in resources}


def test_a_custom_resources_function_that_died_is_invoked_again(twin: TestTwin, role: str) -> None:
    source = (
        "import boto3, cfnresponse, os\ndef handler(event, context):\n"
        "    logs = boto3.client('logs')\n"
        "    try:\n        logs.create_log_group(logGroupName='/functions/died-once')\n"
        "    except logs.exceptions.ResourceAlreadyExistsException:\n"
        "        cfnresponse.send(event, context, cfnresponse.SUCCESS, {'Answer': 'second'})\n"
        "    else:\n        os._exit(1)\n"
    )
    body = custom_resource(role, source).replace('"Role"', '"Timeout": 30, "Role"')
    twin.client("cloudformation").create_stack(StackName="functions-again", TemplateBody=body)
    assert settled(twin, "functions-again") == "CREATE_COMPLETE"
    (stack,) = twin.client("cloudformation").describe_stacks(StackName="functions-again")["Stacks"]
    assert stack["Outputs"][0]["OutputValue"] == "second"


def test_a_failed_custom_resource_rolls_back_with_its_reason(twin: TestTwin, role: str) -> None:
    source = (
        "import cfnresponse\ndef handler(event, context):\n"
        "    status = cfnresponse.SUCCESS if event['RequestType'] == 'Delete' else cfnresponse.FAILED\n"
        "    cfnresponse.send(event, context, status, {}, reason='not today')\n"
    )
    cloudformation = twin.client("cloudformation")
    cloudformation.create_stack(StackName="functions-failed", TemplateBody=custom_resource(role, source))
    assert settled(twin, "functions-failed") == "ROLLBACK_COMPLETE"
    events = cloudformation.describe_stack_events(StackName="functions-failed")["StackEvents"]
    assert any("not today" in each.get("ResourceStatusReason", "") for each in events)


@pytest.fixture
def unsandboxed(monkeypatch: pytest.MonkeyPatch) -> Iterator[TestTwin]:
    monkeypatch.setenv("TRAINWORKS_SANDBOX", "off")
    with temporary_twin() as running:
        yield running


def test_without_namespaces_functions_run_all_the_same_and_it_is_said_once(unsandboxed: TestTwin) -> None:
    twin, role = unsandboxed, function_role(unsandboxed, "role")
    source = "import os, threading\ndef handler(e, c):\n    os.fork() or os.execv('/bin/sleep', ['sleep', '60'])\n    return os.getcwd()\n"  # noqa: E501
    twin.client("lambda").create_function(
        FunctionName="f",
        Runtime="python3.11",
        Handler="index.handler",
        Role=role,
        Code={"ZipFile": archive({"index.py": source})},
    )
    assert str(twin.home.root) in call(twin, "f")[0]
    call(twin, "f")
    assert twin.home.log_file.read_text().count("Lambda functions run without a sandbox") == 1


def test_functions_end_with_the_server_and_run_again_after_it(own_twin: TestTwin) -> None:
    twin, role = own_twin, function_role(own_twin, "role")
    source = "import os\ndef handler(e, c):\n    return os.readlink('/proc/self/ns/pid')\n"
    twin.client("lambda").create_function(
        FunctionName="f",
        Runtime="python3.11",
        Handler="index.handler",
        Role=role,
        Code={"ZipFile": archive({"index.py": source})},
    )
    namespace = call(twin, "f")[0]
    answer = "cfnresponse.send(event, context, cfnresponse.SUCCESS, {'Answer': '42'})"
    template = custom_resource(role, f"import cfnresponse\ndef handler(event, context):\n    {answer}\n")
    twin.client("cloudformation").create_stack(StackName="complete", TemplateBody=template)
    assert settled(twin, "complete") == "CREATE_COMPLETE"
    resources = stack_resources(twin)
    twin.kill()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and namespace in pid_namespaces():
        time.sleep(0.05)
    assert namespace not in pid_namespaces()
    twin.start()
    assert call(twin, "f")[0].startswith("pid:")
    assert settled(twin, "complete") == "CREATE_COMPLETE"
    assert stack_resources(twin) == resources


def stack_resources(twin: TestTwin) -> dict[str, str]:
    found = twin.client("cloudformation").describe_stack_resources(StackName="complete")["StackResources"]
    return {each["PhysicalResourceId"]: each["ResourceStatus"] for each in found}


def pid_namespaces() -> set[str]:
    found = set()
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                found.add(os.readlink(process / "ns" / "pid"))  # noqa: PTH115
            except OSError:
                continue
    return found


SUBSCRIBER = """
import base64, gzip, json
def handler(event, context):
    got = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
    print("got", got["logGroup"], got["logStream"], [each["message"] for each in got["logEvents"]])
"""


def test_a_subscription_filter_calls_the_function_that_lets_it(twin: TestTwin, make: Make) -> None:
    name, logs, functions = make(SUBSCRIBER), twin.client("logs"), twin.client("lambda")
    group = f"source-{name[-12:]}"
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    arn = functions.get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    asked = {"logGroupName": group, "filterName": "f", "filterPattern": "ERROR", "destinationArn": arn}
    with pytest.raises(ClientError, match="Make sure you have given CloudWatch Logs permission"):
        logs.put_subscription_filter(**asked)
    functions.add_permission(
        FunctionName=name, StatementId="logs", Action="lambda:InvokeFunction", Principal="logs.amazonaws.com"
    )
    logs.put_subscription_filter(**asked)
    events = [{"timestamp": int(time.time() * 1000), "message": text} for text in ("fine", "ERROR one", "ERROR two")]
    logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=events)

    def delivered() -> list[str]:
        try:
            found = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}", filterPattern="got")["events"]
        except logs.exceptions.ResourceNotFoundException:
            return []
        return [each["message"] for each in found]

    deadline = time.monotonic() + PATIENCE_SECONDS
    while not delivered() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert [line.strip() for line in delivered()] == [f"got {group} s ['ERROR one', 'ERROR two']"]
