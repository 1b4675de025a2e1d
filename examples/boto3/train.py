"""A training script: fits a line to y = 3x + 1 by gradient descent and prints its loss."""

import os
import time
from pathlib import Path

slope, offset = 0.0, 0.0
points = [(x / 10, 3 * x / 10 + 1) for x in range(20)]
for step in range(200):
    gradients = [(2 * (slope * x + offset - y) * x, 2 * (slope * x + offset - y)) for x, y in points]
    slope -= 0.2 * sum(a for a, _ in gradients) / len(points)
    offset -= 0.2 * sum(b for _, b in gradients) / len(points)
    if step % 20 == 19:
        loss = sum((slope * x + offset - y) ** 2 for x, y in points) / len(points)
        print(f"step={step + 1} loss={loss:.6f}", flush=True)
        time.sleep(0.05)
Path(os.environ["SM_MODEL_DIR"], "line.txt").write_text(f"{slope:.3f} {offset:.3f}\n")
