"""Databases, caches, search domains, brokers: nodes by the hour, storage by what is set aside."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from trainworks.assembly.graph import Graph, Resource
from trainworks.cost.metering import (
    BY_USE,
    Assumptions,
    Family,
    Meter,
    Reading,
    Unmetered,
    is_true,
    mapping,
    meter,
    whole_number,
)
from trainworks.cost.money import HOURS_PER_MONTH

_AURORA = ("aurora-mysql", "aurora-postgresql")
_OPEN = ("mariadb", "mysql", "postgres")
_LICENSED = ("oracle-se2", "sqlserver-ee", "sqlserver-ex", "sqlserver-se", "sqlserver-web")
_SERVERLESS = "db.serverless"
_CLUSTER = "the cluster's storage, by what is in it"


def nodes(service: str, kind: object, count: int | None, what: str = "") -> Iterator[Reading]:
    """`count` nodes of one type, day and night."""
    if not isinstance(kind, str) or count is None:
        yield Unmetered(f"type or number of its {what or 'nodes'} is not known before the deploy")
    elif count:
        label = f"{what}: {count} x {kind}" if what else f"{count} x {kind}"
        yield meter(label, f"cluster.{service}.{kind}", HOURS_PER_MONTH * count)


def database(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    """An instance of RDS, or one of an Aurora cluster, whose storage is the cluster's."""
    del assumptions
    cluster = graph.owner(resource.get("DBClusterIdentifier"))
    engine = resource.get("Engine", default=None if cluster is None else cluster.get("Engine"))
    kind = resource.get("DBInstanceClass")
    if engine in _AURORA:
        yield from _aurora_instance(str(engine), kind, cluster)
        return
    if resource.get("DBClusterIdentifier") is not None:
        yield Unmetered("its engine is its cluster's, which is not in the templates")
        return
    zones = "multi_az" if is_true(resource.get("MultiAZ")) else "single_az"
    licensed = engine in _LICENSED and resource.get("LicenseModel", default="license-included") == "license-included"
    if not isinstance(kind, str) or not isinstance(engine, str):
        yield Unmetered("its class or engine is not known before the deploy")
    elif engine in _OPEN or licensed:
        yield meter(f"{engine} on {kind}, {zones.replace('_', ' ')}", f"rds.{engine}.{zones}.{kind}", HOURS_PER_MONTH)
    else:
        yield Unmetered(f"instances of engine {engine} under this license are in no price table")
    yield from _database_storage(resource, zones)


def _aurora_instance(engine: str, kind: object, cluster: Resource | None) -> Iterator[Reading]:
    if kind == _SERVERLESS:
        limits = mapping(cluster.get("ServerlessV2ScalingConfiguration")) if cluster is not None else {}
        least, most = _capacity(limits.get("MinCapacity")), _capacity(limits.get("MaxCapacity"))
        if least is None:
            yield Unmetered("the least capacity of its cluster is not in the templates")
        else:
            yield meter(
                f"{least.normalize():f} capacity units at least",
                "rds.aurora_capacity",
                HOURS_PER_MONTH * least,
                at_most=None if most is None else HOURS_PER_MONTH * most,
            )
    elif isinstance(kind, str):
        yield meter(f"{engine} on {kind}", f"rds.{engine}.{kind}", HOURS_PER_MONTH)
    else:
        yield Unmetered("its class is not known before the deploy")


def _capacity(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        units = Decimal(str(value))
    except ArithmeticError:
        return None
    return units if units.is_finite() and units >= 0 else None


def _database_storage(resource: Resource, zones: str) -> Iterator[Reading]:
    size = whole_number(resource.get("AllocatedStorage"))
    if size is None:
        yield Unmetered("the size of its storage is not in its properties")
        return
    kind = resource.get("StorageType", default="gp2" if resource.get("Iops") is None else "io1")
    table = "storage_multi_az" if zones == "multi_az" else "storage"
    if kind not in ("gp2", "gp3") and (kind not in ("io1", "standard") or zones == "multi_az"):
        yield Unmetered(f"storage of type {kind}, {zones.replace('_', ' ')}, is in no price table")
        return
    yield meter(f"{size} GB of {kind}", f"rds.{table}.{kind}", size)
    iops = whole_number(resource.get("Iops"))
    if kind == "io1" and iops is not None:
        yield meter(f"{iops:,} IOPS", "rds.storage.io1.iops", iops)
    elif kind == "gp3" and (iops is not None or resource.get("StorageThroughput") is not None):
        yield Unmetered("IOPS and throughput above what comes with gp3 are in no price table")


def database_cluster(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    """Aurora's storage by use; instances are resources of their own, but for Multi-AZ clusters and serverless v1."""
    del graph, assumptions
    if resource.get("Engine") in _AURORA:
        yield meter(_CLUSTER, "rds.aurora_storage")
        if resource.get("EngineMode") == "serverless":
            yield Unmetered("serverless v1 capacity is in no price table")
        if str(resource.get("StorageType", default="")).startswith("aurora-iopt"):
            yield Unmetered("I/O-Optimized prices of Aurora are in no price table")
    else:
        yield Unmetered("the three instances and the storage of a Multi-AZ cluster are in no price table")


def document_cluster(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    """DocumentDB and Neptune: storage by use; instances are resources of their own."""
    del resource, graph, assumptions
    yield Meter(_CLUSTER, (), BY_USE)


def instances_of(service: str) -> Family:
    """One instance of a cluster of DocumentDB or Neptune."""

    def instance(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
        del graph, assumptions
        if resource.get("DBInstanceClass") == _SERVERLESS:
            yield Unmetered("serverless capacity is in no price table")
        else:
            yield from nodes(service, resource.get("DBInstanceClass"), 1)

    return instance


def cache_cluster(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    del graph, assumptions
    yield from _cache_nodes(resource, whole_number(resource.get("NumCacheNodes", default=1)))


def replication_group(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    """Each shard has a primary and its replicas."""
    del graph, assumptions
    shards, replicas = resource.get("NumNodeGroups"), resource.get("ReplicasPerNodeGroup")
    if shards is None and replicas is None:
        count = whole_number(resource.get("NumCacheClusters", default=1))
    else:
        groups, each = whole_number(1 if shards is None else shards), whole_number(0 if replicas is None else replicas)
        count = None if groups is None or each is None else groups * (1 + each)
    yield from _cache_nodes(resource, count)


def _cache_nodes(resource: Resource, count: int | None) -> Iterator[Reading]:
    if resource.get("Engine") == "valkey":
        yield Unmetered("nodes of engine valkey are in no price table")
    else:
        yield from nodes("elasticache", resource.get("CacheNodeType"), count)


def search_domain(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    """Data, master and warm nodes of OpenSearch, and each data node's volume."""
    del graph, assumptions
    config = mapping(resource.get("ClusterConfig", default=resource.get("ElasticsearchClusterConfig")))
    count = whole_number(config.get("InstanceCount", 1))
    yield from nodes("opensearch", _search_type(config.get("InstanceType", "m4.large.search")), count)
    if is_true(config.get("DedicatedMasterEnabled")):
        masters = whole_number(config.get("DedicatedMasterCount", 3))
        yield from nodes("opensearch", _search_type(config.get("DedicatedMasterType")), masters, "master nodes")
    if is_true(config.get("WarmEnabled")):
        yield from nodes("opensearch", config.get("WarmType"), whole_number(config.get("WarmCount")), "warm nodes")
    volume = mapping(resource.get("EBSOptions"))
    if not is_true(volume.get("EBSEnabled")):
        return
    size, kind = whole_number(volume.get("VolumeSize")), volume.get("VolumeType", "gp2")
    if size is None or count is None or kind not in ("gp2", "gp3", "io1", "standard"):
        yield Unmetered("size or type of its volumes is not known before the deploy")
    else:
        yield meter(f"{size} GB of {kind} of each of {count}", f"opensearch.{kind}", size * count)
    if volume.get("Iops") is not None or volume.get("Throughput") is not None:
        yield Unmetered("IOPS and throughput of its volumes are in no price table")


def _search_type(name: object) -> object:
    """Elasticsearch domains say `.elasticsearch` where OpenSearch says `.search`; AWS bills both alike."""
    return name.replace(".elasticsearch", ".search") if isinstance(name, str) else name


def warehouse(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    """Nodes of Redshift; a single-node cluster has one."""
    del graph, assumptions
    single = resource.get("ClusterType") == "single-node"
    count = 1 if single else whole_number(resource.get("NumberOfNodes", default=1))
    yield from nodes("redshift", resource.get("NodeType"), count)


def kafka_cluster(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    """Brokers of MSK, and the volume of each."""
    del graph, assumptions
    brokers = whole_number(resource.get("NumberOfBrokerNodes"))
    kind = resource.get("BrokerNodeGroupInfo", "InstanceType")
    yield from nodes("msk", kind, brokers)
    size = whole_number(
        resource.get("BrokerNodeGroupInfo", "StorageInfo", "EBSStorageInfo", "VolumeSize", default=1000)
    )
    if str(kind).startswith("express."):
        yield Meter("storage by what is in it", (), BY_USE)
    elif size is None or brokers is None:
        yield Unmetered("the size of its brokers' volumes is not known before the deploy")
    else:
        yield meter(f"{size} GB of each of {brokers} brokers", "msk.storage", size * brokers)


_BROKERS = {"SINGLE_INSTANCE": 1, "ACTIVE_STANDBY_MULTI_AZ": 2, "CLUSTER_MULTI_AZ": 3}


def message_broker(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    del graph, assumptions
    count = _BROKERS.get(str(resource.get("DeploymentMode")))
    yield from nodes("mq", resource.get("HostInstanceType"), count, "brokers")
    yield Meter("storage by what is in it", (), BY_USE)


def airflow(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    """An environment of MWAA has its scheduler, web servers and first worker in its price."""
    del graph, assumptions
    yield from nodes("mwaa", resource.get("EnvironmentClass", default="mw1.small"), 1)
    workers = whole_number(resource.get("MinWorkers", default=1))
    if workers is None or workers > 1:
        yield Unmetered("workers that it keeps beyond the first are in no price table")
    yield meter("its database, by what is in it", "mwaa.storage")
