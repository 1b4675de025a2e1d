"""AWS's framework images: names to URIs and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainworks.aws.ecr import parse_ecr_uri
from trainworks.aws.framework_images import framework_of, frameworks, resolve_image
from trainworks.errors import RequestError

EVERY = [
    (name, version, region, processor)
    for name, framework in frameworks().items()
    for version, tags in framework.tags.items()
    for processor in tags
    for region in framework.accounts
]
INSTANCE_TYPES = {"cpu": "ml.m5.large", "gpu": "ml.g5.xlarge"}


def test_scikit_learn_of_us_east_1() -> None:
    assert resolve_image("scikit-learn", "us-east-1", "ml.m5.large") == (
        "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.4-2-cpu-py3"
    )


def test_the_gpu_image_is_taken_for_a_gpu_instance() -> None:
    assert resolve_image("pytorch:2.6.0", "eu-west-1", "ml.p3.2xlarge").endswith("/pytorch-training:2.6.0-gpu-py312")


def test_china_has_its_own_domain() -> None:
    assert ".dkr.ecr.cn-north-1.amazonaws.com.cn/" in resolve_image("pytorch", "cn-north-1", "ml.m5.large")


@given(st.sampled_from(EVERY))
def test_every_image_is_recognised_as_its_framework(case: tuple[str, str, str, str]) -> None:
    name, version, region, processor = case
    uri = parse_ecr_uri(resolve_image(f"{name}:{version}", region, INSTANCE_TYPES[processor]))
    assert uri is not None
    assert framework_of(uri) == frameworks()[name]


def test_a_repository_of_the_same_name_elsewhere_is_not_the_framework() -> None:
    uri = parse_ecr_uri("111122223333.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.4-2-cpu-py3")
    assert uri is not None and framework_of(uri) is None


@pytest.mark.parametrize(
    ("image", "fix"),
    [
        ("conda", "image build"),
        ("sklern", "scikit-learn"),
        ("scikit-lern", "scikit-learn"),
        ("scikit-learn:9", "scikit-learn:1.4-2"),
    ],
)
def test_a_name_that_is_not_known_is_refused_with_a_fix(image: str, fix: str) -> None:
    with pytest.raises(RequestError) as caught:
        resolve_image(image, "us-east-1", "ml.m5.large")
    assert fix in caught.value.fix


def test_a_region_without_a_registry_is_refused() -> None:
    with pytest.raises(RequestError, match="mars-1"):
        resolve_image("scikit-learn", "mars-1", "ml.m5.large")


def test_a_uri_passes_unchanged() -> None:
    assert resolve_image("registry.example/image:1", "us-east-1", "ml.m5.large") == "registry.example/image:1"


def test_parts_of_an_ecr_uri() -> None:
    uri = parse_ecr_uri("111122223333.dkr.ecr.eu-west-1.amazonaws.com/team/image@sha256:" + "a" * 64)
    assert uri is not None
    assert (uri.account, uri.region, uri.repository, uri.is_digest) == ("111122223333", "eu-west-1", "team/image", True)
    assert parse_ecr_uri("docker.io/library/python:3.11") is None
    untagged = parse_ecr_uri("111122223333.dkr.ecr.eu-west-1.amazonaws.com/image")
    assert untagged is not None and untagged.reference == "latest"
    both = parse_ecr_uri("111122223333.dkr.ecr.eu-west-1.amazonaws.com/image:v1@sha256:" + "a" * 64)
    assert both is not None and (both.repository, both.reference) == ("image", "sha256:" + "a" * 64)


@pytest.mark.parametrize(
    ("image", "fix"),
    [("python:3.12", "trainworks image build"), ("ubuntu", "trainworks image build"), ("pytroch", "'pytorch'")],
)
def test_an_image_of_another_registry_is_not_taken_for_a_misspelt_framework(image: str, fix: str) -> None:
    with pytest.raises(RequestError, match="ECR") as error:
        resolve_image(image, "us-east-1", "ml.m5.large")
    assert fix in error.value.fix
