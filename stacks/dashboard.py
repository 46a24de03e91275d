"""The operators' dashboard: alarms, traffic, refusals, and the load on each part."""

from collections.abc import Sequence

from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from stacks.alarms import Alarms
from stacks.api import Api
from stacks.function import Function
from stacks.metrics import (
    FIVE_MINUTES,
    handler_metric,
    handler_metric_by,
    throttle_metrics,
)
from stacks.settings import Settings
from stacks.tables import Tables

WIDTH = 24
THIRD = WIDTH // 3
HEIGHT = 6


class Dashboard(Construct):
    """Alarms on top, then traffic and refusals, then the function and the tables."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        api: Api,
        function: Function,
        tables: Tables,
        alarms: Alarms,
    ) -> None:
        super().__init__(scope, construct_id)
        cloudwatch.Dashboard(
            self,
            "Board",
            widgets=[
                [_status(alarms)],
                _traffic(settings, api),
                _refusals(settings),
                _parts(function, tables),
            ],
        )


def _status(alarms: Alarms) -> cloudwatch.IWidget:
    return cloudwatch.AlarmStatusWidget(
        title="Alarms", alarms=alarms.alarms, width=WIDTH, height=HEIGHT // 2
    )


def _traffic(settings: Settings, api: Api) -> list[cloudwatch.IWidget]:
    latency = [
        handler_metric(settings, "RelayLatency", statistic) for statistic in ("p50", "p95", "p99")
    ]
    return [
        _graph("Messages by type", [handler_metric_by(settings, "Messages", "Type", "Outcome")]),
        _graph("Relay latency, ms", latency),
        _graph(
            "Connections and frames",
            [
                api.stage.metric(name, statistic="Sum", period=FIVE_MINUTES)
                for name in ("ConnectCount", "MessageCount")
            ],
        ),
    ]


def _refusals(settings: Settings) -> list[cloudwatch.IWidget]:
    return [
        _graph(
            "Tokens refused, by reason", [handler_metric_by(settings, "TokensRefused", "Reason")]
        ),
        _graph("Control", [handler_metric(settings, name) for name in ("Takeovers", "Conflicts")]),
        _graph(
            "Lost and failed",
            [
                handler_metric(settings, name)
                for name in ("GoneConnections", "Undelivered", "InternalErrors")
            ],
        ),
    ]


def _parts(function: Function, tables: Tables) -> list[cloudwatch.IWidget]:
    run = function.function
    return [
        _graph(
            "Function: errors, throttles, at once",
            [
                run.metric_errors(period=FIVE_MINUTES),
                run.metric_throttles(period=FIVE_MINUTES),
                run.metric("ConcurrentExecutions", statistic="Maximum", period=FIVE_MINUTES),
            ],
        ),
        _graph(
            "Function: duration, ms",
            [
                run.metric_duration(statistic=statistic, period=FIVE_MINUTES)
                for statistic in ("p50", "p99")
            ],
        ),
        _graph(
            "Tables: throttled requests",
            list(throttle_metrics(tables).values()),
        ),
    ]


def _graph(title: str, metrics: Sequence[cloudwatch.IMetric]) -> cloudwatch.IWidget:
    return cloudwatch.GraphWidget(title=title, left=metrics, width=THIRD, height=HEIGHT)
