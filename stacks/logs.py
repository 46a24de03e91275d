"""Log groups that the stack owns, so that their retention is the settings'."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks.settings import LogDays, Settings

RETENTION: dict[LogDays, logs.RetentionDays] = {
    1: logs.RetentionDays.ONE_DAY,
    7: logs.RetentionDays.ONE_WEEK,
    14: logs.RetentionDays.TWO_WEEKS,
    30: logs.RetentionDays.ONE_MONTH,
    90: logs.RetentionDays.THREE_MONTHS,
    180: logs.RetentionDays.SIX_MONTHS,
    365: logs.RetentionDays.ONE_YEAR,
    731: logs.RetentionDays.TWO_YEARS,
    3653: logs.RetentionDays.TEN_YEARS,
}


def add_log_group(scope: Construct, construct_id: str, settings: Settings) -> logs.LogGroup:
    """Return a log group with the settings' retention. In production it outlives the stack."""
    return logs.LogGroup(
        scope,
        construct_id,
        retention=RETENTION[settings.log_days],
        removal_policy=RemovalPolicy.RETAIN if settings.is_production else RemovalPolicy.DESTROY,
    )
