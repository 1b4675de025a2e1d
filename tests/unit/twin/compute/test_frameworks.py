"""Which versions stand for those that an image's tag names."""

import pytest

from trainworks.aws.framework_contents import contents, is_gpu, python_of, versions_of
from trainworks.aws.framework_images import frameworks
from trainworks.twin.compute.frameworks import nearest


@pytest.mark.parametrize(
    ("wanted", "available", "found"),
    [
        ("1.4", ["1.9.0", "1.4.2", "1.4.1", "0.24"], "1.4.2"),
        ("2.6.0", ["2.15.0", "2.6.1", "2.6.0"], "2.6.0"),
        ("2.6.0", ["2.13.0+cpu"], "2.13.0+cpu"),
        ("1.0", ["1.9.1", "1.1.3", "1.1.1", "0.24.2"], "1.1.3"),
        ("1.5", ["3.0.1", "2.0.3"], "2.0.3"),
        ("", ["1.0", "2.0.0.post1", "1.5", "3.0rc1"], "2.0.0.post1"),
        ("1.0", ["not a version", "1.0rc1"], None),
        ("1.0", [], None),
    ],
)
def test_the_nearest_version_is_taken(wanted: str, available: list[str], found: str | None) -> None:
    assert nearest(wanted, available) == found


@pytest.mark.parametrize("name", list(frameworks()))
def test_every_tag_that_is_known_names_versions_of_what_the_image_is_for(name: str) -> None:
    framework = frameworks()[name]
    for version, tags in framework.tags.items():
        for processor, tag in tags.items():
            named = versions_of(framework, tag)
            assert list(named) == list(contents()[name].main)
            assert any(version.startswith(each.split("-")[0]) for each in named.values())
            assert is_gpu(tag) == (processor == "gpu") or name == "xgboost"
    assert versions_of(framework, "latest") == versions_of(framework, "sha256:" + "1" * 64) == {}


def test_the_python_of_a_tag() -> None:
    assert python_of("2.6.0-cpu-py312") == "3.12"
    assert python_of("1.4-2-cpu-py3") == python_of("3.0-5") == ""
