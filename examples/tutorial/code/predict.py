"""Predict the bikes of each hour in a CSV file and write them beside the model, as a batch job."""

import csv
import io
import os
import tarfile

import boto3
import joblib
from features import features, read


def main() -> None:
    s3 = boto3.client("s3")
    bucket, key = split(os.environ["INPUT_MODEL"])
    with tarfile.open(fileobj=io.BytesIO(s3.get_object(Bucket=bucket, Key=key)["Body"].read())) as archive:
        model = joblib.load(io.BytesIO(archive.extractfile("model.joblib").read()))

    bucket, prefix = split(os.environ["INPUT_HOURS"])
    rows = read(s3.get_object(Bucket=bucket, Key=f"{prefix}hours.csv")["Body"].read().decode().splitlines())
    predicted = model.predict(features(rows))

    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["time", "bikes"])
    writer.writerows((row["time"], round(float(bikes))) for row, bikes in zip(rows, predicted, strict=True))
    bucket, key = os.environ["TRAINWORKS_MODEL_BUCKET"], f"predictions/{os.environ['TRAINWORKS_JOB_NAME']}/bikes.csv"
    s3.put_object(Bucket=bucket, Key=key, Body=text.getvalue().encode())
    print(f"{len(rows)} hours predicted: s3://{bucket}/{key}")


def split(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


if __name__ == "__main__":
    main()
