"""The data: scikit-learn's 1,797 handwritten digits (8 x 8 pixels), split by a fixed seed.

    python data.py FOLDER

writes FOLDER/train/digits.npz (1,437 images with labels), FOLDER/heldout/digits.npz (360 images without) and
FOLDER/labels/digits.npz (the labels of those 360, for whoever wants to know how good the predictions are).
Source: the UCI "Optical Recognition of Handwritten Digits" test set, as shipped with scikit-learn.
"""

import sys
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

SEED = 20260101
HELD_OUT = 360


def make(folder: Path) -> None:
    """Write the three files; equal bytes every time."""
    digits = load_digits()
    images, heldout, labels, heldout_labels = train_test_split(
        digits.data, digits.target, test_size=HELD_OUT, random_state=SEED, stratify=digits.target
    )
    _save(folder / "train", images=images, labels=labels)
    _save(folder / "heldout", images=heldout)
    _save(folder / "labels", labels=heldout_labels)


def _save(folder: Path, **arrays: np.ndarray) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "digits.npz", **{name: array.astype(np.uint8) for name, array in arrays.items()})


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python data.py FOLDER")
    make(Path(sys.argv[1]))
