"""One who uses the twin during the drill: makes calls, remembers what was answered, and looks at it later."""

from __future__ import annotations

import json
import random
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import boto3
import botocore.session
from botocore import exceptions
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.loaders import Loader, create_loader
from ledger import Ledger

from trainworks.twin.home import ACCOUNT_ID, DEFAULT_REGION, Home
from trainworks.twin.lifecycle import RunningServer

__all__ = ["ACCOUNT_ID", "DEFAULT_REGION", "Customer", "CutOff", "Twin"]

CutOff = (exceptions.ConnectionError, exceptions.HTTPClientError)
"""What a client sees when the server dies in the middle of its call: it cannot know whether it took effect."""


class Twin:
    """Clients of the twin that is drilled. Nothing is sent twice: what was cut off is the drill's to know."""

    def __init__(self, home: Home, server: RunningServer) -> None:
        self.home = home
        self._server = server
        core = botocore.session.Session()
        core.register_component("data_loader", _models())
        self._session = boto3.Session(botocore_session=core)

    def client(self, service: str) -> Any:
        keys = self.home.credentials()
        config = Config(
            retries={"total_max_attempts": 1}, connect_timeout=30, read_timeout=120, s3={"addressing_style": "path"}
        )
        make: Any = self._session.client
        return make(
            service,
            endpoint_url=self._server.endpoint_url,
            region_name=DEFAULT_REGION,
            aws_access_key_id=keys.access_key_id,
            aws_secret_access_key=keys.secret_access_key,
            config=config,
        )

    def role(self, name: str, services: str | list[str], *actions: str) -> str:
        """The ARN of a new role that these services assume and that may do these actions on everything."""
        iam = self.client("iam")
        trust = {"Effect": "Allow", "Principal": {"Service": services}, "Action": "sts:AssumeRole"}
        arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=_document(trust))["Role"]["Arn"]
        if actions:
            allow = {"Effect": "Allow", "Action": actions, "Resource": "*"}
            iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=_document(allow))
        return arn

    def table(self, name: str) -> Any:
        """A client of DynamoDB, which has a new table with the key `id`, a text."""
        dynamodb = self.client("dynamodb")
        dynamodb.create_table(
            TableName=name, BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        )  # fmt: skip
        return dynamodb


class Customer(ABC):
    """`step` makes one or a few calls; `audit` looks at everything that is remembered, while nothing is killed."""

    def __init__(self, twin: Twin, ledger: Ledger, chance: random.Random) -> None:
        self.twin = twin
        self.ledger = ledger
        self.chance = chance

    @property
    def name(self) -> str:
        return type(self).__name__.lower()

    @abstractmethod
    def prepare(self) -> None:
        """Make what the steps need, before anything is killed."""

    @abstractmethod
    def step(self) -> None:
        """Use the twin a little. A call that is cut off raises one of `CutOff`; any other error is a finding."""

    @abstractmethod
    def audit(self) -> None:
        """Compare what the twin has with what it acknowledged, by `ledger.check`."""

    def ack(self, answer: Any) -> Any:
        """Count one call that was answered."""
        self.ledger.acknowledge(self.name)
        return answer

    def wait(self, done: Callable[[], bool], seconds: float, what: str) -> bool:
        """Wait in an audit until something is true; a finding if it does not become true."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if done():
                return True
            time.sleep(0.2)
        self.ledger.find("lost", self.name, f"{what} did not happen within {seconds:.0f} s")
        return False


def until_quiet(receive: Callable[[], list[Any]]) -> Iterator[list[Any]]:
    """What comes, until three times in a row nothing does."""
    quiet = 0
    while quiet < 3:
        found = receive()
        quiet = 0 if found else quiet + 1
        yield found


def code_of(error: ClientError) -> str:
    """The error's code, as AWS names it."""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_server_error(error: ClientError) -> bool:
    """Whether the twin blamed itself."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)) >= 500


def _document(statement: dict[str, object]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@cache
def _models() -> Loader:
    return create_loader()
