"""What training and prediction share: how a row of the data becomes numbers."""

import csv
from collections.abc import Iterable
from datetime import datetime

import numpy as np

HOURS, RUSH = 24, (7, 8, 16, 17, 18)


def read(lines: Iterable[str]) -> list[dict[str, str]]:
    return list(csv.DictReader(lines))


def features(rows: list[dict[str, str]]) -> np.ndarray:
    """One line a row: temperature, rain, working day, rush hour, and which hour of the day it is."""
    return np.array([numbers(row) for row in rows])


def numbers(row: dict[str, str]) -> list[float]:
    time = datetime.fromisoformat(row["time"])
    works = time.weekday() < 5
    which = [float(time.hour == hour) for hour in range(HOURS)]
    temperature = max(float(row["temperature"]), 0.0) / 10
    return [temperature, float(row["rain"]), float(works), float(works and time.hour in RUSH), *which]


def bikes(rows: list[dict[str, str]]) -> np.ndarray:
    return np.array([float(row["bikes"]) for row in rows])
