"""Runs in the container (`python -c`): fetch the code by the job's role, check it, unpack it, become the script."""

import hashlib
import io
import os
import sys
import tarfile
import tempfile
from pathlib import Path

import boto3


def main(bucket: str, key: str, digest: str, script: str, *arguments: str) -> None:
    data = boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    if hashlib.sha256(data).hexdigest() != digest:
        sys.exit(f"s3://{bucket}/{key} is not the code that was submitted")
    folder = Path(tempfile.mkdtemp(prefix="code-")).resolve()
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:
            path = (folder / member.name).resolve()
            content = archive.extractfile(member) if member.isfile() else None
            if content is None or folder not in path.parents:
                sys.exit(f"{member.name} may not be in an archive of code")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.read())
            path.chmod(member.mode & 0o777)
    os.chdir(folder)
    os.execv(sys.executable, [sys.executable, "-u", script, *arguments])  # noqa: S606


if __name__ == "__main__":
    main(*sys.argv[1:])
