"""`trainworks cost` as a user runs it, on templates that lie there; and how costs look."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from tests.unit.cli.test_main import run
from tests.unit.cost.counted import SHIPPED, idle, one, prices_of
from tests.unit.cost.price_list import price_list, product
from tests.unit.cost.test_job import DESCRIBED
from trainworks.cli import cost_view as view
from trainworks.cli import job_cost_view as job_view
from trainworks.cli.output import stdout
from trainworks.cost.bill import training_bill
from trainworks.cost.changes import compare
from trainworks.cost.money import Money
from trainworks.cost.price_files import refreshed_file

REFERENCE = str(Path(__file__).resolve().parents[2] / "reference" / "cdk.out")
TEMPLATE = """\
Resources:
  Key: {Type: AWS::KMS::Key, Properties: {}}
  Stream: {Type: AWS::Deadline::Farm, Properties: {}}
  Role: {Type: AWS::IAM::Role, Properties: {}}
"""


@pytest.fixture(autouse=True)
def _no_prices_of_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("COLUMNS", "160")


@pytest.fixture
def template(tmp_path: Path) -> str:
    path = tmp_path / "template.yaml"
    path.write_text(TEMPLATE)
    return str(path)


def test_the_reference_as_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("cost", "--template", REFERENCE) == 0
    drawn = capsys.readouterr().out
    assert "interface endpoint in 2 zones: 1,460 hours x $0.01" in drawn
    assert "total  $62.20 a month" in drawn
    assert "$98.70 with every notebook running day and night" in drawn
    assert "unknown" not in drawn.replace("at an unknown price", "")


def test_a_running_notebook_is_in_the_total(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("cost", "--template", REFERENCE, "--notebook-hours", "160", "-o", "json") == 0
    record = json.loads(capsys.readouterr().out)
    assert record["total"] == {"low": "70.2", "high": "70.2"}
    assert record["stacks"]["SageMakerStack"] == {"low": "8.7", "high": "8.7"}


def test_unknown_resources_are_counted_and_named(template: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("cost", "--template", template) == 0
    drawn = capsys.readouterr().out
    assert "unknown: 1 resource (Stream), not in the total" in drawn
    assert "total  at least $1.00 a month" in drawn
    assert "IAM is free" not in drawn
    assert run("cost", "--template", template, "--all") == 0
    assert "IAM is free" in capsys.readouterr().out


def test_a_parameter_of_the_template_decides_what_is_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(
        "Parameters: {Size: {Type: Number}}\n"
        "Resources: {Disk: {Type: AWS::EC2::Volume, Properties: {VolumeType: gp3, Size: !Ref Size}}}\n"
    )
    assert run("cost", "--template", str(path)) == 0
    assert "unknown: 1 resource (Disk)" in capsys.readouterr().out
    assert run("cost", "--template", str(path), "--parameter", "Size=100") == 0
    drawn = capsys.readouterr().out
    assert "total  $8.00 a month" in drawn
    assert "unknown" not in drawn


def test_two_platforms_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    pair = view.Comparison(
        "one", idle({"A": ("AWS::KMS::Key", {})}), "other", idle({"B": ("AWS::CloudWatch::Dashboard", {})})
    )
    record = view.comparison_record(pair)
    assert record["difference"] == {"low": "2", "high": "2"}
    stdout().print(view.comparison_text(pair))
    assert "+$2.00" in capsys.readouterr().out


def test_prices_of_the_users_go_before(template: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'region = "us-east-1"\ncurrency = "USD"\n[sources.us]\ntitle = "our contract"\npublished = 2026-01-01\n'
        '[[prices]]\nunit = "key-month"\nsource = "us"\n[prices.figures]\n"kms.key" = "0.80"\n'
    )
    assert run("cost", "--template", template, "--prices", str(path), "-o", "json") == 0
    assert json.loads(capsys.readouterr().out)["total"]["low"] == "0.8"
    path.write_text(path.read_text().replace("key-month", "hour"))
    assert run("cost", "--template", template, "--prices", str(path)) == 2
    said = capsys.readouterr().err
    assert "kms.key: has the unit 'hour'; its unit is 'key-month'" in said
    assert "fix:" in said


def test_a_region_without_prices_says_which_and_how_to_get_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What costs the same in all regions is known there too."""
    path = tmp_path / "template.yaml"
    path.write_text(TEMPLATE + "  Nat: {Type: AWS::EC2::NatGateway}\n  Board: {Type: AWS::CloudWatch::Dashboard}\n")
    assert run("cost", "--template", str(path), "--region", "sa-east-1") == 0
    printed = capsys.readouterr()
    assert "trainworks cost refresh --region sa-east-1" in printed.err
    assert "no price in sa-east-1 of vpc.nat_gateway\n" in printed.err
    assert "total  at least $4.00 a month" in printed.out


def test_into_a_pipe_goes_one_record_a_line_with_nothing_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    name = "ANameThatIsMuchLongerThanWhatIsLeftOfALineOfFortyColumns"
    path = tmp_path / "template.yaml"
    path.write_text(
        f"Resources: {{{name}: {{Type: AWS::SageMaker::NotebookInstance, Properties: {{InstanceType: ml.g5.xlarge}}}}}}"
    )
    assert run("cost", "--template", str(path)) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert sum(name in line for line in lines) == 4
    assert f"$0.70 {name} AWS::SageMaker::NotebookInstance volume of 5 GB: 5 GB-months x $0.14" in lines
    assert f"(+$1,029.30) {name} AWS::SageMaker::NotebookInstance more when it never stops, at its limit" in lines
    assert f"$1,029.30 more when nothing ever stops and all is at its limit: {name} $1,029.30" in lines


def test_what_the_price_list_is_not_asked_for_has_another_fix(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(
        "Resources: {Nodes: {Type: AWS::EKS::Nodegroup, Properties: {CapacityType: SPOT, InstanceTypes: [g5.xlarge]}}}"
    )
    assert run("cost", "--template", str(path)) == 0
    said = capsys.readouterr().err
    assert "no price in us-east-1 of ec2.spot.g5.xlarge\n  fix: write it in a file of your own" in said
    assert "refresh" not in said


def test_what_is_not_known_makes_the_total_a_least_one(template: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("cost", "--template", template, "-o", "json") == 0
    record = json.loads(capsys.readouterr().out)
    assert record["at_least"] is True
    assert record["unknown"] == ["Stream"]
    assert record["more_at_most"] == {"low": "0", "high": "0"}


def test_several_templates_and_what_is_nested_in_them_are_counted_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = "Resources: {Key: {Type: AWS::KMS::Key}}"
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "child.yaml").write_text(key)
        (tmp_path / folder / "main.yaml").write_text(
            "Resources:\n  Key: {Type: AWS::KMS::Key}\n"
            "  Child: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: child.yaml}}\n"
        )
    one, two = (str(tmp_path / folder / "main.yaml") for folder in ("one", "two"))
    assert run("cost", "--template", one, "--template", two, "-o", "json") == 0
    record = json.loads(capsys.readouterr().out)
    assert record["total"]["low"] == "4"
    assert record["at_least"] is False
    assert len(record["stacks"]) == 4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--template", "nowhere.json"], "nowhere.json: does not exist"),
        (["--env", "nobody"], "environment 'nobody' is not defined"),
        (["--template", REFERENCE, "--compare", "nobody"], "environment 'nobody' is not defined"),
        (["--notebook-hours", "800"], "744"),
        (["job", "nowhere.toml"], "nowhere.toml"),
        (["--template", REFERENCE, "--parameter", "Name"], "--parameter 'Name': expected NAME=VALUE"),
        (["--template", REFERENCE, "--parameter", "Nobody=a"], "there is no parameter 'Nobody'"),
        (["--parameter", "Name=a"], "--parameter is for --template"),
    ],
)
def test_bad_requests_are_named(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("cost", *arguments) == 2
    assert said in capsys.readouterr().err


def test_a_job_spec_has_an_upper_bound(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = tmp_path / "train.toml"
    spec.write_text('[training_job]\nscript = "train.py"\nmax_runtime_seconds = 36000\n')
    assert run("cost", "job", str(spec)) == 0
    drawn = capsys.readouterr().out
    assert "$0.115" in drawn
    assert "on demand: at most $1.21" in drawn
    assert "spot: at most $1.21" in drawn
    assert "never above the on-demand price" in drawn.replace("\n", " ")
    spec.write_text('[batch_job]\ncommand = ["true"]\ntimeout_seconds = 3600\nretries = 0\n')
    assert run("cost", "job", str(spec), "-o", "json") == 0
    assert json.loads(capsys.readouterr().out)["at_most"]["on demand"] == {"low": "0.048", "high": "0.048"}


def test_refresh_writes_a_price_file_that_is_used(
    template: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    key = product("awskms", "us-east-1-KMS-Keys", "Keys", ("0", "0.9000000000"), regionCode="us-east-1")
    with price_list(key) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_PRICING", server.endpoint_url)
        assert run("cost", "refresh") == 0
    assert str(refreshed_file("us-east-1")) in capsys.readouterr().out
    assert run("cost", "--template", template, "-o", "json") == 0
    assert json.loads(capsys.readouterr().out)["total"]["low"] == "0.9"


def test_refresh_of_a_region_that_is_none_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    with price_list() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_PRICING", server.endpoint_url)
        assert run("cost", "refresh", "--region", "xx-nowhere-9") == 2
    assert "nothing for region 'xx-nowhere-9'" in capsys.readouterr().err
    assert not refreshed_file("xx-nowhere-9").exists()


def test_what_spot_saved_is_told_in_percent_and_money() -> None:
    bill = training_bill(DESCRIBED, SHIPPED)
    assert bill is not None
    assert job_view.saved_sentence(bill) == "spot saved 70.0 %, $0.16"
    unpriced = training_bill(DESCRIBED, prices_of({}))
    assert unpriced is not None
    assert job_view.saved_sentence(unpriced) == "spot saved 70.0 %"


def test_the_twin_says_that_it_cost_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    bill = training_bill(DESCRIBED, SHIPPED)
    assert bill is not None
    stdout().print(job_view.bill_text(bill, is_twin=True))
    assert "digits: on AWS this would have cost $0.08" in capsys.readouterr().out


def test_changes_are_told_beside_each_change_and_in_all() -> None:
    changes = compare(idle({"A": ("AWS::KMS::Key", {})}), idle({"B": ("AWS::Deadline::Farm", {})}))
    assert view.change_label(changes.at("A")) == "-$1.00 a month"
    assert view.change_label(changes.at("B")) == "cost unknown"
    assert view.change_label(None) == ""
    assert view.changes_sentence(changes) == (
        "monthly cost when idle: $1.00 -> at least $0.00 (-$1.00); 1 resource has no known cost"
    )


def test_a_charge_by_use_has_its_unit_price() -> None:
    (storage, *_) = one("AWS::S3::Bucket").charges
    assert view.price_by_use(storage) == "storage, Standard $0.023 a GB-month"


def test_signs() -> None:
    assert view.signed(Money.exactly(3)) == "+$3.00"
    assert view.signed(Money.exactly("-0.5")) == "-$0.50"
    assert view.signed(Money.exactly(Decimal(0))) == ""
