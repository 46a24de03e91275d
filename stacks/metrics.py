"""The metrics of alarms and dashboard: the handler's own, and AWS's of the parts.

The handler defines its own in `robosignal.server.aws.metrics`; a test compares the names.
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


def handler_metric(settings: Settings, name: str, statistic: str = SUM) -> cloudwatch.Metric:
    """Return a metric of the handler's, by the deployment's stage alone."""
    return cloudwatch.Metric(
        namespace=NAMESPACE,
        metric_name=name,
        dimensions_map={STAGE: settings.stage},
        statistic=statistic,
        period=FIVE_MINUTES,
    )


def handler_metric_by(settings: Settings, name: str, *dimensions: str) -> cloudwatch.MathExpression:
    """Return a metric of the handler's with one line for each value of these dimensions."""
    schema = ",".join((NAMESPACE, STAGE, *dimensions))
    search = f'{{{schema}}} MetricName="{name}" {STAGE}="{settings.stage}"'
    return cloudwatch.MathExpression(
        expression=f"SEARCH('{search}', 'Sum')",
        using_metrics={},
        period=FIVE_MINUTES,
        label="",
    )


def throttle_metrics(tables: Tables) -> dict[str, cloudwatch.Metric]:
    """Return the count of throttled requests for each kind of request that the handler makes.

    DynamoDB counts the requests to a table and its indexes together, by operation.
    """
    of = {
        "Connections": (tables.connections, CONNECTIONS_ACTIONS),
        "Robots": (tables.robots, ROBOTS_ACTIONS),
    }
    return {
        f"{name}{operation}": _throttle_metric(table, operation)
        for name, (table, actions) in of.items()
        for operation in _operations(actions)
    }


def _operations(actions: tuple[str, ...]) -> list[str]:
    return [action.partition(":")[2] for action in (*actions, QUERY)]


def _throttle_metric(table: dynamodb.Table, operation: str) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace="AWS/DynamoDB",
        metric_name="ThrottledRequests",
        dimensions_map={"TableName": table.table_name, "Operation": operation},
        statistic=SUM,
        period=FIVE_MINUTES,
    )
