"""The demo's specs on a real account: opt-in, costs a few cents.

TRAINWORKS_TEST_AWS=1 TRAINWORKS_TEST_AWS_ENV=dev pytest tests/aws

`TRAINWORKS_TEST_AWS_ENV` is an environment of trainworks.toml that is AWS and has been deployed (`trainworks up`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from trainworks.config.environment import load_environment
from trainworks.jobs import BatchJobSpec, Platform, TrainingJobSpec, load_spec, wait

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "digits"

pytestmark = [
    pytest.mark.aws,
    pytest.mark.skipif(
        os.environ.get("TRAINWORKS_TEST_AWS") != "1", reason="set TRAINWORKS_TEST_AWS=1 to use an account"
    ),
]


@pytest.fixture(scope="module")
def platform() -> Platform:
    environment = load_environment(os.environ.get("TRAINWORKS_TEST_AWS_ENV", "dev"))
    assert not environment.is_twin, "TRAINWORKS_TEST_AWS_ENV is the twin"
    return Platform(environment)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("digits")
    subprocess.run([sys.executable, EXAMPLE / "data.py", folder], check=True)
    return folder


def test_the_demos_specs_run_unchanged(platform: Platform, data: Path) -> None:
    for part in ("train", "heldout"):
        platform.upload_dataset(f"digits/{part}", data / part)
    training = load_spec(EXAMPLE / "train.toml")
    assert isinstance(training, TrainingJobSpec)
    job = platform.train(training)
    assert wait(job).succeeded
    facts = job.facts()
    assert facts["managed_spot"] is True and isinstance(facts["metrics"], dict)
    assert set(facts["metrics"]) == {"train_loss", "validation_accuracy"}

    inference = load_spec(EXAMPLE / "predict.toml", {"inputs": {"model": f"model:{job.name}"}})
    assert isinstance(inference, BatchJobSpec)
    predictions = platform.submit_batch(inference)
    assert wait(predictions).succeeded
    assert accuracy(platform, predictions.name, data) > 0.9


def accuracy(platform: Platform, run: str, data: Path) -> float:
    """The share of right predictions, computed from what is in S3."""
    s3, bucket = platform.client("s3"), platform.outputs.model_bucket
    labels = np.load(data / "labels" / "digits.npz")["labels"]
    digits = {}
    for found in s3.list_objects_v2(Bucket=bucket, Prefix=f"predictions/{run}/")["Contents"]:
        for line in s3.get_object(Bucket=bucket, Key=found["Key"])["Body"].read().splitlines():
            prediction = json.loads(line)
            digits[prediction["index"]] = prediction["digit"]
    assert sorted(digits) == list(range(len(labels)))
    return float(np.mean([digits[index] == label for index, label in enumerate(labels)]))


def test_an_interruption_cannot_be_asked_for(platform: Platform) -> None:
    from trainworks.errors import RequestError

    with pytest.raises(RequestError, match="a spot interruption cannot be asked for"):
        platform.interrupt_training_job("any", 1.0)
