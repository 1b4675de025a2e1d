"""What `trainworks image list` prints: a record a line, with values that can be copied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Group, RenderableType

from trainworks.application.made_images import ImageEnvironment, OfferedImage
from trainworks.cli.addressed import addressed
from trainworks.cli.jobs_view import shown
from trainworks.cli.output import records
from trainworks.jobs.image import ImageSummary

_DEFAULT = " (default)"
_CELLS = ("made", "size", "versions", "last used")
_NOT_MADE = ("not made", "", "", "")


def image_records(
    offered: Sequence[OfferedImage], made: Sequence[ImageEnvironment], pushed: Sequence[ImageSummary]
) -> list[dict[str, Any]]:
    """The same as data: `kind` is `pushed`, `made` or `offered`; what is offered names the environments made for it."""
    return [
        *({"kind": "pushed", **asdict(each)} for each in pushed),
        *({**asdict(each), "kind": "made", "is_own": each.kind == "own"} for each in made),
        *(
            {
                "kind": "offered",
                "image": each.image,
                "is_default": each.is_default,
                "made": [environment.name for environment in each.made],
            }
            for each in offered
        ),
    ]


@dataclass(frozen=True, slots=True)
class Pushed:
    """The images of the platform's repository, and what to say if there are none."""

    images: tuple[ImageSummary, ...]
    why_none: str


def image_lists(
    offered: Sequence[OfferedImage], made: Sequence[ImageEnvironment] | None, pushed: Pushed
) -> RenderableType:
    """Three lists: framework images, own images, and environments that stand for none of them any more.

    `made` None: nothing is known of environments, since no twin runs or it is not a twin that is asked.
    """
    parts: list[RenderableType] = [_offered(offered, made), ""]
    parts.append(_pushed(pushed.images, made) if pushed.images else addressed(pushed.why_none))
    pushed_uris = {each.image_uri for each in pushed.images}
    if left := [each for each in made or [] if not _is_shown(each, offered, pushed_uris)]:
        rows = [((each.stands_for or (each.name,))[0], *_cells(each)) for each in left]
        parts += ["", records(("other environment", *_CELLS), rows)]
    return Group(*parts)


def image_line(made: ImageEnvironment) -> str:
    """An environment in one line, for `describe`."""
    if made.making:
        return f"{made.name}, being made: {made.making}"
    _, size, versions, used = _cells(made)
    return ", ".join(each for each in (made.name, versions, size, f"last used {used}") if each)


def _cells(made: ImageEnvironment) -> tuple[str, str, str, str]:
    """When it was made, its size, its versions and its last use."""
    if made.making:
        return f"being made: {made.making}", "", "", ""
    size = "" if made.size_in_bytes is None else f"{made.size_in_bytes / (1 << 20):.0f} MiB"
    return shown(made.made_at), size, made.versions, shown(made.last_used_at)


def _offered(offered: Sequence[OfferedImage], made: Sequence[ImageEnvironment] | None) -> RenderableType:
    if made is None:
        return records(("framework image",), [(_name(each),) for each in offered])
    rows = [(_name(each), *cells) for each in offered for cells in [_cells(one) for one in each.made] or [_NOT_MADE]]
    return records(("framework image", *_CELLS), rows)


def _name(offered: OfferedImage) -> str:
    return f"{offered.image}{_DEFAULT if offered.is_default else ''}"


def _pushed(pushed: Sequence[ImageSummary], made: Sequence[ImageEnvironment] | None) -> RenderableType:
    """Tags of the same content have one environment."""
    if made is None:
        known = [(each.image_uri, shown(each.pushed_at), each.digest) for each in pushed]
        return records(("own image", "pushed", "digest"), known)
    by_uri = {uri: _cells(each) for each in made if each.kind == "own" for uri in each.stands_for}
    by_digest = {each.digest: by_uri[each.image_uri] for each in pushed if each.image_uri in by_uri}
    cells = [by_digest.get(each.digest, _NOT_MADE) for each in pushed]
    rows = [(each.image_uri, shown(each.pushed_at), *own, each.digest) for each, own in zip(pushed, cells, strict=True)]
    return records(("own image", "pushed", *_CELLS, "digest"), rows)


def _is_shown(made: ImageEnvironment, offered: Sequence[OfferedImage], pushed_uris: set[str]) -> bool:
    if made.kind == "own":
        return any(uri in pushed_uris for uri in made.stands_for)
    return any(made in each.made for each in offered)
