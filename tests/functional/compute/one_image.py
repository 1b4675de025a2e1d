"""Makes AWS's scikit-learn image in `home` and prints what came of it: `one_image.py HOME SANDBOX`."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from trainworks.twin.compute.builder import Builder
from trainworks.twin.compute.images import Images
from trainworks.twin.ports import ApiError, Caller, ImageBeingMadeError

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.4-2-cpu-py3"
CALLER = Caller("arn:aws:iam::000000000000:root", "000000000000", "us-east-1", "AKIA1")


def main(home: Path, sandbox: str) -> dict[str, Any]:
    nothing: Any = None
    builder = Builder(home, sandbox=sandbox)
    images = Images(nothing, home / "images", builder, frameworks="made")
    while True:
        try:
            runtime = images.resolve(IMAGE, CALLER, "job")
        except ImageBeingMadeError:
            time.sleep(0.05)
        except ApiError as error:
            return {"error": error.message}
        else:
            return {"python": str(runtime.python), "note": runtime.note, "made": runtime.made}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]), sys.argv[2])))
