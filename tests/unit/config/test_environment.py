from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from trainworks.config.environment import environment_names, find_file, load_environment
from trainworks.config.profile import PROFILES, ProfileName
from trainworks.errors import ConfigurationError


def write(folder: Path, text: str) -> Path:
    path = folder / "trainworks.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_local_exists_without_a_file(tmp_path: Path) -> None:
    environment = load_environment(start_dir=tmp_path, environ={})
    assert (environment.name, environment.is_twin, environment.stack_name) == ("local", True, "trainworks-dev")
    assert environment.account == "000000000000"
    assert environment.profile is PROFILES[ProfileName.DEV]


def test_loading_a_shipped_profile_does_not_import_pydantic(tmp_path: Path) -> None:
    code = (
        "import sys; from trainworks.config.environment import load_environment; load_environment(); "
        "assert 'pydantic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


def test_an_environment_is_read_from_a_parent_folder(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
[environments.shared]
profile = "prod"
region = "eu-west-1"
account = "123456789012"
aws_profile = "team"
environment_suffix = "prod1"
termination_protection = false

[environments.shared.batch]
max_vcpus = 32
instance_types = ["m5.4xlarge"]
""",
    )
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    assert find_file(inner) == path
    assert environment_names(inner) == ("local", "shared")
    environment = load_environment("shared", inner, environ={})
    assert not environment.is_twin
    assert (environment.region, environment.account, environment.aws_profile) == ("eu-west-1", "123456789012", "team")
    assert environment.stack_name == "trainworks-prod1"
    assert environment.profile.batch.max_vcpus == 32
    assert environment.profile.batch.instance_types == ("m5.4xlarge",)
    assert environment.profile.batch.on_demand_max_vcpus == 256
    assert not environment.profile.termination_protection
    assert environment.profile.network == PROFILES[ProfileName.PROD].network


def test_the_suffix_comes_from_the_variable_then_the_file_then_the_name(tmp_path: Path) -> None:
    write(tmp_path, '[environments.one]\nenvironment_suffix = "two"\n[environments.three]\n')
    assert load_environment("one", tmp_path, environ={"ENVIRONMENT_SUFFIX": "pr3507"}).environment_suffix == "pr3507"
    assert load_environment("one", tmp_path, environ={}).environment_suffix == "two"
    assert load_environment("three", tmp_path, environ={}).environment_suffix == "three"


def test_a_notebook_can_be_taken_away_and_added(tmp_path: Path) -> None:
    write(
        tmp_path, '[environments.a]\nnotebook = false\n[environments.b]\nprofile = "prod"\n[environments.b.notebook]\n'
    )
    assert load_environment("a", tmp_path, environ={}).profile.notebook is None
    notebook = load_environment("b", tmp_path, environ={}).profile.notebook
    assert notebook is not None
    assert notebook.idle_minutes == 60


def test_who_is_told_and_what_may_be_spent_are_settings(tmp_path: Path) -> None:
    write(
        tmp_path,
        """
        [environments.a.monitoring]
        dashboard = true
        notification_emails = ["ml@example.org"]
        [environments.a.cost]
        monthly_budget_usd = 7
        [environments.b]
        cost = false
        """,
    )
    profile = load_environment("a", tmp_path, environ={}).profile
    assert profile.monitoring.dashboard
    assert profile.monitoring.notification_emails == ("ml@example.org",)
    assert profile.cost is not None
    assert (profile.cost.monthly_budget_usd, profile.cost.budget_alert_percent) == (7, 80)
    assert load_environment("b", tmp_path, environ={}).profile.cost is None


def test_local_can_be_adjusted_and_stays_the_twin(tmp_path: Path) -> None:
    write(tmp_path, "[environments.local.batch]\nmax_vcpus = 4\n")
    environment = load_environment("local", tmp_path, environ={})
    assert environment.is_twin
    assert environment.profile.batch.max_vcpus == 4


BROKEN = {
    "no address": (
        '[environments.dev.monitoring]\nnotification_emails = ["ml"]\n',
        ":2: environments.dev.monitoring.notification_emails: is 'ml'; allowed: text matching",
        "",
    ),
    "budget of nothing": (
        "[environments.dev.cost]\nmonthly_budget_usd = 0\n",
        ":2: environments.dev.cost.monthly_budget_usd: ",
        "",
    ),
    "unknown key": (
        "[environments.dev]\n\nregoin = 'eu-west-1'\n",
        ":3: environments.dev.regoin: unknown key; allowed: ",
        "did you mean region?",
    ),
    "unknown profile key": (
        "[environments.dev]\n[environments.dev.batch]\nmax_vcpu = 3\n",
        ":3: environments.dev.batch.max_vcpu: unknown key; allowed: image_tag, instance_types,",
        "did you mean max_vcpus?",
    ),
    "profile": (
        "[environments.dev]\nprofile = 'huge'\n",
        ":2: environments.dev.profile: is 'huge'; allowed: 'dev', 'staging' or 'prod'",
        "give an allowed value",
    ),
    "enum": (
        "[environments.dev.network]\negress = 'vpn'\n",
        ":2: environments.dev.network.egress: is 'vpn'; allowed: 'public-ip', 'nat-gateway' or 'interface-endpoints'",
        "give an allowed value",
    ),
    "literal": (
        "[environments.dev.monitoring]\nlog_retention_days = 8\n",
        ":2: environments.dev.monitoring.log_retention_days: is 8; allowed: 1, 3, 5, 7, 14,",
        "give an allowed value",
    ),
    "range": (
        "[environments.dev]\nbatch.max_vcpus = 0\n",
        ":2: environments.dev.batch.max_vcpus: is 0; allowed: greater than or equal to 1",
        "give an allowed value",
    ),
    "number as text": (
        "[environments.dev.batch]\nmax_vcpus = '3'\n",
        ":2: environments.dev.batch.max_vcpus: is '3'; allowed: a whole number",
        "give an allowed value",
    ),
    "pattern": (
        "[environments.dev]\naccount = '12'\n",
        ":2: environments.dev.account: is '12'; allowed: text of 12 digits",
        "give an allowed value",
    ),
    "address block": (
        "[environments.dev.network]\ncidr_block = 'ten'\n",
        ":2: environments.dev.network.cidr_block: is 'ten'; allowed: an IPv4 block of /16 to /26, such as 10.20.0.0/16",
        "give an allowed value",
    ),
    "region of nowhere": (
        "[environments.dev]\nregion = 'xx-west-9'\n",
        ":2: environments.dev.region: is 'xx-west-9'; allowed: an AWS region that botocore ",
        "pip install --upgrade botocore",
    ),
    "region misspelt": (
        "[environments.dev]\nregion = 'eu-wset-1'\n",
        ":2: environments.dev.region: is 'eu-wset-1'; allowed: an AWS region",
        "did you mean eu-west-1",
    ),
    "endpoint that is not a region": (
        "[environments.dev]\nregion = 'aws-global'\n",
        ":2: environments.dev.region: is 'aws-global'; allowed: an AWS region",
        "pip install --upgrade botocore",
    ),
    "notebook type": (
        "[environments.dev.notebook]\ninstance_type = 'ml.foo.large'\n",
        ":2: environments.dev.notebook.instance_type: is 'ml.foo.large'; allowed: an instance type of SageMaker",
        "pip install --upgrade botocore",
    ),
    "notebook type misspelt": (
        "[environments.dev.notebook]\ninstance_type = 'ml.t3.mediun'\n",
        ":2: environments.dev.notebook.instance_type: is 'ml.t3.mediun'",
        "did you mean ml.t3.medium",
    ),
    "batch type": (
        "[environments.dev.batch]\ninstance_types = ['m5.large', 'm5.nonsense']\n",
        ":2: environments.dev.batch.instance_types: is 'm5.nonsense'; allowed: an EC2 instance type",
        "pip install --upgrade botocore",
    ),
    "batch type of SageMaker": (
        "[environments.dev.batch]\ninstance_types = ['ml.m5.large']\n",
        ":2: environments.dev.batch.instance_types: is 'ml.m5.large'; allowed: an EC2 instance type",
        "did you mean m5.large",
    ),
    "batch type of Fargate": (
        "[environments.dev.batch]\ninstance_types = ['fargate.1-2048']\n",
        ":2: environments.dev.batch.instance_types: is 'fargate.1-2048'; allowed: an EC2 instance type",
        "botocore",
    ),
    "combination": (
        "[environments.dev.training]\nmax_wait_time_seconds = 10\n",
        ":1: environments.dev.training: max_wait_time_seconds (10) is below max_runtime_seconds (86400)",
        "change one of the values named",
    ),
    "combination across tables": (
        "[environments.dev.notebook]\ndefault_code_repository = 'https://example.com/x.git'\n",
        "environments.dev: notebook.default_code_repository needs network.egress nat-gateway, not public-ip",
        "change one of the values named",
    ),
    "too many subnets": (
        "[environments.dev.network]\nflow_logs = true\ncidr_block = '10.0.0.0/22'\n"
        "availability_zones = ['a', 'b', 'c']\n",
        ":1: environments.dev.network: network.cidr_block 10.0.0.0/22 holds 4 subnets of subnet_cidr_mask /24, and 9 "
        "are needed: room for Isolated, Public, Private in each zone from a to c",
        "change one of the values named",
    ),
    "no block": (
        "[environments.dev.network]\ncidr_block = '10.0.300.0/20'\n",
        ":1: environments.dev.network: '10.0.300.0/20' is not an IPv4 block",
        "change one of the values named",
    ),
    "block within": (
        "[environments.dev.network]\ncidr_block = '10.0.4.0/20'\n",
        "'10.0.4.0/20' does not start at its first address: 10.0.0.0/20",
        "change one of the values named",
    ),
    "zone twice": (
        "[environments.dev.network]\navailability_zones = ['a', 'a']\n",
        ":2: environments.dev.network.availability_zones: a, a names a zone twice",
        "write how many zones, such as 2, or their letters, such as",
    ),
    "zone with its region": (
        "[environments.dev.network]\navailability_zones = ['eu-central-1a']\n",
        ":2: environments.dev.network.availability_zones: holds 'eu-central-1a'; allowed: letters only, such as a",
        "write how many zones, such as 2, or their letters, such as",
    ),
    "too few": (
        "[environments.dev.batch]\ninstance_types = []\n",
        ":2: environments.dev.batch.instance_types: is []; allowed: at least 1 value",
        "give an allowed value",
    ),
    "a fraction": (
        "[environments.dev.batch]\nmax_vcpus = 1.5\n",
        ":2: environments.dev.batch.max_vcpus: is 1.5; allowed: a whole number",
        "give an allowed value",
    ),
    "a number for text": (
        "[environments.dev.batch]\nimage_tag = 3\n",
        ":2: environments.dev.batch.image_tag: is 3; allowed: text",
        "give an allowed value",
    ),
    "text for a list": (
        "[environments.dev.network]\nreadable_buckets = 'open-data'\n",
        ":2: environments.dev.network.readable_buckets: is 'open-data'; allowed: a list",
        "give an allowed value",
    ),
    "hosts": (
        "[environments.dev.batch]\nmin_vcpus = 32\n",
        "batch.min_vcpus (32) is above batch.max_vcpus (16)",
        "change one of the values named",
    ),
    "name": (
        "[environments.dev]\nprofile = 'dev'\nname = 'mine'\n",
        ":3: environments.dev.name: cannot be set: it is what the profile is called",
        "remove the key",
    ),
    "stack name": (
        "[environments.dev]\nstack_name = 'mine'\n",
        ":2: environments.dev.stack_name: cannot be set: commands find a platform by it",
        "remove the key",
    ),
    "false for what must be there": (
        "[environments.dev]\nstorage = false\n",
        ":2: environments.dev.storage: is False; allowed: a table",
        "write a table of retain",
    ),
    "not a table": ("[environments]\ndev = 3\n", ":2: environments.dev: is 3; allowed: a table", "[environments.NAME]"),
    "top level": ("[environment.dev]\n", ":1: environment: unknown key; allowed: environments", "tables"),
    "syntax": (
        "[environments.dev]\nprofile = dev\n",
        "not valid TOML: Invalid value (at line 2, column 11)",
        "correct",
    ),
    "suffix": (
        "[environments.dev]\nenvironment_suffix = 'Has Space'\n",
        ":2: environments.dev.environment_suffix: is 'Has Space'; allowed: text matching ",
        "give an allowed value",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_named_with_line_key_value_and_what_is_allowed(tmp_path: Path, case: str) -> None:
    text, message, fix = BROKEN[case]
    path = write(tmp_path, text)
    with pytest.raises(ConfigurationError) as raised:
        load_environment("dev", tmp_path, environ={})
    assert str(path) in raised.value.message
    assert message in raised.value.message
    assert fix in raised.value.fix
    assert raised.value.exit_code == 2


def test_names_that_only_botocore_knows_are_taken(tmp_path: Path) -> None:
    """The table of sizes may be behind AWS; what botocore's models have is no mistake."""
    write(
        tmp_path,
        "[environments.dev]\nregion = 'us-gov-west-1'\nbatch.instance_types = ['x2idn.16xlarge']\n"
        "notebook.instance_type = 'ml.p4d.24xlarge'\n",
    )
    environment = load_environment("dev", tmp_path, environ={})
    assert environment.region == "us-gov-west-1"
    assert environment.profile.batch is not None and environment.profile.notebook is not None
    assert environment.profile.batch.instance_types == ("x2idn.16xlarge",)
    assert environment.profile.notebook.instance_type == "ml.p4d.24xlarge"


def test_an_unknown_environment_lists_those_there_are(tmp_path: Path) -> None:
    write(tmp_path, "[environments.dev]\n")
    with pytest.raises(ConfigurationError, match=r"'prod' is not defined in .*; defined: dev, local"):
        load_environment("prod", tmp_path, environ={})


def test_a_suffix_that_cannot_name_a_stack_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="environment suffix 'PR_1' is not allowed"):
        load_environment(start_dir=tmp_path, environ={"ENVIRONMENT_SUFFIX": "PR_1"})


def test_no_suffix_begins_another_with_a_hyphen(tmp_path: Path) -> None:
    """`dev-...` names the jobs of `dev`, and a role of `dev` may stop them: nobody else's may begin so."""
    with pytest.raises(ConfigurationError, match="environment suffix 'dev-two' is not allowed"):
        load_environment(start_dir=tmp_path, environ={"ENVIRONMENT_SUFFIX": "dev-two"})
