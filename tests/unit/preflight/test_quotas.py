from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from trainworks.errors import ConfigurationError
from trainworks.preflight.quotas import quotas_with, shipped_quotas

OWN = '[vpcs]\nlimit = 20\nadjustable = true\nwhat = "VPCs"\nsource = "raised"\nchecked = 2026-02-01\n'


def test_every_shipped_figure_has_its_source_and_date() -> None:
    for quota in shipped_quotas().values():
        assert quota.source
        assert quota.what
        assert quota.checked.year >= 2026


def test_a_file_of_ones_own_replaces_single_figures(tmp_path: Path) -> None:
    path = tmp_path / "quotas.toml"
    path.write_text(OWN)
    quotas = quotas_with(path)
    assert quotas["vpcs"].limit == 20
    assert quotas["elastic_ips"] == shipped_quotas()["elastic_ips"]


def test_the_limit_alone_suffices(tmp_path: Path) -> None:
    path = tmp_path / "quotas.toml"
    path.write_text("[vpcs]\nlimit = 20\n")
    assert quotas_with(path)["vpcs"] == replace(shipped_quotas()["vpcs"], limit=20)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[vpc]\nlimit = 20\n", "there is no quota 'vpc'"),
        ("[vpc]\nlimit = 20\n", "did you mean vpcs?"),
        ("[vpcs]\nadjustable = true\n", "[name] with limit"),
        (OWN.replace("vpcs", "clouds"), "clouds"),
        (OWN.replace("limit = 20", "limit = " + '"many"'), "a whole number"),
        (OWN.replace("limit = 20", "limit = " + "-1"), "a whole number"),
        (OWN.replace("2026-02-01", '"today"'), "a date"),
        (OWN.replace("true", '"yes"'), "true or false"),
        (OWN.replace("source", "origin"), "[name] with limit"),
        ("vpcs = 20", "[name] with limit"),
        ("[vpcs", "not valid TOML"),
    ],
)
def test_a_bad_file_is_refused_by_name(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "quotas.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as refused:
        quotas_with(path)
    assert str(path) in str(refused.value)
    assert says in str(refused.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        quotas_with(tmp_path / "none.toml")
    assert refused.value.message == f"{tmp_path / 'none.toml'}: No such file or directory"
