"""What follows from the declaration of a kind: of those that there are, and of kinds that only this test declares."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.unit.twin.services.fakes import CALLER, FakeControlPlane
from trainworks.twin.ports import ApiError, Caller
from trainworks.twin.recorded import Record, RecordedStore, Rows
from trainworks.twin.services.sagemaker import notebooks
from trainworks.twin.services.sagemaker.kinds import LIST_MEMBERS, Kind, RecordedKind
from trainworks.twin.services.sagemaker.tagging import Tagging
from trainworks.twin.store import Database
from trainworks.twin.wire import Endpoint
from trainworks.twin.wire.models import service_model

ROLE = "arn:aws:iam::000000000000:role/notebooks"
INSTANCE = {"InstanceType": "ml.t3.medium", "RoleArn": ROLE}

MODEL = Kind("Model", "model", "Stored.", role="ExecutionRoleArn", unknown=lambda arn: ApiError("E", f"no model {arn}"))


def _models_are_there(rows: Rows, caller: Caller, spec: Mapping[str, Any]) -> None:
    for variant in spec["ProductionVariants"]:
        MODEL.found(rows, MODEL.arn(caller, variant["ModelName"]))


CONFIG = Kind("EndpointConfig", "endpoint-config", "Stored.", admit=_models_are_there)


def _is_empty(rows: Rows, record: Record) -> None:
    if rows.first("sagemaker:model-package", record.scope, parent=record.id) is not None:
        raise ApiError("ConflictException", "it holds packages")


GROUP = Kind("ModelPackageGroup", "model-package-group", "Stored.", order="Ascending", may_delete=_is_empty)
KINDS = (*notebooks.KINDS, MODEL, CONFIG, GROUP)


class SageMaker:
    """All of these kinds behind one endpoint. The clock stands still until the test moves it."""

    def __init__(self, folder: Path) -> None:
        self.now = 1_000.0
        self.database = Database(folder / "twin.db")
        self.store = RecordedStore(self.database, clock=lambda: self.now)
        self.control_plane = FakeControlPlane()
        kinds = [RecordedKind(kind, self.store, self.control_plane) for kind in KINDS]
        operations = {name: entry for each in kinds for name, entry in each.operations().items()}
        tagging = Tagging(self.store, self.control_plane, {each.kind.arn_type: each.exists for each in kinds})
        self.endpoint = Endpoint("sagemaker", operations | dict(tagging.operations()))

    def __call__(self, operation: str, **params: Any) -> Mapping[str, Any]:
        return self.endpoint.invoke(operation, params, CALLER)

    def names(self, **asked: Any) -> list[str]:
        """Of the notebook instances, page by page."""
        found, token = [], {}
        while True:
            answer = self("ListNotebookInstances", **asked, **token)
            found += [each["NotebookInstanceName"] for each in answer["NotebookInstances"]]
            if answer["NextToken"] is None:
                return found
            token = {"NextToken": answer["NextToken"]}


@pytest.fixture
def sagemaker(tmp_path: Path) -> Iterator[SageMaker]:
    made = SageMaker(tmp_path)
    yield made
    made.database.close()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.noun)
def test_a_kind_knows_each_member_of_its_list_and_how_it_is_sorted(kind: Kind) -> None:
    shape = service_model("sagemaker").operation_model(f"List{kind.noun}s").input_shape
    assert shape is not None
    known = LIST_MEMBERS | kind.filters.keys() | {f"{kind.noun}NamePrefix", "CrossAccountFilterOption"}
    assert set(shape.members) <= known
    assert kind.sort_by in shape.members["SortBy"].enum


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.noun)
def test_what_a_declaration_names_are_members_of_the_model(kind: Kind) -> None:
    members: dict[str, Any] = {}
    for verb in ("Create", "Update") if kind.has_update else ("Create",):
        shape = service_model("sagemaker").operation_model(f"{verb}{kind.noun}").input_shape
        members |= shape.members if shape is not None else {}
    described = service_model("sagemaker").operation_model(f"Describe{kind.noun}").output_shape
    assert described is not None
    assert {*kind.shown, *kind.removed, *kind.removed.values(), *filter(None, [kind.role])} <= members.keys()
    status = {kind.status.member} if kind.status else set()
    assert {*kind.shown.values(), *kind.defaults, *status} <= described.members.keys()


def test_pages_filters_and_orders_of_a_list(sagemaker: SageMaker) -> None:
    sagemaker("CreateNotebookInstanceLifecycleConfig", NotebookInstanceLifecycleConfigName="Stop-Idle")
    more: dict[str, dict[str, Any]] = {
        "b": {"LifecycleConfigName": "Stop-Idle"},
        "Ca": {"DefaultCodeRepository": "https://example.com/code"},
        "a": {"AdditionalCodeRepositories": ["https://example.com/more"]},
    }
    for name, members in more.items():
        sagemaker("CreateNotebookInstance", NotebookInstanceName=name, **INSTANCE, **members)
        sagemaker.now += 10
    sagemaker("StartNotebookInstance", NotebookInstanceName="b")
    assert sagemaker.names() == ["Ca", "a", "b"]
    assert sagemaker.names(SortOrder="Descending", MaxResults=1) == ["b", "a", "Ca"]
    assert sagemaker.names(SortBy="CreationTime", MaxResults=2) == ["b", "Ca", "a"]
    assert sagemaker.names(SortBy="Status") == ["b", "Ca", "a"]
    assert sagemaker.names(NameContains="A") == ["Ca", "a"]
    assert sagemaker.names(StatusEquals="Stopped", SortBy="CreationTime") == ["Ca", "a"]
    moment = datetime.fromtimestamp(1_010, UTC)
    assert sagemaker.names(CreationTimeAfter=moment) == ["a"]
    assert sagemaker.names(CreationTimeBefore=moment) == ["b"]
    assert sagemaker.names(LastModifiedTimeAfter=moment) == ["a", "b"]
    assert sagemaker.names(NotebookInstanceLifecycleConfigNameContains="idle") == ["b"]
    assert sagemaker.names(DefaultCodeRepositoryContains="code") == ["Ca"]
    assert sagemaker.names(AdditionalCodeRepositoryEquals="https://example.com/more") == ["a"]


def test_an_instance_is_created_once_changed_when_it_is_stopped_and_gone_with_its_tags(sagemaker: SageMaker) -> None:
    create = {"NotebookInstanceName": "Mine", **INSTANCE}
    arn = sagemaker("CreateNotebookInstance", **create, Tags=[{"Key": "a", "Value": "1"}])["NotebookInstanceArn"]
    with pytest.raises(ApiError, match="already existing resource"):
        sagemaker("CreateNotebookInstance", **(create | {"NotebookInstanceName": "mine"}))
    sagemaker("StartNotebookInstance", NotebookInstanceName="mine")
    for operation in ("UpdateNotebookInstance", "DeleteNotebookInstance", "StartNotebookInstance"):
        with pytest.raises(ApiError, match=r"Status \(InService\) not in \(\[Stopped\]\).*Notebook Instance"):
            sagemaker(operation, NotebookInstanceName="Mine")
    sagemaker("StopNotebookInstance", NotebookInstanceName="Mine")
    with pytest.raises(ApiError, match=r"RecordNotFound: .*lifecycle-config/none"):
        sagemaker("UpdateNotebookInstance", NotebookInstanceName="Mine", LifecycleConfigName="none")
    sagemaker("UpdateNotebookInstance", NotebookInstanceName="Mine", DefaultCodeRepository="code", VolumeSizeInGB=6)
    sagemaker("UpdateNotebookInstance", NotebookInstanceName="Mine", DisassociateDefaultCodeRepository=True)
    shown = sagemaker("DescribeNotebookInstance", NotebookInstanceName="mINE")
    assert (shown["NotebookInstanceName"], shown["VolumeSizeInGB"], shown["RootAccess"]) == ("Mine", 6, "Enabled")
    assert not {"DefaultCodeRepository", "Tags"} & shown.keys()
    assert sagemaker("ListTags", ResourceArn=arn)["Tags"] == [{"Key": "a", "Value": "1"}]
    sagemaker("DeleteNotebookInstance", NotebookInstanceName="Mine")
    for operation in ("DescribeNotebookInstance", "DeleteNotebookInstance", "StopNotebookInstance"):
        with pytest.raises(ApiError, match="RecordNotFound"):
            sagemaker(operation, NotebookInstanceName="Mine")
    with pytest.raises(ApiError, match="Requested resource not found"):
        sagemaker("ListTags", ResourceArn=arn)
    sagemaker("CreateNotebookInstance", **create)
    assert sagemaker("ListTags", ResourceArn=arn)["Tags"] == []


def test_tags_are_checked_before_anything_is_stored(sagemaker: SageMaker) -> None:
    def create(tags: list[dict[str, str]]) -> None:
        sagemaker("CreateModel", ModelName="m", Tags=tags)

    with pytest.raises(ApiError, match="Duplicate tag keys"):
        create([{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}])
    sagemaker.control_plane.denied.append(("sagemaker:AddTags", "arn:aws:sagemaker"))
    with pytest.raises(ApiError, match="may not sagemaker:AddTags"):
        create([{"Key": "a", "Value": "1"}])
    sagemaker.control_plane.denied.clear()
    assert sagemaker("ListModels")["Models"] == []
    create([{"Key": f"k{number}", "Value": ""} for number in range(50)])
    arn = sagemaker("DescribeModel", ModelName="m")["ModelArn"]
    with pytest.raises(ApiError, match="at most 50 tags"):
        sagemaker("AddTags", ResourceArn=arn, Tags=[{"Key": "more", "Value": ""}])
    sagemaker("DeleteTags", ResourceArn=arn, TagKeys=[f"k{number}" for number in range(49)])
    assert sagemaker("ListTags", ResourceArn=arn)["Tags"] == [{"Key": "k49", "Value": ""}]


def test_further_kinds_take_a_declaration_each(sagemaker: SageMaker) -> None:
    variant = {"VariantName": "v", "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    config = {"EndpointConfigName": "c", "ProductionVariants": [variant]}
    with pytest.raises(ApiError, match="no model arn:aws:sagemaker:us-east-1:000000000000:model/m"):
        sagemaker("CreateEndpointConfig", **config)
    sagemaker("CreateModel", ModelName="m", ExecutionRoleArn=ROLE, PrimaryContainer={"Image": "i"})
    assert sagemaker.control_plane.passed == [(ROLE, "sagemaker.amazonaws.com")]
    sagemaker("CreateEndpointConfig", **config)
    assert sagemaker("DescribeEndpointConfig", EndpointConfigName="c")["ProductionVariants"] == [variant]
    with pytest.raises(ApiError, match="UpdateModel"):
        sagemaker("UpdateModel", ModelName="m")
    arn = sagemaker("CreateModelPackageGroup", ModelPackageGroupName="g")["ModelPackageGroupArn"]
    package = Record(f"{arn}/1", "sagemaker:model-package", "000000000000/us-east-1", "g/1", parent=arn)
    sagemaker.store.change(lambda rows: rows.insert(package))
    with pytest.raises(ApiError, match="it holds packages"):
        sagemaker("DeleteModelPackageGroup", ModelPackageGroupName="g")
    sagemaker.store.change(lambda rows: rows.delete(package))
    sagemaker("DeleteModelPackageGroup", ModelPackageGroupName="g")
    assert sagemaker("ListModelPackageGroups")["ModelPackageGroupSummaryList"] == []


def test_of_many_who_create_one_name_one_has_made_it(sagemaker: SageMaker) -> None:
    outcomes: list[str] = []

    def create() -> None:
        try:
            sagemaker("CreateModel", ModelName="m")
            outcomes.append("made")
        except ApiError as error:
            outcomes.append(error.code)

    run_at_once(create, 12)
    assert sorted(outcomes) == ["ValidationException"] * 11 + ["made"]


def test_updates_of_different_members_at_once_are_all_there(sagemaker: SageMaker) -> None:
    sagemaker("CreateNotebookInstance", NotebookInstanceName="n", **INSTANCE)
    changes: list[dict[str, Any]] = [
        {"InstanceType": "ml.t3.large"},
        {"VolumeSizeInGB": 9},
        {"RootAccess": "Disabled"},
        {"DefaultCodeRepository": "code"},
        {"PlatformIdentifier": "notebook-al2-v2"},
    ]
    turns = iter(changes * 4)
    run_at_once(lambda: sagemaker("UpdateNotebookInstance", NotebookInstanceName="n", **next(turns)), 4 * len(changes))
    shown = sagemaker("DescribeNotebookInstance", NotebookInstanceName="n")
    assert all(change.items() <= shown.items() for change in changes)


def run_at_once(work: Callable[[], object], count: int) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_script_or_a_network_that_cannot_be_is_refused(sagemaker: SageMaker) -> None:
    wrong: list[dict[str, Any]] = [{"DirectInternetAccess": "Disabled"}, {"SubnetId": "subnet-missing"}]
    for members in [*wrong, {"SecurityGroupIds": ["sg-missing"]}, {"LifecycleConfigName": "none"}]:
        with pytest.raises(ApiError):
            sagemaker("CreateNotebookInstance", NotebookInstanceName="n", **INSTANCE, **members)
    for content in ("not base64!", "A", "\u00e9"):
        with pytest.raises(ApiError, match="OnStart"):
            sagemaker(
                "CreateNotebookInstanceLifecycleConfig",
                NotebookInstanceLifecycleConfigName="c",
                OnStart=[{"Content": content}],
            )
    assert sagemaker.names() == []
