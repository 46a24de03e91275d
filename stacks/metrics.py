"""The metrics that alarms and the dashboard watch: the handler's own, and AWS's of the parts.

Owns names and dimensions. The handler's stand in `robosignal.server.aws.metrics`, which a test
compares with these.
"""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb

from stacks.grants import CONNECTIONS_ACTIONS, QUERY, ROBOTS_ACTIONS
from stacks.settings import Settings
from stacks.tables import Tables

NAMESPACE = "robosignal"
STAGE = "Stage"
SUM = "Sum"

FIVE_MINUTES = Duration.minutes(5)


def own(settings: Settings, name: str, statistic: str = SUM) -> cloudwatch.Metric:
    """Return a metric of the handler's, by the deployment's stage alone."""
    return cloudwatch.Metric(
        namespace=NAMESPACE,
        metric_name=name,
        dimensions_map={STAGE: settings.stage},
        statistic=statistic,
        period=FIVE_MINUTES,
    )


def own_by(settings: Settings, name: str, *dimensions: str) -> cloudwatch.MathExpression:
    """Return a metric of the handler's as one line for each value of these dimensions."""
    schema = ",".join((NAMESPACE, STAGE, *dimensions))
    search = f'{{{schema}}} MetricName="{name}" {STAGE}="{settings.stage}"'
    return cloudwatch.MathExpression(
        expression=f"SEARCH('{search}', 'Sum')",
        using_metrics={},
        period=FIVE_MINUTES,
        label="",
    )


def throttled(tables: Tables) -> dict[str, cloudwatch.Metric]:
    """Return how many requests of each kind that the handler makes were throttled, by a name.

    DynamoDB counts the requests to a table and its indexes together, by operation.
    """
    of = {
        "Connections": (tables.connections, CONNECTIONS_ACTIONS),
        "Robots": (tables.robots, ROBOTS_ACTIONS),
    }
    return {
        f"{name}{operation}": _throttled(table, operation)
        for name, (table, actions) in of.items()
        for operation in _operations(actions)
    }


def _operations(actions: tuple[str, ...]) -> list[str]:
    return [action.partition(":")[2] for action in (*actions, QUERY)]


def _throttled(table: dynamodb.Table, operation: str) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace="AWS/DynamoDB",
        metric_name="ThrottledRequests",
        dimensions_map={"TableName": table.table_name, "Operation": operation},
        statistic=SUM,
        period=FIVE_MINUTES,
    )
