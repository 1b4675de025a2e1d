"""Train a small neural network on handwritten digits, epoch by epoch, and survive interruptions.

Runs as any SageMaker training script: data in SM_CHANNEL_TRAINING, the model goes to SM_MODEL_DIR, checkpoints are in
/opt/ml/checkpoints, which SageMaker keeps in S3. After a spot interruption the script is started again on another
instance and goes on from the newest checkpoint. SIGTERM announces such an end: it writes a checkpoint and leaves.
"""

import argparse
import os
import signal
import sys
import time
from pathlib import Path

import joblib
import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

BASE = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
CHECKPOINTS = BASE / "checkpoints"
DIGITS = np.arange(10)

stopping = False


def main() -> int:
    arguments = parse_arguments()
    signal.signal(signal.SIGTERM, note_the_end)
    images, labels = load_images(arguments.data_dir)
    train_images, test_images, train_labels, test_labels = train_test_split(
        images, labels, test_size=0.15, random_state=arguments.seed, stratify=labels
    )
    first_epoch, model = resume() or (1, new_model(arguments))
    for epoch in range(first_epoch, arguments.epochs + 1):
        started = time.monotonic()
        model.partial_fit(train_images, train_labels, classes=DIGITS)
        accuracy = model.score(test_images, test_labels)
        print(f"epoch={epoch} train_loss={model.loss_:.5f} validation_accuracy={accuracy:.5f}", flush=True)
        while not stopping and time.monotonic() - started < arguments.min_epoch_seconds:
            time.sleep(0.02)
        save_checkpoint(epoch, model)
        if stopping:
            print(f"SIGTERM: checkpoint of epoch {epoch} is written, leaving", flush=True)
            return 128 + signal.SIGTERM
    arguments.model_dir.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, arguments.model_dir / "model.joblib")
    print(f"trained {arguments.epochs} epochs, validation accuracy {model.score(test_images, test_labels):.5f}")
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--learning-rate", type=float, default=0.003)
    parser.add_argument("--hidden-units", type=int, default=64)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--min-epoch-seconds", type=float, default=0.0, help="slow an epoch down, to watch it")
    parser.add_argument(
        "--data-dir", type=Path, default=os.environ.get("SM_CHANNEL_TRAINING", BASE / "input/data/training")
    )
    parser.add_argument("--model-dir", type=Path, default=os.environ.get("SM_MODEL_DIR", BASE / "model"))
    return parser.parse_args()


def new_model(arguments: argparse.Namespace) -> MLPClassifier:
    return MLPClassifier(
        hidden_layer_sizes=(arguments.hidden_units,),
        learning_rate_init=arguments.learning_rate,
        batch_size=32,
        random_state=arguments.seed,
    )


def load_images(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Pixels as numbers from 0 to 1, and labels, of all .npz files in the folder."""
    files = sorted(folder.glob("*.npz"))
    if not files:
        sys.exit(f"no .npz file in {folder}")
    loaded = [np.load(file) for file in files]
    images = np.concatenate([each["images"] for each in loaded])
    return images / 16.0, np.concatenate([each["labels"] for each in loaded])


def note_the_end(signal_number: int, frame: object) -> None:
    global stopping  # noqa: PLW0603 - a signal handler has nothing else to write to
    stopping = True


def save_checkpoint(epoch: int, model: MLPClassifier) -> None:
    """Write it under a name that is not looked for, then rename: a checkpoint is whole or absent. Keep two."""
    CHECKPOINTS.mkdir(parents=True, exist_ok=True)
    unfinished = CHECKPOINTS / "unfinished"
    joblib.dump({"epoch": epoch, "model": model}, unfinished)
    unfinished.rename(CHECKPOINTS / f"epoch-{epoch:05d}.joblib")
    for old in sorted(CHECKPOINTS.glob("epoch-*.joblib"))[:-2]:
        old.unlink()


def resume() -> tuple[int, MLPClassifier] | None:
    """(next epoch, model) of the newest checkpoint, if there is one."""
    checkpoints = sorted(CHECKPOINTS.glob("epoch-*.joblib"))
    if not checkpoints:
        return None
    state = joblib.load(checkpoints[-1])
    print(f"resuming after epoch {state['epoch']} from {checkpoints[-1].name}", flush=True)
    return state["epoch"] + 1, state["model"]


if __name__ == "__main__":
    sys.exit(main())
