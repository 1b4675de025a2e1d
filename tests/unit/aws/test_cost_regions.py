from __future__ import annotations

import json
from pathlib import Path

import pytest

from trainworks.aws.cost_regions import REGIONS_WITHOUT, missing_types

cfnlint = pytest.importorskip("cfnlint")


def test_the_table_is_what_the_schemas_of_the_regions_say() -> None:
    providers = Path(cfnlint.__file__).parent / "data" / "schemas" / "providers"
    types = {path.stem: set(json.loads(path.read_text())) for path in providers.glob("*-*-*.json")}
    assert len(types) > 30
    for type_, regions in REGIONS_WITHOUT.items():
        assert {region for region, known in types.items() if type_ not in known} == regions, type_


def test_what_is_missing_is_named() -> None:
    assert missing_types("us-east-1") == ()
    assert missing_types("eu-north-1") == ("AWS::Budgets::Budget",)
    assert len(missing_types("mx-central-1")) == 3
