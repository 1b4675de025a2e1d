"""The twin's home folder: every path in it, its format version and the root credentials.

Layout (all of it private to the owner, mode 0700):

    version            format of this folder; another version is refused, never converted silently
    credentials.json   access_key_id, secret_access_key of the account's root, made at first start (0600)
    server.json        port, and pid and start time of the server and of its supervisor
    server.log         what the server has to say
    twin.db            jobs, tasks, batch, images        emulator.db   stacks, IAM ...
    logs.db            log groups and events             metrics.db    metric data of CloudWatch
    in-hand/           what was being worked on, to skip what takes the server down again and again
    objects.db objects/  object data                     instances/ jobs/ images/   the compute plane
"""

from __future__ import annotations

import json
import secrets
import string
from dataclasses import dataclass
from pathlib import Path

from trainworks.config.variables import home_folder
from trainworks.errors import HomeVersionError, TwinError
from trainworks.whole_file import write_whole

HOME_VERSION = "1"
DEFAULT_PORT = 4577
ACCOUNT_ID = "000000000000"
DEFAULT_REGION = "us-east-1"

_OWN_NAMES = (
    "version", "credentials.json", "server.", "lock", "keep-instances", "retention.json",
    "twin.db", "emulator.db", "logs.db", "metrics.db", "objects", "instances", "jobs", "images", "functions", "in-hand",
    "builds", "requirements",
)  # fmt: skip
_KEY_ALPHABET = string.ascii_uppercase + "234567"


@dataclass(frozen=True, slots=True)
class RootCredentials:
    """The account root's long-term keys; the only ones that no policy limits."""

    access_key_id: str
    secret_access_key: str


@dataclass(frozen=True, slots=True)
class Home:
    """Paths under one twin's home. Nothing is created before `prepare`."""

    root: Path

    @property
    def version_file(self) -> Path:
        return self.root / "version"

    @property
    def credentials_file(self) -> Path:
        return self.root / "credentials.json"

    @property
    def server_file(self) -> Path:
        return self.root / "server.json"

    @property
    def log_file(self) -> Path:
        return self.root / "server.log"

    @property
    def lock_file(self) -> Path:
        return self.root / "lock"

    @property
    def keep_instances_file(self) -> Path:
        """Present while a graceful stop has to leave the instances running."""
        return self.root / "keep-instances"

    @property
    def retention_file(self) -> Path:
        """How long ended jobs and other ended things are kept; absent: for ever."""
        return self.root / "retention.json"

    @property
    def twin_db(self) -> Path:
        return self.root / "twin.db"

    @property
    def emulator_db(self) -> Path:
        return self.root / "emulator.db"

    @property
    def logs_db(self) -> Path:
        return self.root / "logs.db"

    @property
    def metrics_db(self) -> Path:
        return self.root / "metrics.db"

    @property
    def in_hand_dir(self) -> Path:
        return self.root / "in-hand"

    @property
    def instances_dir(self) -> Path:
        return self.root / "instances"

    @property
    def jobs_dir(self) -> Path:
        return self.root / "jobs"

    @property
    def images_dir(self) -> Path:
        return self.root / "images"

    @property
    def requirements_dir(self) -> Path:
        """What the requirements.txt of jobs names, installed on top of their images."""
        return self.root / "requirements"

    @property
    def functions_dir(self) -> Path:
        """Unpacked code of Lambda functions; made again from the functions themselves after each start."""
        return self.root / "functions"

    def is_home(self) -> bool:
        """Whether this folder was made by a twin, so that `reset` may delete what is in it.

        A file called `version` alone proves nothing, as many projects have one: a twin's holds a whole number, and the
        keys are next to it, or only the files of a home if a first start or a reset was interrupted.
        """
        if not self.version_file.is_file() or not self.version_file.read_bytes().strip().isdigit():
            return False
        names = (entry.name.removeprefix(".") for entry in self.root.iterdir())
        return self.credentials_file.is_file() or all(name.startswith(_OWN_NAMES) for name in names)

    def check_version(self) -> None:
        """Raise `HomeVersionError` when another version of trainworks wrote this folder."""
        if not self.version_file.exists():
            return
        found = self.version_file.read_text().strip()
        if found != HOME_VERSION:
            raise HomeVersionError(
                f"the twin's home {self.root} has format {found!r}; this trainworks reads format {HOME_VERSION!r}",
                fix=f"use the trainworks that made it, set TRAINWORKS_HOME to another folder, "
                f"or delete everything in it: trainworks twin reset --home {self.root}",
            )

    def prepare(self) -> None:
        """Create the folder and its version file, or check them. Raises `HomeVersionError`, `TwinError`."""
        fix = "set TRAINWORKS_HOME to an empty or new folder"
        if self.root.is_dir() and any(self.root.iterdir()) and not self.is_home():
            raise TwinError(f"{self.root} is not empty and not a twin's home", fix=fix)
        self.check_version()
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise TwinError(f"the twin's home {self.root} cannot be made: {error.strerror}", fix=fix) from error
        self.root.chmod(0o700)
        if not self.version_file.exists():
            write_private(self.version_file, HOME_VERSION + "\n")
        for folder in (self.instances_dir, self.jobs_dir, self.images_dir):
            folder.mkdir(exist_ok=True, mode=0o700)

    def credentials(self) -> RootCredentials:
        """The root credentials. Raises `TwinError` when the twin was never started."""
        try:
            record = json.loads(self.credentials_file.read_text())
        except FileNotFoundError:
            raise TwinError(f"no twin was ever started in {self.root}", fix="trainworks twin start") from None
        return RootCredentials(record["access_key_id"], record["secret_access_key"])

    def make_credentials(self) -> RootCredentials:
        """The root credentials, made when absent."""
        if not self.credentials_file.exists():
            record = {
                "access_key_id": "AKIA" + "".join(secrets.choice(_KEY_ALPHABET) for _ in range(16)),
                "secret_access_key": secrets.token_urlsafe(30),
            }
            write_private(self.credentials_file, json.dumps(record) + "\n")
        return self.credentials()


def default_home() -> Home:
    """`$TRAINWORKS_HOME`, or `~/.trainworks`."""
    return Home(home_folder())


def write_private(path: Path, text: str) -> None:
    """Replace a file by a rename; at all times only its owner can read it."""
    write_whole(path, text, mode=0o600)
