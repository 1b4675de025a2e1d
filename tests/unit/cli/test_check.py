"""`trainworks check` as a user types it, on templates that need no synthesis."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli.test_main import run
from trainworks.preflight.rules import OWN_RULES, RULES

REFERENCE = Path(__file__).parents[2] / "reference" / "cdk.out"
CLEAN = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}
STAGED = {
    "Stage": {"Type": "String", "AllowedValues": ["dev", "prod"]},
    "Zones": {"Type": "CommaDelimitedList", "AllowedValues": ["a", "b"]},
    "Size": {"Type": "Number", "AllowedValues": [1, 2]},
}
FAULTY = {"Resources": {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "models"}}}}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def written(content: object, name: str = "t.json") -> str:
    Path(name).write_text(content if isinstance(content, str) else json.dumps(content))
    return name


def check(*arguments: str, scanners: bool = False) -> int:
    return run("check", *([] if scanners else ["--no-scanners"]), *arguments)


def test_a_clean_template(capsys: pytest.CaptureFixture[str]) -> None:
    assert check("--template", written(CLEAN)) == 0
    assert f"t.json: no errors, no warnings  (1 resource, {OWN_RULES} rules" in capsys.readouterr().out
    assert {rule.code for rule in RULES} == {f"TW{number:02}" for number in range(OWN_RULES + 1)}


def test_a_finding_says_code_place_value_reason_and_fix(capsys: pytest.CaptureFixture[str]) -> None:
    assert check("--template", written(FAULTY)) == 1
    told = capsys.readouterr().out
    for part in (
        "error TW20  looks for: a name that is unique",
        "Bucket  AWS::S3::Bucket",
        "is   models",
        "must be unique worldwide",
        "fix  leave out",
    ):
        assert part in told


def test_what_is_wrong_alike_at_many_places_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = {"Version": "2012-10-17", "Statement": [trust]}
    role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": document}}
    template = written({"Resources": {f"Role{number:02}": role for number in range(30)}})
    assert check("--template", template) == 0
    told = capsys.readouterr().out
    assert "no errors, 1 warning at 30 places" in told
    assert told.count("AWS::IAM::Role") == 4
    assert "and 26 more, which --output json names" in told
    assert check("--template", template, "--output", "json") == 0
    found = json.loads(capsys.readouterr().out)["findings"]
    assert {each["place"] for each in found} == {f"Role{number:02}" for number in range(30)}
    assert check("--template", template, "--update-baseline", "--reason", "within the account") == 0
    assert "no errors, no warnings" in capsys.readouterr().out


def test_the_reference_as_data(capsys: pytest.CaptureFixture[str]) -> None:
    assert check("--template", str(REFERENCE), "--production", "--output", "json") == 1
    report = json.loads(capsys.readouterr().out)
    assert report["errors"] == sum(each["severity"] == "error" for each in report["findings"])
    assert {"TW01", "TW02", "TW08", "TW21"} <= {each["code"] for each in report["findings"]}
    first = report["findings"][0]
    assert first.keys() >= {"code", "severity", "place", "resource_type", "logical_id", "message", "value", "fix"}


def test_the_reference_as_sarif(capsys: pytest.CaptureFixture[str]) -> None:
    assert check("--template", str(REFERENCE), "--output", "sarif") == 1
    (made,) = json.loads(capsys.readouterr().out)["runs"]
    assert {each["ruleId"] for each in made["results"]} >= {"TW01", "TW02"}


def test_only_and_ignore(capsys: pytest.CaptureFixture[str]) -> None:
    assert check("--template", str(REFERENCE), "--only", "TW04", "--output", "json") == 0
    assert {each["code"] for each in json.loads(capsys.readouterr().out)["findings"]} == {"TW04"}
    assert check("--template", written(FAULTY), "--ignore", "TW20") == 0


def test_parameters_and_region_of_a_template() -> None:
    name = {"Fn::Sub": "${Name}-${AWS::AccountId}-${AWS::Region}"}
    bucket = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": name}}
    template = written({"Parameters": {"Name": {"Type": "String"}}, "Resources": {"Bucket": bucket}})
    assert check("--template", template, "--parameter", "Name=models", "--region", "eu-west-1") == 0
    assert check("--template", template, "--parameter", f"Name={'m' * 60}") == 1


def test_values_that_a_template_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAINWORKS_ENV", "elsewhere")
    template = written({"Parameters": STAGED, **CLEAN})
    values = ("--parameter", "Stage=dev", "--parameter", "Zones=b, a", "--parameter", "Size=2")
    assert check("--template", template, *values) == 0


def test_an_environment_without_an_account_needs_no_credentials(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "none")
    monkeypatch.setenv("AWS_CONFIG_FILE", "none")
    written('[environments.dev]\nprofile = "dev"\nregion = "eu-west-1"\n', "trainworks.toml")
    assert check("--env", "dev") == 0
    assert "trainworks-dev: no errors" in capsys.readouterr().out


def test_a_single_template_cannot_state_termination_protection(capsys: pytest.CaptureFixture[str]) -> None:
    assert check("--template", written(CLEAN), "--production") == 0
    assert "no errors, no warnings" in capsys.readouterr().out


def test_one_reason_for_everything_that_stands(capsys: pytest.CaptureFixture[str]) -> None:
    bucket = FAULTY["Resources"]["Bucket"]
    template = written({"Resources": {f"Bucket{n}": bucket for n in range(40)}})
    assert check("--template", template, "--update-baseline", "--baseline", "b.toml") == 1
    assert check("--template", template, "--baseline", "b.toml") == 2
    assert len(capsys.readouterr().err.splitlines()[-2]) < 300
    reasoned = ("--template", template, "--baseline", "b.toml", "--update-baseline", "--reason", 'as "it" was')
    assert check(*reasoned) == 0
    assert "0 entries added" in capsys.readouterr().err
    assert check("--template", template, "--baseline", "b.toml", "-o", "json") == 0
    told = json.loads(capsys.readouterr().out)
    assert {each["reason"] for each in told["accepted"]} == {'as "it" was'}
    assert len(told["accepted"]) == 40


def test_a_check_that_fails_leaves_the_baseline_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    template = written(FAULTY)
    text = "[[accepted]]\r\ncode = 'TW20'\r\nplace = 'Bucket'\r\nreason = ''\r\ndate = 2026-01-31\r\n"
    Path("b.toml").write_bytes(text.encode())
    arguments = ("--template", template, "--baseline", "b.toml", "--update-baseline", "--reason", "known")

    def broken(*_: object) -> None:
        raise RuntimeError("the check broke off")

    with monkeypatch.context() as patched:
        patched.setattr("trainworks.application.checking.by_rules", broken)
        assert check(*arguments) == 1
        assert Path("b.toml").read_bytes() == text.encode()
    assert check(*arguments) == 0
    assert Path("b.toml").read_bytes() == text.replace("''", '"known"').encode()
    assert {each.name for each in Path().iterdir()} == {"t.json", "b.toml"}


def test_a_baseline_that_takes_no_entry_is_left_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    written("accepted = []\n", "b.toml")
    assert check("--template", written(FAULTY), "--baseline", "b.toml", "--update-baseline") == 2
    assert "b.toml: no entry can be added" in capsys.readouterr().err
    assert Path("b.toml").read_text() == "accepted = []\n"


@pytest.mark.parametrize("arguments", [("--reason", "x"), ("--update-baseline", "--reason", " ")])
def test_a_reason_belongs_to_an_update(arguments: tuple[str, ...]) -> None:
    assert check("--template", written(FAULTY), *arguments) == 2


@pytest.mark.parametrize(("fail_on", "faulty", "warned"), [("error", 1, 0), ("warning", 1, 1), ("never", 0, 0)])
def test_from_which_severity_on_it_fails(fail_on: str, faulty: int, warned: int) -> None:
    notebook = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": {"Fn::Sub": "data-${AWS::AccountId}"}}}
    warning = written({"Resources": {"Bucket": notebook}}, "warned.json")
    assert check("--template", written(FAULTY), "--fail-on", fail_on) == faulty
    assert check("--template", warning, "--fail-on", fail_on) == warned


def test_all_entries_without_a_reason_are_named_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    bucket = FAULTY["Resources"]["Bucket"]
    template = written({"Resources": {"A": bucket, "B": bucket}})
    assert check("--template", template, "--update-baseline", "--baseline", "b.toml") == 1
    capsys.readouterr()
    assert check("--template", template, "--baseline", "b.toml") == 2
    told = capsys.readouterr().err
    assert "(TW20 at A)" in told
    assert "(TW20 at B)" in told


def test_quotas_of_ones_own() -> None:
    vpcs = {f"Vpc{n}": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}} for n in range(6)}
    template = written({"Resources": vpcs})
    quotas = written(
        '[vpcs]\nlimit = 9\nadjustable = true\nwhat = "VPCs"\nsource = "raised"\nchecked = 2026-02-01\n', "q.toml"
    )
    baseline = written("", "empty.toml")
    assert check("--template", template, "--quotas", quotas, "--baseline", baseline) == 0


def test_a_baseline_beside_the_configuration_accepts(capsys: pytest.CaptureFixture[str]) -> None:
    template = written(FAULTY)
    Path("trainworks-baseline.toml").write_text(
        '[[accepted]]\ncode = "TW20"\nplace = "*"\nreason = "one account only"\ndate = 2026-01-31\n'
    )
    assert check("--template", template) == 0
    assert "1 accepted" in capsys.readouterr().out
    assert check("--template", template, "--baseline", written("", "none.toml")) == 1


def test_a_new_baseline_needs_its_reasons_filled_in(capsys: pytest.CaptureFixture[str]) -> None:
    template = written(FAULTY)
    assert check("--template", template, "--update-baseline", "--baseline", "b.toml") == 1
    assert "1 entry added" in capsys.readouterr().err
    assert check("--template", template, "--baseline", "b.toml") == 2
    assert "TW20 at Bucket) has no reason" in capsys.readouterr().err
    Path("b.toml").write_text(Path("b.toml").read_text().replace('reason = ""', 'reason = "known"'))
    assert check("--template", template, "--baseline", "b.toml") == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--template", "none.json"), "none.json: does not exist"),
        (("--template", "broken.json"), "broken.json:2: not valid JSON"),
        (("--template", "broken.yaml"), "broken.yaml"),
        (("--template", "."), "is not a cloud assembly"),
        (("--template", "t.json", "--parameter", "Name"), "--parameter 'Name': expected NAME=VALUE"),
        (("--template", "t.json", "--only", "TW99"), "there is no rule TW99"),
        (("--template", "t.json", "--baseline", "none.toml"), "none.toml"),
        (("--template", "t.json", "--quotas", "none.toml"), "none.toml"),
        (("--template", "t.json", "--baseline", "none.toml"), "none.toml: cannot be read: No such file or directory"),
        (("--template", "t.json", "--parameter", "Nme=a"), "there is no parameter 'Nme' in the template t"),
        (("--template", "staged.json", "--parameter", "Stage=nowhere"), "fix: one of dev, prod"),
        (("--template", "staged.json", "--parameter", "Zones=a,c"), "parameter 'Zones' may not be 'a,c'"),
        (("--template", "t.json", "--region", "nowhere"), "the region is 'nowhere'; allowed: an AWS region"),
        (("--template", "t.json", "--region", "eu-west-11"), "did you mean eu-west-1"),
        (("--template", "t.json", "--env", "local"), "--env and --template are two things to check"),
        (("--parameter", "Name=a"), "--parameter and --region are for --template"),
        (("--env", "nowhere"), "environment 'nowhere' is not defined"),
    ],
)
def test_a_wrong_request_is_named(arguments: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    written(CLEAN)
    written({"Parameters": STAGED, **CLEAN}, "staged.json")
    written('{"Resources":\n', "broken.json")
    written("Resources: [a: }", "broken.yaml")
    assert check(*arguments) == 2
    told = capsys.readouterr()
    assert says in told.err
    assert "Traceback" not in told.err


@pytest.mark.parametrize(
    ("resources", "says"),
    [
        ({"A": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": {"Ref": "None"}}}}, "refers to 'None'"),
        ({"A": {"Type": "AWS::SNS::Topic", "DependsOn": "A"}}, "depends on itself"),
        ({"A": {"Type": "AWS::SNS::Topik"}}, "its type does not exist"),
    ],
)
def test_what_cloudformation_would_refuse_is_a_finding(
    resources: dict[str, object], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check("--template", written({"Resources": resources})) == 1
    told = capsys.readouterr().out
    assert "error TW00" in told
    assert says in told


def test_cfn_lint_reports_into_the_same_list(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": 5000}}}}
    assert check("--template", written(wrong), "--output", "json", scanners=True) == 1
    report = json.loads(capsys.readouterr().out)
    (found,) = [each for each in report["findings"] if each["code"].startswith("cfn-lint/")]
    assert (found["code"], found["place"]) == ("cfn-lint/E3034", "Queue")
