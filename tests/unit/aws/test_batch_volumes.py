"""What a container of Batch may mount, by itself; the twin's door and `check` are tested where they are."""

from __future__ import annotations

from posixpath import normpath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainworks.aws.batch_volumes import container_problems, definition_problems, plain_path

VOLUMES = [{"name": "data", "host": {"sourcePath": "/data"}}, {"name": "own"}, {"name": "empty", "host": {}}]


def mount(path: str, volume: str = "own", **more: Any) -> dict[str, Any]:
    return {"sourceVolume": volume, "containerPath": path, **more}


def messages(container: dict[str, Any], *, is_fargate: bool = False) -> list[str]:
    return [each.message for each in container_problems(container, is_fargate=is_fargate)]


def test_what_aws_takes() -> None:
    container = {
        "volumes": [*VOLUMES, {"name": "named", "host": {"sourcePath": "docker_volume"}}],
        "mountPoints": [mount("/a", "data", readOnly=True), mount("/a/b"), mount("/c"), mount("/dev/shm", "empty")],
        "linuxParameters": {
            "sharedMemorySize": 1024, "initProcessEnabled": True, "maxSwap": 0, "swappiness": 0,
            "tmpfs": [{"containerPath": "/t", "size": 64, "mountOptions": ["rw", "mode=1777", "noexec"]}],
        },
        "ulimits": [
            {"name": "nofile", "softLimit": 1024, "hardLimit": 65536},
            {"name": "memlock", "softLimit": -1, "hardLimit": -1},
            {"name": "stack", "softLimit": 67108864, "hardLimit": -1},
        ],
    }  # fmt: skip
    assert messages(container) == []
    assert messages({"volumes": [{"name": "own"}], "mountPoints": [mount("/a")]}, is_fargate=True) == []
    assert messages({"linuxParameters": {"initProcessEnabled": True, "tmpfs": []}}, is_fargate=True) == []


@pytest.mark.parametrize(
    ("container", "message"),
    [
        ({"mountPoints": [mount("/a", "missing")]}, "Unknown volume 'missing'."),
        ({"mountPoints": [{"containerPath": "/a"}]}, "Unknown volume 'null'."),
        ({"volumes": [{"host": {}}]}, "volume.name should not be null or empty."),
        ({"volumes": [{"name": "a.b"}]}, "volume.name contains invalid characters: 'a.b'"),
        ({"volumes": [{"name": "a" * 256}]}, "volume.name can have at most 255 characters, not 256"),
        ({"volumes": [{"name": "own"}, {"name": "own"}]}, "Duplicate volume 'own'."),
        ({"volumes": [{"name": "own", "host": {"sourcePath": "a/b"}}]}, "host.sourcePath 'a/b' is not valid"),
        ({"volumes": [{"name": "own", "host": {"sourcePath": "/a\0"}}]}, "host.sourcePath '/a\\0' is not valid"),
        ({"mountPoints": [mount("data")]}, "invalid mount path: 'data' mount path must be absolute"),
        ({"mountPoints": [mount("/a\0")]}, "mount path must be absolute"),
        ({"mountPoints": [{"sourceVolume": "own"}]}, "containerPath should not be null or empty."),
        ({"mountPoints": [mount("/a/..")]}, "invalid mount path: '/a/..' destination can't be '/'"),
        ({"mountPoints": [mount("/a"), mount("/b/../a/", "data")]}, "Duplicate mount point: /a"),
        (
            {"mountPoints": [mount("/a")], "linuxParameters": {"tmpfs": [{"containerPath": "/a", "size": 1}]}},
            "Duplicate mount point: /a",
        ),
        ({"linuxParameters": {"tmpfs": [{"containerPath": "a", "size": 1}]}}, "mount path must be absolute"),
        ({"linuxParameters": {"tmpfs": [{"containerPath": "/a", "size": 0}]}}, "at least 1 MiB, not 0"),
        (
            {"linuxParameters": {"tmpfs": [{"containerPath": "/a", "size": 1, "mountOptions": ["sizes=9g"]}]}},
            'Invalid tmpfs option "sizes=9g"',
        ),
        (
            {"linuxParameters": {"tmpfs": [{"containerPath": "/a", "size": 1, "mountOptions": ["mode=7,size=9g"]}]}},
            "Invalid tmpfs option",
        ),
        ({"linuxParameters": {"sharedMemorySize": -1}}, "sharedMemorySize must not be negative: -1"),
        ({"linuxParameters": {"swappiness": 101}}, "swappiness must be between 0 and 100, not 101"),
        ({"ulimits": [{"name": "files", "softLimit": 1, "hardLimit": 1}]}, "invalid ulimit type: files"),
        ({"ulimits": [{"name": "nofile", "softLimit": 2, "hardLimit": 1}]}, "less than or equal to hard limit: 2 > 1"),
        ({"ulimits": [{"name": "core", "softLimit": -1, "hardLimit": 1}]}, "less than or equal to hard limit"),
        ({"ulimits": [{"name": "core", "softLimit": -2, "hardLimit": -1}]}, "must be -1 (unlimited) or more, not -2"),
    ],
)
def test_what_aws_refuses(container: dict[str, Any], message: str) -> None:
    (found,) = messages({"volumes": VOLUMES, **container})
    assert message in found


@pytest.mark.parametrize(
    ("container", "message"),
    [
        ({"volumes": VOLUMES}, "host.sourcePath should not be set for volumes in Fargate."),
        ({"linuxParameters": {"sharedMemorySize": 64}}, "sharedMemorySize is not applicable for Fargate."),
        ({"linuxParameters": {"swappiness": 0}}, "swappiness is not applicable for Fargate."),
        ({"linuxParameters": {"tmpfs": [{"containerPath": "/a", "size": 1}]}}, "tmpfs is not applicable for Fargate."),
        ({"ulimits": [{"name": "core", "softLimit": 0, "hardLimit": 0}]}, "ulimits is not applicable for Fargate."),
    ],
)
def test_what_fargate_does_not_have(container: dict[str, Any], message: str) -> None:
    assert messages(container, is_fargate=True) == [message]
    assert messages(container) == []


WRONG = {"volumes": [{"name": "own"}], "mountPoints": [mount("/a", "other")]}
MULTI = {"taskProperties": [{"volumes": [{"name": "own"}], "containers": [{"mountPoints": [mount("/a", "other")]}]}]}


@pytest.mark.parametrize(
    "definition",
    [
        {"containerProperties": WRONG},
        {"ecsProperties": MULTI},
        {"nodeProperties": {"nodeRangeProperties": [{"container": WRONG}]}},
        {"nodeProperties": {"nodeRangeProperties": [{"ecsProperties": MULTI}]}},
    ],
)
def test_every_shape_of_a_definition(definition: dict[str, Any]) -> None:
    assert [each.message for each in definition_problems(definition)] == ["Unknown volume 'other'."]


NAMES = st.sampled_from(["a", "b", "c", "", None, 7])
PATHS = st.sampled_from(["/a", "/a/", "//a", "/a/../b", "/b", "b", "", "/", "/..", None, object()])


@given(volumes=st.lists(NAMES, max_size=3), mounts=st.lists(st.tuples(NAMES, PATHS), max_size=4))
def test_a_container_is_taken_only_if_each_mount_has_a_volume_and_a_place(
    volumes: list[Any], mounts: list[Any]
) -> None:
    container = {
        "volumes": [{"name": name} for name in volumes],
        "mountPoints": [{"sourceVolume": name, "containerPath": path} for name, path in mounts],
    }
    known = [name for name in volumes if isinstance(name, str)]
    places = [normpath(path).replace("//", "/") for _, path in mounts if isinstance(path, str) and path]
    unknown = any(isinstance(name, int) for name in volumes)  # `check` knows it only after the deploy
    right = (
        all(volumes)
        and len(set(known)) == len(known)
        and (unknown or all(isinstance(name, int) or (name in known) for name, _ in mounts))
        and all(path is not None and path != "" for _, path in mounts)
        and all(place.startswith("/") and place != "/" for place in places)
        and len(set(places)) == len(places)
    )
    assert (not messages(container)) == right


@given(st.from_regex(r"/[a./]{0,12}", fullmatch=True))
def test_a_plain_path_has_nothing_to_leave_out(path: str) -> None:
    plain = plain_path(path)
    assert plain.startswith("/")
    assert plain == "/" or not {"", ".", ".."} & set(plain.split("/")[1:])
    assert plain_path(plain) == plain


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.builds(object),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["volumes", "mountPoints", "host", "name", "sourcePath", "linuxParameters", "tmpfs",
                                 "containerPath", "sourceVolume", "size", "ulimits", "softLimit", "hardLimit",
                                 "mountOptions", "containerProperties", "ecsProperties", "taskProperties",
                                 "containers", "nodeProperties", "nodeRangeProperties", "container"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=20,
    )
)  # fmt: skip
def test_no_template_is_too_odd(value: Any) -> None:
    if isinstance(value, dict):
        list(definition_problems(value))
        list(container_problems(value, is_fargate=True))
