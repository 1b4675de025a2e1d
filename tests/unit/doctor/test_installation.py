"""From facts about a machine, a home and an account to checks."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.doctor.facts import NOW, absent, codes, refused, seen
from trainworks.config.variables import VariableProblem
from trainworks.doctor.finding import Outcome
from trainworks.doctor.installation.causes import diagnose_installation
from trainworks.doctor.installation.facts import (
    Account,
    Disk,
    Identity,
    InstallationFacts,
    Locked,
    MachineGpus,
    Package,
    ProcessLimits,
    Python,
    Sandbox,
    TwinHome,
)
from trainworks.doctor.installation.look_machine import look_at_disk
from trainworks.doctor.installation.machine import disk_findings, size
from trainworks.doctor.installation.versions import release_of, satisfies
from trainworks.doctor.quotas import Quota

GIB = 1 << 30
PACKAGES = (
    Package("boto3", ">=1.43", "", "1.44.2"),
    Package("aws-cdk-lib", ">=2.275,<3", "infra", "2.280.0"),
    Package("ministack", "==1.5.33", "local", "1.5.33"),
)
PYTHON = Python((3, 12, 1), "/usr/bin/python", PACKAGES)
DISK = Disk("the twin's home", Path("/home"), 100 * GIB, 10**6, 10**7, 200 * GIB)
LIMITS = ProcessLimits(65_536, -1, GIB, 8 * GIB)
HOME = TwinHome(Path("/home"), version="1", expected_version="1", mode=0o700, credentials_mode=0o600)
RUNNING = replace(HOME, recorded_port=4577, server_alive=True, supervisor_alive=True)
ACCOUNT = Account("dev", False, "eu-west-1", "111111111111", seen(Identity("111111111111", "arn:x:y", 0.4)))
GOOD = InstallationFacts(
    NOW,
    seen(PYTHON),
    seen("v24.1.0"),
    seen(Sandbox("user-namespace")),
    (seen(DISK),),
    seen(LIMITS),
    seen(RUNNING),
    seen(()),
)


def problems(**members: Any) -> list[tuple[str, Outcome]]:
    found = diagnose_installation(replace(GOOD, **members), environment="local", is_twin=True)
    return [(finding.code, finding.outcome) for finding in found.findings if finding.outcome is not Outcome.OK]


def test_a_kernel_that_does_not_limit_roots_processes_is_said() -> None:
    assert problems(sandbox=seen(Sandbox("root", limits_processes=False))) == [
        ("sandbox-as-root", Outcome.WARNING),
        ("processes-not-limited", Outcome.WARNING),
    ]


@pytest.mark.parametrize(
    ("gpus", "code", "said"),
    [
        (MachineGpus(()), "no-gpu", "see SM_NUM_GPUS=0"),
        (MachineGpus(("NVIDIA H100",) * 2), "gpus", "this machine has 2 GPUs (NVIDIA H100)"),
        (MachineGpus(("",), "no library"), "gpus-not-measured", "not measured (no library)"),
    ],
)
def test_how_many_gpus_there_are_is_said(gpus: MachineGpus, code: str, said: str) -> None:
    found = diagnose_installation(replace(GOOD, gpus=seen(gpus)), environment="local", is_twin=True)
    assert said in next(finding.what for finding in found.findings if finding.code == code)


@pytest.mark.parametrize(
    ("network", "wished", "code", "said"),
    [
        ("host", "host", "network", "use this machine's network (twin.network = host)"),
        ("declared", "", "network", "are held to the routes of their subnets (twin.network = declared)"),
        ("host", "declared", "network-differs", "started with twin.network = host, and your settings say declared"),
    ],
)
def test_which_network_jobs_have_is_said(network: str, wished: str, code: str, said: str) -> None:
    home = replace(RUNNING, network=network, wished_network=wished)
    found = diagnose_installation(replace(GOOD, home=seen(home)), environment="local", is_twin=True)
    assert said in next(finding.what for finding in found.findings if finding.code == code)


def test_a_good_installation_has_nothing_but_good_checks() -> None:
    found = diagnose_installation(replace(GOOD, account=ACCOUNT), environment="dev", is_twin=False)
    assert (found.exit_code, found.state) == (0, "usable")
    assert {finding.outcome for finding in found.findings} == {Outcome.OK}
    assert {"python", "packages", "node", "twin", "sandbox", "disk", "limits", "account"} == set(codes(found))


P, W, U = Outcome.PROBLEM, Outcome.WARNING, Outcome.COULD_NOT_LOOK


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"python": seen(replace(PYTHON, version=(3, 9, 2)))}, [("python-too-old", P)]),
        ({"python": seen(replace(PYTHON, packages=(replace(PACKAGES[0], installed=""),)))}, [("package-wrong", P)]),
        (
            {"python": seen(replace(PYTHON, packages=(*PACKAGES[:2], replace(PACKAGES[2], installed="1.6"))))},
            [("package-wrong", P)],
        ),
        (
            {"python": seen(replace(PYTHON, packages=(PACKAGES[0], PACKAGES[1], replace(PACKAGES[2], installed=""))))},
            [("no-local-extra", W)],
        ),
        ({"python": seen(replace(PYTHON, off_the_lock=(Locked("numpy", "2.5", "2.4"),)))}, [("off-the-lock", W)]),
        ({"node": absent()}, [("node-missing", P)]),
        ({"node": refused("/x/node --version", "exec format error")}, [("node-broken", P)]),
        ({"sandbox": seen(Sandbox("off", "Operation not permitted"))}, [("no-sandbox", W)]),
        ({"sandbox": seen(Sandbox("root"))}, [("sandbox-as-root", W)]),
        ({"sandbox": seen(Sandbox("user-namespace", wish="off"))}, [("sandbox-off", W)]),
        ({"disks": (seen(replace(DISK, free_bytes=10)),)}, [("disk-full", P)]),
        ({"disks": (seen(replace(DISK, free_bytes=GIB)),)}, [("disk-low", W)]),
        ({"disks": (seen(replace(DISK, free_inodes=3)),)}, [("disk-full", P)]),
        ({"disks": (seen(replace(DISK, free_inodes=0, total_inodes=0)),)}, []),
        ({"disks": (seen(replace(DISK, free_bytes=0, total_bytes=0)),)}, []),
        ({"disks": (seen(replace(DISK, free_bytes=0, total_bytes=0, unusable="no")),)}, [("folder-unusable", P)]),
        ({"limits": seen(replace(LIMITS, open_files=256))}, [("limit-low", W)]),
        (
            {"limits": seen(replace(LIMITS, processes=0, shared_memory_free_bytes=0))},
            [("limit-low", W), ("limit-low", W)],
        ),
        ({"limits": refused("getrlimit", "No such file")}, [("could-not-look", U)]),
        ({"variables": seen((VariableProblem("TRAINWORKS_SANDBOX", "x", "m", "f"),))}, [("variable-wrong", P)]),
        ({"home": seen(HOME)}, [("twin-stopped", W)]),
        ({"home": seen(replace(HOME, recorded_port=4577))}, [("stale-record", P)]),
        ({"home": seen(replace(HOME, recorded_port=4577, supervisor_alive=True))}, [("server-restarting", W)]),
        ({"home": seen(replace(HOME, gave_up=True, server_deaths=5))}, [("server-gave-up", P)]),
        ({"home": seen(replace(RUNNING, supervisor_alive=False))}, [("no-supervisor", W)]),
        ({"home": seen(replace(RUNNING, server_deaths=2))}, [("server-died", W)]),
        (
            {"home": seen(replace(HOME, port_is_taken=True, port_holder=" by x (pid 1)"))},
            [("port-taken", P), ("twin-stopped", W)],
        ),
        ({"home": seen(replace(RUNNING, credentials_mode=0o644))}, [("credentials-readable", P)]),
        ({"home": seen(replace(RUNNING, mode=0o755))}, [("home-readable", W)]),
        ({"home": seen(replace(RUNNING, version="9"))}, [("home-version", P)]),
        ({"home": seen(replace(HOME, is_home=False))}, [("not-a-home", P), ("twin-stopped", W)]),
        ({"account": replace(ACCOUNT, expected_account="2" * 12)}, [("wrong-account", P)]),
        (
            {"account": replace(ACCOUNT, identity=refused("sts:GetCallerIdentity", "no credentials: x"))},
            [("no-credentials", P)],
        ),
        (
            {"account": replace(ACCOUNT, identity=refused("sts:GetCallerIdentity", "no answer: x"))},
            [("unreachable", P)],
        ),
        ({"account": replace(ACCOUNT, identity=seen(Identity("1" * 12, "a", 70.0)))}, [("clock-skew", W)]),
        ({"account": replace(ACCOUNT, identity=seen(Identity("1" * 12, "a", -400.0)))}, [("clock-skew", P)]),
        ({"account": replace(ACCOUNT, quotas=(seen(Quota("q", 0, "vCPUs")),))}, [("quota-zero", W)]),
        (
            {"account": replace(ACCOUNT, service_linked_roles=(("batch.amazonaws.com", absent()),))},
            [("no-service-linked-role", W)],
        ),
        ({"account": replace(ACCOUNT, cost_access=refused("ce:GetCostAndUsage"))}, [("could-not-look", U)]),
        ({"no_session": "profile x is not configured"}, [("no-session", U)]),
    ],
)
def test_one_fault_one_finding(members: dict[str, Any], expected: list[tuple[str, Outcome]]) -> None:
    assert problems(**members) == expected


def test_a_stopped_twin_does_not_matter_to_an_environment_on_aws() -> None:
    stopped = replace(GOOD, home=seen(replace(HOME, recorded_port=4577)))
    found = diagnose_installation(stopped, environment="dev", is_twin=False)
    assert [(f.code, f.outcome) for f in found.causes] == [("stale-record", Outcome.WARNING)]


releases = st.lists(st.integers(0, 99), min_size=1, max_size=4).map(tuple)


@given(releases, releases)
def test_versions_compare_as_numbers(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    one, two = ".".join(map(str, left)), ".".join(map(str, right))
    width = max(len(left), len(right))
    order = (*left, *[0] * (width - len(left))), (*right, *[0] * (width - len(right)))
    assert satisfies(one, f">={two}") == (order[0] >= order[1])
    assert satisfies(one, f"<{two}") == (order[0] < order[1])
    assert satisfies(one, f"=={two}") == (order[0] == order[1])
    assert satisfies(one, f">={two}, <{two}") is False


def test_pre_releases_unknown_clauses_and_sizes() -> None:
    assert release_of("2.275.0rc1") == (2, 275)
    assert satisfies("1.0", "~=0.9")
    assert satisfies("1.0", "")
    assert [size(number) for number in (5, 2048, 3 * GIB)] == ["5 B", "2.0 KiB", "3.0 GiB"]


def test_a_folder_that_cannot_be_made_is_no_full_disk(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    now = datetime.now(UTC)
    no_files = "holds no files" if os.geteuid() == 0 else "may not write to /proc"
    for path, why in ((Path("/proc/nope"), no_files), (file / "home", "is not a folder")):
        (finding,) = disk_findings(look_at_disk(now, "the twin's home", path))
        assert finding.code == "folder-unusable"
        assert str(path) in finding.what and why in finding.what
        assert finding.fix == "set TRAINWORKS_HOME to a folder that you may write"
    (finding,) = disk_findings(look_at_disk(now, "the twin's home", tmp_path / "new" / "home"))
    assert finding.code in {"disk", "disk-low", "disk-full"}
    assert list(tmp_path.iterdir()) == [file]
