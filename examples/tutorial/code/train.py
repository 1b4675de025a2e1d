"""Learn from past hours how many bikes are rented; go on from the last checkpoint after an interruption."""

import argparse
import os
import signal
import sys
import time
from pathlib import Path

import joblib
import numpy as np
from features import bikes, features, read
from sklearn.linear_model import SGDRegressor
from tabulate import tabulate

HISTORY = Path(os.environ["SM_CHANNEL_HISTORY"])
MODEL = Path(os.environ["SM_MODEL_DIR"])
CHECKPOINTS = Path("/opt/ml/checkpoints")
HELD_OUT_HOURS = 24 * 28


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--step", type=float, default=0.0002)
    parser.add_argument("--seconds-per-epoch", type=float, default=0.0)
    arguments = parser.parse_args()

    # An instance that is taken away sends SIGTERM first. All is in the last checkpoint: leave at once.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("SIGTERM: leaving, the last checkpoint is written"))

    rows = read((HISTORY / "hours.csv").read_text().splitlines())
    x, y = features(rows), bikes(rows)
    known, held_out = slice(None, -HELD_OUT_HOURS), slice(-HELD_OUT_HOURS, None)
    done, model = load_checkpoint() or (0, SGDRegressor(learning_rate="constant", eta0=arguments.step, random_state=7))
    for epoch in range(done + 1, arguments.epochs + 1):
        order = np.random.default_rng(epoch).permutation(len(x[known]))
        model.partial_fit(x[known][order], y[known][order])
        save_checkpoint(epoch, model)
        error = float(np.abs(model.predict(x[held_out]) - y[held_out]).mean())
        print(f"epoch={epoch} error={error:.3f}", flush=True)
        time.sleep(arguments.seconds_per_epoch)

    MODEL.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, MODEL / "model.joblib")
    weights = zip(["10 degrees", "rain", "working day", "rush hour"], model.coef_, strict=False)
    print(tabulate(weights, headers=["more of", "bikes"], floatfmt=".1f"))


def save_checkpoint(epoch: int, model: SGDRegressor) -> None:
    """Write to another name, then rename: a checkpoint is complete or absent."""
    CHECKPOINTS.mkdir(parents=True, exist_ok=True)
    unfinished = CHECKPOINTS / "unfinished"
    joblib.dump((epoch, model), unfinished)
    unfinished.rename(CHECKPOINTS / "last.joblib")


def load_checkpoint() -> tuple[int, SGDRegressor] | None:
    path = CHECKPOINTS / "last.joblib"
    if not path.exists():
        return None
    epoch, model = joblib.load(path)
    print(f"going on after epoch {epoch}", flush=True)
    return epoch, model


if __name__ == "__main__":
    main()
