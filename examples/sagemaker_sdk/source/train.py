"""A training script: fits a line to the points of `points.csv` by gradient descent and prints its loss."""

import argparse
import os
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default=200)
parser.add_argument("--rate", type=float, default=0.2)
given = parser.parse_args()

lines = Path(os.environ["SM_CHANNEL_TRAIN"], "points.csv").read_text().split()
points = [(float(x), float(y)) for x, _, y in (line.partition(",") for line in lines)]
slope, offset = 0.0, 0.0
for step in range(given.steps):
    gradients = [(2 * (slope * x + offset - y) * x, 2 * (slope * x + offset - y)) for x, y in points]
    slope -= given.rate * sum(a for a, _ in gradients) / len(points)
    offset -= given.rate * sum(b for _, b in gradients) / len(points)
    if (step + 1) % (given.steps // 5) == 0:
        loss = sum((slope * x + offset - y) ** 2 for x, y in points) / len(points)
        print(f"step={step + 1} loss={loss:.6f}", flush=True)
Path(os.environ["SM_MODEL_DIR"], "line.txt").write_text(f"{slope:.3f} {offset:.3f}\n")
