"""The environments that stand for framework images on the twin, for `image list` and `describe`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class MadeImage:
    """One environment: what it is called, the framework's versions, its size on disk and when a job used it last."""

    name: str
    versions: str
    size_in_bytes: int
    last_used_at: datetime

    @property
    def row(self) -> tuple[str, str, str, str]:
        """For a table or a line."""
        size = f"{self.size_in_bytes / (1 << 20):.0f} MiB"
        return self.name, self.versions, size, f"{self.last_used_at.astimezone():%Y-%m-%d %H:%M:%S}"


def made_images(image_uri: str = "") -> list[MadeImage]:
    """All of the running twin, the last used first; with `image_uri` that one which stands for it, if it is made."""
    from trainworks.twin import lifecycle
    from trainworks.twin.control_client import ask
    from trainworks.twin.home import default_home

    server = lifecycle.find(default_home())
    if server is None:
        return []
    answer = ask(server, "images", {"image_uri": image_uri})
    return [
        MadeImage(
            each["name"], each["versions"], each["size_in_bytes"], datetime.fromtimestamp(each["last_used_at"], UTC)
        )
        for each in answer["images"]
    ]
