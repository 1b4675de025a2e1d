"""Prices as AWS's Price List says them today, written where they go before those that ship."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

from trainworks.config.environment import load_environment
from trainworks.cost.price_files import refreshed_file
from trainworks.cost.price_writing import price_file
from trainworks.cost.refresh import API_REGION, Refreshed, refresh
from trainworks.errors import RequestError
from trainworks.jobs.session import session_for
from trainworks.whole_file import write_whole


def refresh_prices(environment_name: str, region: str | None, aws_profile: str | None) -> tuple[Refreshed, Path]:
    """Ask AWS's Price List for the prices of a region, and write them; what was found, and the file.

    Raises `RequestError` if the Price List has nothing for the region: then nothing is written.
    """
    environment = load_environment(environment_name)
    account = replace(environment, is_twin=False, aws_profile=aws_profile or environment.aws_profile, region=API_REGION)
    refreshed = refresh(session_for(account).client("pricing"), region or environment.region, date.today())
    if not refreshed.table.prices:
        raise RequestError(
            f"the Price List has nothing for region {refreshed.table.region!r}: the prices stay as they are",
            fix="check the name of the region",
        )
    path = refreshed_file(refreshed.table.region)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, price_file(refreshed.table))
    return refreshed, path
