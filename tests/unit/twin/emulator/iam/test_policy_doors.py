"""Every door that takes a policy document is known: read from botocore's models and AWS's resource schemas."""

from __future__ import annotations

import importlib.util
import inspect
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from botocore.model import ListShape, MapShape, OperationModel, Shape

from trainworks.assembly.schemas import Schema, schema
from trainworks.aws.iam.policy_places import TYPES
from trainworks.twin.emulator.iam.policy_documents import OPERATIONS
from trainworks.twin.emulator.members import ledger, reading
from trainworks.twin.emulator.services import BOTOCORE_NAMES, SERVICES, offers_type
from trainworks.twin.fidelity import recorded_types, table
from trainworks.twin.resources import registry
from trainworks.twin.wire.models import service_model

_NAMED = re.compile(r"(polic(y|ies)(document|text|body)?|policydocument|policyinputlist)$", re.IGNORECASE)

NO_IAM_DOCUMENT = {
    "batch RegisterJobDefinition": "policies of Kubernetes",
    "cloudformation": "a stack policy has a language of its own",
    "ecr PutLifecyclePolicy": "rules of expiry",
    "iam Simulate": "read by the simulator, stored nowhere",
    "iam GetContextKeys": "read by the simulator, stored nowhere",
    "logs PutAccountPolicy": "rules of Logs",
    "logs PutDataProtectionPolicy": "rules of Logs",
    "logs PutIndexPolicy": "rules of Logs",
    "sns CreateTopic DataProtectionPolicy": "rules of data protection",
    "ssm PutParameter": "rules of expiry",
    "AWS::Batch::JobDefinition": "policies of Kubernetes",
    "AWS::ECR::Repository LifecyclePolicy": "rules of expiry",
    "AWS::Logs::LogGroup DataProtectionPolicy": "rules of Logs",
    "AWS::SNS::Subscription": "filters and retries",
    "AWS::SNS::Topic": "archives and data protection",
    "AWS::SSM::Parameter": "rules of expiry",
    "AWS::SQS::Queue RedriveAllowPolicy": "a list of queues",
}


# Verified Access of EC2 is written in Cedar.
def _explained(name: str) -> bool:
    return "VerifiedAccess" in name or any(name.startswith(each) for each in NO_IAM_DOCUMENT)


def test_every_operation_that_takes_a_document_checks_it() -> None:
    found = set(_operations())
    assert {"iam PutRolePolicy PolicyDocument", "sts AssumeRole Policy", "kms PutKeyPolicy Policy"} <= found
    known = {f"{action.replace(':', ' ')} {'.'.join(place.path)}" for action, place in OPERATIONS.items()}
    assert {each for each in found - known if not _explained(each)} == set()


def test_every_type_that_takes_a_document_checks_it() -> None:
    found = set(_types())
    assert {"AWS::S3::BucketPolicy PolicyDocument", "AWS::IAM::Role Policies.PolicyDocument"} <= found
    known = {f"{name} {'.'.join(place.path)}" for name, places in TYPES.items() for place in places}
    assert {each for each in found - known if not _explained(each)} == set()


def _operations() -> Iterator[str]:
    ours = {(entry.service, entry.operation) for entry in table() if entry.fidelity != "refused"}
    ministacks = {(scope, name) for scope in SERVICES if scope != "s3" for name in ledger.served_operations(scope)}
    for scope, name in sorted(ours | ministacks):
        if scope == "s3":
            continue
        operation = service_model(BOTOCORE_NAMES.get(scope, scope)).operation_model(name)
        for path, _ in reading.paths(operation):
            shape = _shape(operation, path)
            free = shape.type_name == "string" and not shape.metadata.get("enum")
            if free and _NAMED.search(path.rpartition(".")[2]):
                yield f"{scope} {name} {path}"


def _shape(operation: OperationModel, path: str) -> Shape:
    shape: Any = operation.input_shape
    for part in path.split("."):
        shape = _inner(shape).members[part]
    return _inner(shape)


def _inner(shape: Any) -> Any:
    while isinstance(shape, ListShape | MapShape):
        shape = shape.member if isinstance(shape, ListShape) else shape.value
    return shape


def _types() -> Iterator[str]:
    for name in sorted(_executed()):
        found = schema(name)
        if found is not None:
            yield from (f"{name} {path}" for path in _properties(found, found.body, "", 0))


def _executed() -> set[str]:
    """The types that ministack makes and those that the twin makes itself."""
    spec = importlib.util.find_spec("ministack.services.cloudformation.provisioners")
    assert spec is not None
    assert spec.origin is not None
    files = [Path(spec.origin), *Path(inspect.getfile(registry)).parent.glob("*.py")]
    named = {name for file in files for name in re.findall(r'"(AWS::\w+::\w+)"', file.read_text(encoding="utf-8"))}
    return {name for name in named if offers_type(name)} - set(recorded_types())


def _properties(whole: Schema, node: Mapping[str, Any], above: str, depth: int) -> Iterator[str]:
    for name, given in (_resolved(whole, node).get("properties") or {}).items():
        inner = _resolved(whole, given)
        kinds = inner.get("type") if isinstance(inner.get("type"), list) else [inner.get("type")]
        path = f"{above}.{name}" if above else name
        if (
            {"object", "string"} & set(kinds)
            and "properties" not in inner
            and "enum" not in inner
            and _NAMED.search(name)
        ):
            yield path
        if depth < 6:
            yield from _properties(whole, inner, path, depth + 1)
            if isinstance(inner.get("items"), Mapping):
                yield from _properties(whole, inner["items"], path, depth + 1)


def _resolved(whole: Schema, node: Mapping[str, Any]) -> Mapping[str, Any]:
    name = str(node.get("$ref", "")).rpartition("/")[2]
    found: Mapping[str, Any] = whole.body.get("definitions", {}).get(name, {}) if name else node
    return found
