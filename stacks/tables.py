"""The two tables: connections, which are short-lived, and robots, which are kept."""

from dataclasses import dataclass

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from stacks.nag import accept
from stacks.settings import Settings

BUSY_PERCENT = 70
"""Provisioned capacity grows when more than this part of it is used."""


@dataclass(frozen=True, slots=True)
class Index:
    """A global secondary index: its key, and the attributes that it has besides the keys."""

    name: str
    key: str
    also: tuple[str, ...] = ()


CONNECTIONS_KEY = "connectionId"
TTL = "ttl"
# Sparse: it has only connections that watch. A push needs their ids and when they expire.
CONNECTIONS_INDEXES = (Index("watchers", "watcherUserId", ("expiresAt",)),)

ROBOTS_KEY = "robotId"
# Keys only, so that a change of control, the most frequent write, changes no index.
ROBOTS_INDEXES = (
    Index("owners", "ownerUserId"),
    Index("operators", "operatorUserId"),
    Index("fleet", "fleetShard"),
)


class Tables(Construct):
    """The connections table and the robots table."""

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings) -> None:
        super().__init__(scope, construct_id)
        self.connections = _table(
            self, "Connections", settings, CONNECTIONS_KEY, CONNECTIONS_INDEXES, ttl=TTL
        )
        # Only codes have a `ttl`: ownership and the epoch outlive every connection.
        self.robots = _table(self, "Robots", settings, ROBOTS_KEY, ROBOTS_INDEXES, ttl=TTL)


def _table(
    scope: Construct,
    construct_id: str,
    settings: Settings,
    key: str,
    indexes: tuple[Index, ...],
    *,
    ttl: str,
) -> dynamodb.Table:
    fixed = settings.capacity == "provisioned"
    billing = dynamodb.BillingMode
    table = dynamodb.Table(
        scope,
        construct_id,
        partition_key=_key(key),
        billing_mode=billing.PROVISIONED if fixed else billing.PAY_PER_REQUEST,
        read_capacity=settings.capacity_min if fixed else None,
        write_capacity=settings.capacity_min if fixed else None,
        time_to_live_attribute=ttl,
        point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
            point_in_time_recovery_enabled=settings.is_production
        ),
        deletion_protection=settings.is_production,
        removal_policy=RemovalPolicy.RETAIN if settings.is_production else RemovalPolicy.DESTROY,
    )
    for index in indexes:
        _add_index(table, index)
    if fixed:
        _scale(table, settings, indexes)
    if not settings.is_production:
        accept(table, "DDB3", "a sandbox's robots are registered again rather than restored")
    return table


def _key(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)


def _add_index(table: dynamodb.Table, index: Index) -> None:
    projection = dynamodb.ProjectionType
    table.add_global_secondary_index(
        index_name=index.name,
        partition_key=_key(index.key),
        projection_type=projection.INCLUDE if index.also else projection.KEYS_ONLY,
        non_key_attributes=list(index.also) or None,
    )


def _scale(table: dynamodb.Table, settings: Settings, indexes: tuple[Index, ...]) -> None:
    bounds = {"min_capacity": settings.capacity_min, "max_capacity": settings.capacity_max}
    scaled = [table.auto_scale_read_capacity(**bounds), table.auto_scale_write_capacity(**bounds)]
    for index in indexes:
        scaled += [
            table.auto_scale_global_secondary_index_read_capacity(index.name, **bounds),
            table.auto_scale_global_secondary_index_write_capacity(index.name, **bounds),
        ]
    for one in scaled:
        one.scale_on_utilization(target_utilization_percent=BUSY_PERCENT)
