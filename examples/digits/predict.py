"""Batch inference as an array job: each child predicts its share of the held-out images.

Reads INPUT_MODEL (s3://.../model.tar.gz) and INPUT_HELDOUT (s3://.../ with .npz files) by the job's role, and writes
s3://<model bucket>/predictions/<run>/part-<index>.jsonl with one line an image: {"index": 17, "digit": 3}.
"""

import io
import json
import os
import tarfile

import boto3
import joblib
import numpy as np


def main() -> None:
    index = int(os.environ.get("AWS_BATCH_JOB_ARRAY_INDEX", "0"))
    size = int(os.environ.get("TRAINWORKS_ARRAY_SIZE", "1"))
    run = os.environ["TRAINWORKS_JOB_NAME"]
    s3 = boto3.client("s3")
    model = load_model(s3, os.environ["INPUT_MODEL"])
    images = load_images(s3, os.environ["INPUT_HELDOUT"])
    mine = np.arange(index, len(images), size)
    digits = model.predict(images[mine])
    lines = [json.dumps({"index": int(image), "digit": int(digit)}) for image, digit in zip(mine, digits, strict=True)]
    bucket, key = os.environ["TRAINWORKS_MODEL_BUCKET"], f"predictions/{run}/part-{index}.jsonl"
    s3.put_object(Bucket=bucket, Key=key, Body=("\n".join(lines) + "\n").encode())
    print(f"{len(mine)} of {len(images)} images predicted: s3://{bucket}/{key}")


def load_model(s3, uri):
    with tarfile.open(fileobj=io.BytesIO(read(s3, *split(uri)))) as archive:
        return joblib.load(io.BytesIO(archive.extractfile("model.joblib").read()))


def load_images(s3, uri):
    """Pixels as numbers from 0 to 1, of all .npz files at the prefix in order of their keys."""
    bucket, prefix = split(uri)
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]]
    arrays = [np.load(io.BytesIO(read(s3, bucket, key)))["images"] for key in sorted(keys) if key.endswith(".npz")]
    return np.concatenate(arrays) / 16.0


def read(s3, bucket, key):
    return s3.get_object(Bucket=bucket, Key=key)["Body"].read()


def split(uri):
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


if __name__ == "__main__":
    main()
