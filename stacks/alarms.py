"""The alarms, their thresholds, and the topic that they notify."""

from collections.abc import Iterator
from dataclasses import dataclass

from aws_cdk import Aws
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from stacks.function import Function
from stacks.metrics import FIVE_MINUTES, handler_metric, throttle_metrics
from stacks.settings import Settings
from stacks.tables import Tables

REFUSED_TOKENS = 50
"""In five minutes: more than a page left open overnight, fewer than someone guessing tokens."""


@dataclass(frozen=True, slots=True)
class AlarmSpec:
    """One alarm: `metric` above `limit` in `breaches` of the last `periods` of five minutes."""

    name: str
    metric: cloudwatch.IMetric
    limit: float
    text: str
    breaches: int = 1
    periods: int = 1


def alarm_specs(settings: Settings, function: Function, tables: Tables) -> tuple[AlarmSpec, ...]:
    """Return every alarm, with the sentence that its notification begins with."""
    run = function.function
    p99 = run.metric_duration(statistic="p99", period=FIVE_MINUTES)
    return (
        AlarmSpec(
            "Errors",
            run.metric_errors(period=FIVE_MINUTES),
            0,
            "The function failed or timed out: see its log for the traceback.",
        ),
        AlarmSpec(
            "Throttles",
            run.metric_throttles(period=FIVE_MINUTES),
            0,
            "Lambda refused invocations: raise reserved_concurrency or the account's quota.",
        ),
        AlarmSpec(
            "Slow",
            p99,
            settings.alarm_p99_ms,
            "One message in a hundred takes too long: look at throttled tables and posts first.",
            breaches=3,
            periods=5,
        ),
        AlarmSpec(
            "InternalErrors",
            handler_metric(settings, "InternalErrors"),
            0,
            "A message failed with an internal error: find its request id in the function's log.",
        ),
        AlarmSpec(
            "TokensRefused",
            handler_metric(settings, "TokensRefused"),
            REFUSED_TOKENS,
            "Many connections were refused for their tokens: the dashboard shows the reasons.",
        ),
        *_throttle_alarms(tables),
    )


def _throttle_alarms(tables: Tables) -> Iterator[AlarmSpec]:
    for name, metric in throttle_metrics(tables).items():
        text = f"DynamoDB throttled {name}: raise capacity_max, or choose capacity on-demand."
        yield AlarmSpec(f"{name}Throttled", metric, 0, text)


class Alarms(Construct):
    """Every alarm, and the topic that they notify."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        function: Function,
        tables: Tables,
    ) -> None:
        super().__init__(scope, construct_id)
        self.topic = self._topic(settings)
        self.alarms = [
            self._alarm(settings, spec) for spec in alarm_specs(settings, function, tables)
        ]

    def _topic(self, settings: Settings) -> sns.Topic:
        topic = sns.Topic(self, "Topic", enforce_ssl=True)
        # A topic's own policy replaces the default one, which allows CloudWatch to publish.
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                actions=["sns:Publish"],
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                resources=[topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
            )
        )
        if settings.alarm_email:
            topic.add_subscription(subscriptions.EmailSubscription(settings.alarm_email))
        return topic

    def _alarm(self, settings: Settings, spec: AlarmSpec) -> cloudwatch.Alarm:
        alarm = cloudwatch.Alarm(
            self,
            spec.name,
            alarm_description=f"robosignal ({settings.stage}): {spec.text}",
            metric=spec.metric,
            threshold=spec.limit,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            datapoints_to_alarm=spec.breaches,
            evaluation_periods=spec.periods,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(actions.SnsAction(self.topic))
        alarm.add_ok_action(actions.SnsAction(self.topic))
        return alarm
