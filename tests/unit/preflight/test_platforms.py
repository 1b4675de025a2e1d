"""Whole platforms as teams write them: each error is something that fails, and each fault that is built in is found."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from trainworks.assembly.graph import build
from trainworks.assembly.template_files import Sources, StackSource, load_sources
from trainworks.preflight.checker import check
from trainworks.preflight.finding import Finding
from trainworks.preflight.settings import CheckSettings

FOLDER = Path(__file__).parent / "platforms"
Template = dict[str, Any]


def template(name: str) -> Template:
    (source,) = load_sources(next(FOLDER.glob(f"{name}.*"))).stacks
    found: Template = copy.deepcopy(source.templates[()])
    return found


def errors(body: Template) -> list[Finding]:
    graph = build(Sources((StackSource("platform", {(): body}),)))
    return [each for each in check(graph, CheckSettings()).findings if each.is_error]


WHAT_FAILS: dict[str, set[tuple[str, str]]] = {
    # Lambda refuses a mapping of a queue whose messages come back while the function works.
    "captions": {("TW36", "Work")},
    # Records that fail go below errors/, and every record goes through the function.
    "events": {("TW24", "Role")},
    "pipeline": set(),
    # The topic's own policy lets in nobody but the account; the job is submitted by its definition, too.
    "scoring": {("TW17", "Topic"), ("TW24", "SubmitRole")},
    "service": set(),
}


@pytest.mark.parametrize("name", WHAT_FAILS)
def test_errors_are_what_fails(name: str) -> None:
    assert {(each.code, each.place) for each in errors(template(name))} == WHAT_FAILS[name]


def _statements(body: Template) -> Iterator[tuple[list[Any], Any]]:
    """Each statement of a policy of a role, with the list that it is in."""
    for resource in body["Resources"].values():
        properties = resource.get("Properties", {})
        documents = [properties.get("PolicyDocument")] if resource["Type"] == "AWS::IAM::Policy" else []
        documents += [each["PolicyDocument"] for each in properties.get("Policies", []) if "PolicyDocument" in each]
        for document in documents:
            for statement in list(document["Statement"]):
                yield document["Statement"], statement


def _without(action: str) -> Callable[[Template], None]:
    def take(body: Template) -> None:
        for statements, statement in _statements(body):
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            if action in actions:
                statements.remove(statement)
                rest = [each for each in actions if each != action] or ["xray:PutTraceSegments"]
                statements.append({**statement, "Action": rest})

    return take


def _mentions_bucket(body: Template) -> None:
    body["Resources"]["OnUpload"]["Properties"]["Environment"]["Variables"]["BUCKET"] = {"Ref": "Uploads"}


def _closed_subnets(body: Template) -> None:
    del body["Resources"]["Default"]


BUILT_IN: list[tuple[str, Callable[[Template], None], str, str]] = [
    ("service", _without("secretsmanager:GetSecretValue"), "TW24", "secretsmanager:GetSecretValue"),
    ("service", _without("iam:PassRole"), "TW24", "iam:PassRole"),
    ("service", _without("ecs:RunTask"), "TW24", "ecs:RunTask"),
    ("service", _without("ecr:BatchGetImage"), "TW24", "ecr:BatchGetImage"),
    ("service", _without("events:PutRule"), "TW24", "events:PutRule"),
    ("service", _without("states:StartExecution"), "TW24", "states:StartExecution"),
    ("service", _without("batch:SubmitJob"), "TW24", "batch:SubmitJob"),
    ("pipeline", _without("s3:PutObject"), "TW24", "s3:PutObject"),
    ("pipeline", _without("kms:Decrypt"), "TW25", "kms:Decrypt"),
    ("pipeline", _without("ec2:CreateNetworkInterface"), "TW02", "ec2:CreateNetworkInterface"),
    ("pipeline", _without("sagemaker:StartPipelineExecution"), "TW24", "sagemaker:StartPipelineExecution"),
    ("events", _without("kinesis:GetRecords"), "TW24", "kinesis:GetRecords"),
    ("captions", _mentions_bucket, "TW00", "OnUpload"),
    ("scoring", _closed_subnets, "TW10", "Environment"),
]


@pytest.mark.parametrize(("name", "spoil", "code", "said"), BUILT_IN, ids=[f"{each[0]} {each[3]}" for each in BUILT_IN])
def test_what_is_built_in_is_found(name: str, spoil: Callable[[Template], None], code: str, said: str) -> None:
    body = template(name)
    before = {each.message for each in errors(body)}
    spoil(body)
    found = [each for each in errors(body) if each.message not in before]
    assert code in {each.code for each in found}
    assert any(said in f"{each.place} {each.message}" for each in found if each.code == code)
