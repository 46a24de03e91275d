"""What wakes somebody: alarms on one topic.

Owns thresholds. Must never know how a metric is made.
"""

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
from stacks.metrics import FIVE_MINUTES, own, throttled
from stacks.settings import Settings
from stacks.tables import Tables

REFUSED_TOKENS = 50
"""In five minutes: more than a page left open overnight, fewer than somebody who tries keys."""


@dataclass(frozen=True, slots=True)
class Watch:
    """One alarm: `metric` above `limit`, in `late` of the last `of` five minutes."""

    name: str
    metric: cloudwatch.IMetric
    limit: float
    says: str
    late: int = 1
    of: int = 1


def watches(settings: Settings, function: Function, tables: Tables) -> tuple[Watch, ...]:
    """Return every alarm, with the sentence that it says first."""
    run = function.function
    p99 = run.metric_duration(statistic="p99", period=FIVE_MINUTES)
    return (
        Watch(
            "Errors",
            run.metric_errors(period=FIVE_MINUTES),
            0,
            "The function failed or timed out: see its log for the traceback.",
        ),
        Watch(
            "Throttles",
            run.metric_throttles(period=FIVE_MINUTES),
            0,
            "Lambda refused invocations: raise reserved_concurrency or the account's quota.",
        ),
        Watch(
            "Slow",
            p99,
            settings.alarm_p99_ms,
            "One message in a hundred takes too long: see throttled tables and posts first.",
            late=3,
            of=5,
        ),
        Watch(
            "InternalErrors",
            own(settings, "InternalErrors"),
            0,
            "A message met an error of ours: the log has it under the request id that was told.",
        ),
        Watch(
            "TokensRefused",
            own(settings, "TokensRefused"),
            REFUSED_TOKENS,
            "Many connections were refused for their tokens: the dashboard says for what reason.",
        ),
        *_throttled(tables),
    )


def _throttled(tables: Tables) -> Iterator[Watch]:
    for name, metric in throttled(tables).items():
        says = f"DynamoDB throttled {name}: raise capacity_max, or choose capacity on-demand."
        yield Watch(f"{name}Throttled", metric, 0, says)


class Alarms(Construct):
    """Every alarm, and the topic that they tell."""

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
            self._alarm(settings, watch) for watch in watches(settings, function, tables)
        ]

    def _topic(self, settings: Settings) -> sns.Topic:
        topic = sns.Topic(self, "Topic", enforce_ssl=True)
        # A topic's own policy replaces the default one, which would have let CloudWatch in.
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

    def _alarm(self, settings: Settings, watch: Watch) -> cloudwatch.Alarm:
        alarm = cloudwatch.Alarm(
            self,
            watch.name,
            alarm_description=f"robosignal ({settings.stage}): {watch.says}",
            metric=watch.metric,
            threshold=watch.limit,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            datapoints_to_alarm=watch.late,
            evaluation_periods=watch.of,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(actions.SnsAction(self.topic))
        alarm.add_ok_action(actions.SnsAction(self.topic))
        return alarm
