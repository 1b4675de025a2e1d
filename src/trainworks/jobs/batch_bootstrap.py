"""Runs in the container (`python -c`): fetch the code as the job's role, check it, unpack it, install its
requirements.txt if it has one, become the script."""

import hashlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

try:
    import boto3
except ImportError as error:
    sys.exit(f"{error}. The image needs boto3 to fetch the job's script from S3: name it in its requirements.txt")


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
    if Path("requirements.txt").is_file():
        pip = [sys.executable, "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
        done = subprocess.run([*pip, "--requirement", "requirements.txt"], check=False)
        if done.returncode != 0:
            sys.exit("InstallRequirementsError: pip could not install requirements.txt")
    os.execv(sys.executable, [sys.executable, "-u", script, *arguments])  # noqa: S606


if __name__ == "__main__":
    main(*sys.argv[1:])
