"""The smallest training script: says where it is and leaves something to keep."""

import os
from pathlib import Path

print("hello from", os.environ.get("SM_CURRENT_HOST", "this machine"), flush=True)
model_dir = Path(os.environ.get("SM_MODEL_DIR", "."))
(model_dir / "hello.txt").write_text("hello\n")
