"""What cfn-lint says falsely of SAM is left out, and what it says many times is said once."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainworks.assembly.graph import load_graph
from trainworks.preflight.scanners import cfn_lint

TEMPLATE = """\
AWSTemplateFormatVersion: '2010-09-09'
Transform: AWS::Serverless-2016-10-31
Resources:
  Reader:
    Type: AWS::Serverless::Function
    Properties:
      Handler: a.b
      Runtime: python3.12
      CodeUri: ./src
      Events:
        Changed:
          Type: {type}
          Properties:
            Pattern: {{source: [aws.sagemaker]}}
            State: ENABLED
"""


@pytest.mark.parametrize(("type_", "codes"), [("CloudWatchEvent", []), ("CloudWatchEvnt", ["cfn-lint/E3017"])])
def test_the_older_name_of_an_event(tmp_path: Path, type_: str, codes: list[str]) -> None:
    template = tmp_path / "template.yaml"
    template.write_text(TEMPLATE.format(type=type_))
    found = cfn_lint.findings(load_graph(template), tmp_path / "memory", lambda _: None)
    assert [each.code for each in found] == codes
