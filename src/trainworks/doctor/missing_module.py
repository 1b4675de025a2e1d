"""A script whose Python lacks a module: how its last words look, and what helps."""

from __future__ import annotations

MISSING_MODULE = r"No module named '(?P<module>[\w.]+)'"
"""What Python says of it, in a job's log and in the reason of its failure."""
MISSING_MODULE_FIX = (
    "if {module} is a package, name it in a requirements.txt in the folder of --source-dir, or build an image that has "
    "it: trainworks image build FOLDER; if it is a module of yours, it has to be in that folder"
)
