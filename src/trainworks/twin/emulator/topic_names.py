"""Names of topics: stock accepts any text, and puts it into XML unescaped."""

from __future__ import annotations

import re
from typing import Any

_NAME = re.compile(r"[A-Za-z0-9_-]{1,256}|[A-Za-z0-9_-]{1,251}\.fifo")


def install(sns: Any) -> None:
    """SNS was loaded."""
    stock = sns._create_topic

    def create_topic(params: Any) -> Any:
        if not _NAME.fullmatch(sns._p(params, "Name")):
            return sns._error("InvalidParameter", "Invalid parameter: Topic Name", 400)
        return stock(params)

    sns._create_topic = create_topic
