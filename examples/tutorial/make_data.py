"""Write the tutorial's data to data/: hours of a bike rental, with what the weather was and how many bikes went out.

data/history/hours.csv   two years, with the number of bikes: to train with
data/next/hours.csv      two weeks, without it: to predict
"""

import csv
import math
import random
from datetime import datetime, timedelta
from pathlib import Path

FIRST = datetime(2024, 1, 1)
COLUMNS = ["time", "temperature", "rain", "bikes"]


def main() -> None:
    numbers = random.Random(7)
    hours = [hour(FIRST + timedelta(hours=n), numbers) for n in range(24 * 365 * 2 + 24 * 14)]
    write(Path("data/history/hours.csv"), hours[: -24 * 14], COLUMNS)
    write(Path("data/next/hours.csv"), hours[-24 * 14 :], COLUMNS[:-1])


def hour(time: datetime, numbers: random.Random) -> dict[str, object]:
    """One hour: warm and dry hours of the day have most riders, rush hours on working days too."""
    day = time.timetuple().tm_yday
    temperature = 11 - 10 * math.cos(2 * math.pi * day / 365) - 4 * math.cos(2 * math.pi * time.hour / 24)
    temperature += numbers.gauss(0, 2)
    rain = max(0.0, numbers.gauss(-1, 1.5))
    rush = time.weekday() < 5 and time.hour in (7, 8, 16, 17, 18)
    daylight = 6 <= time.hour <= 21
    expected = 15 + 60 * daylight + 120 * rush + 4 * max(temperature, 0) - 25 * rain
    return {
        "time": time.isoformat(),
        "temperature": round(temperature, 1),
        "rain": round(rain, 1),
        "bikes": max(0, round(expected + numbers.gauss(0, 10))),
    }


def write(path: Path, rows: list[dict[str, object]], columns: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    print(f"{path}: {len(rows):,} hours")


if __name__ == "__main__":
    main()
