from __future__ import annotations

import json

import pytest

from trainworks.preflight.refresh_registry import entry_of, schema_of
from trainworks.preflight.registry import PATH, named_types


@pytest.mark.parametrize(
    ("type_", "name", "fixed"),
    [
        ("AWS::SageMaker::NotebookInstance", "NotebookInstanceName", "SubnetId"),
        ("AWS::Batch::ComputeEnvironment", "ComputeEnvironmentName", "Type"),
        ("AWS::ECR::Repository", "RepositoryName", "EncryptionConfiguration"),
        ("AWS::SageMaker::EndpointConfig", "EndpointConfigName", "KmsKeyId"),
        ("AWS::EC2::SecurityGroup", "GroupName", "GroupDescription"),
    ],
)
def test_what_is_the_name_and_what_is_fixed(type_: str, name: str, fixed: str) -> None:
    known = named_types()[type_]
    assert known.name == name
    assert fixed in known.create_only
    assert not known.required


@pytest.mark.parametrize("type_", ["AWS::S3::Bucket", "AWS::IAM::Role", "AWS::SageMaker::NotebookInstance"])
def test_the_file_is_what_the_installed_schemas_say(type_: str) -> None:
    assert json.loads(PATH.read_text())["types"][type_] == entry_of(type_, schema_of(type_))
