"""`image list`: a record a line, whole, however narrow the terminal is."""

import io
from datetime import UTC, datetime

import pytest
from rich.console import Console

from trainworks.application.made_images import ImageEnvironment, OfferedImage, offered_images
from trainworks.aws.framework_images import frameworks
from trainworks.cli.image_view import Pushed, image_lists, image_records
from trainworks.jobs.image import ImageSummary

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
URI = "000000000000.dkr.ecr.us-east-1.amazonaws.com/trainworks-dev-a-rather-long-repository-name:content-{}"
DIGEST = "sha256:" + "0f" * 32


def environment(name: str, kind: str, *stands_for: str, making: str = "") -> ImageEnvironment:
    return ImageEnvironment(name, kind, stands_for, "scikit-learn 1.4.2", 441 << 20, MOMENT, MOMENT, making)


MADE = [
    environment("scikit-learn-1.4-cpu-0123456789ab", "framework", "scikit-learn:1.4-2"),
    environment(
        "pytorch-2.6.0-cpu-0123456789ab", "framework", "pytorch:2.6.0", making="collecting torch (1 of about 28)"
    ),
    environment("00ff", "own", URI.format("one")),
    environment("scikit-learn-1.4-cpu-earlier", "framework"),
]
PUSHED = Pushed(tuple(ImageSummary(URI.format(tag), DIGEST, MOMENT, 700) for tag in ("one", "two")), "")


def printed(width: int, made: list[ImageEnvironment] | None = MADE, pushed: Pushed = PUSHED) -> list[str]:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None, highlight=False)
    console.print(image_lists(list(offered_images(made or [])), made, pushed), crop=False)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [60, 80, 110, 200])
def test_a_record_is_one_whole_line_at_every_width(width: int) -> None:
    lines = printed(width)
    assert lines == printed(1000)
    [made] = [line for line in lines if line.startswith("scikit-learn:1.4-2 (default)")]
    assert "441 MiB" in made and "scikit-learn 1.4.2" in made and made.count("2026-01-02") == 2
    [making] = [line for line in lines if line.startswith("pytorch:2.6.0")]
    assert making.endswith("being made: collecting torch (1 of about 28)")
    own = [line for line in lines if URI.format("") in line]
    assert len(own) == 2 and all(DIGEST in line and "441 MiB" in line for line in own)  # tags of one content
    assert lines[-1].startswith("scikit-learn-1.4-cpu-earlier")


def test_every_image_that_is_offered_is_listed_made_or_not() -> None:
    names = [f"{each.name}:{version}" for each in frameworks().values() for version in each.tags]
    listed = printed(80, [], Pushed((), "no own images: trainworks image build FOLDER"))
    assert [line.split()[0] for line in listed[1 : len(names) + 1]] == names
    assert all("not made" in line for line in listed[1 : len(names) + 1])
    assert listed[-1] == "no own images: trainworks image build FOLDER"
    unknown = printed(80, None, Pushed((), "the twin is not running"))
    assert "not made" not in "".join(unknown) and unknown[1].split()[0] == names[0]


def test_the_same_as_data() -> None:
    offered = [OfferedImage("scikit-learn:1.4-2", True, (MADE[0],))]
    found = image_records(offered, MADE, PUSHED.images)
    assert [each["kind"] for each in found] == ["pushed"] * 2 + ["made"] * 4 + ["offered"]
    assert [each["is_own"] for each in found if each["kind"] == "made"] == [False, False, True, False]
    assert found[-1] == {
        "kind": "offered",
        "image": "scikit-learn:1.4-2",
        "is_default": True,
        "made": [MADE[0].name],
    }
