"""Sessions: of the twin, closed to the user's own AWS configuration; and of an account."""

import json
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from trainworks.config.environment import load_environment
from trainworks.errors import ConfigurationError, TwinError
from trainworks.jobs.session import session_for, twin_connection


def make_home(folder: Path, port: int) -> Path:
    (folder / "server.json").write_text(json.dumps({"pid": 1, "start_time": 1, "port": port}))
    (folder / "credentials.json").write_text(json.dumps({"access_key_id": "AKIA1", "secret_access_key": "s3cret"}))
    return folder


@pytest.fixture
def port() -> object:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_every_client_of_the_twin_goes_to_its_port(tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://elsewhere.invalid")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody-else")
    session = session_for(load_environment("local", tmp_path), make_home(tmp_path, port))
    for name in ("s3", "sagemaker", "cloudwatch"):
        assert session.client(name).meta.endpoint_url == f"http://127.0.0.1:{port}"  # type: ignore[call-overload]
    credentials = session.get_credentials()
    assert credentials is not None and credentials.access_key == "AKIA1"


def test_a_twin_that_was_never_started_says_how(tmp_path: Path) -> None:
    with pytest.raises(TwinError) as caught:
        twin_connection(tmp_path)
    assert caught.value.fix == "trainworks twin start"


def test_a_twin_that_died_says_how(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        home = make_home(tmp_path, listener.getsockname()[1])
    with pytest.raises(TwinError, match="nothing answers on port"):
        twin_connection(home)


def test_the_secret_is_not_in_the_representation(tmp_path: Path, port: int) -> None:
    assert "s3cret" not in repr(twin_connection(make_home(tmp_path, port)))


def test_an_unknown_profile_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    environment = replace(load_environment("local", tmp_path), name="dev", is_twin=False, aws_profile="nobody")
    with pytest.raises(ConfigurationError, match="AWS profile 'nobody' is not configured"):
        session_for(environment)
