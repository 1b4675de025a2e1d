"""`pages/generate.py`, by the name that scripts know."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

PAGES = Path(__file__).resolve().parents[1] / "pages"

sys.path.insert(0, str(PAGES))
runpy.run_path(str(PAGES / "generate.py"), run_name="__main__")
