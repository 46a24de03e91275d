"""The Lambda function: runtime, role, log group, the alias that the API invokes, its schedule."""

from pathlib import Path

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from robosignal.protocol.limits import SEED_KEEPALIVE_SECONDS
from stacks.logs import add_log_group
from stacks.nag import accept, accept_warning
from stacks.settings import Runtime, Settings

HANDLER = "signaling.handler.handler"
TIMEOUT_SECONDS = 10
"""Longer than the handler's own retries, which may take eight seconds."""

RUNTIMES: dict[Runtime, lambda_.Runtime] = {
    "python3.11": lambda_.Runtime.PYTHON_3_11,
    "python3.12": lambda_.Runtime.PYTHON_3_12,
    "python3.13": lambda_.Runtime.PYTHON_3_13,
    "python3.14": lambda_.Runtime.PYTHON_3_14,
}
LATEST = "python3.14"


class Function(Construct):
    """The one function, a version of it for each deployment, and the alias `live` on the newest."""

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: Settings, asset: Path
    ) -> None:
        super().__init__(scope, construct_id)
        self.log_group = add_log_group(self, "Logs", settings)
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        self.log_group.grant_write(self.role)
        self.function = self._function(settings, asset)
        version = self.function.current_version
        self.live = lambda_.Alias(self, "Live", alias_name="live", version=version)
        accept_warning(
            self.function,
            "@aws-cdk/aws-lambda:snapStartRequirePublish",
            "the API invokes the alias, which is on a published version",
        )
        if settings.lambda_runtime != LATEST:
            accept(self.function, "L1", "an emulator runs the Python that it has")

    def keep_seeds_alive(self) -> None:
        """Invoke the alias on a schedule, at which the handler keeps seed connections open."""
        rule = events.Rule(
            self,
            "Keepalive",
            description="Keeps the connections of seed robots and pages from being idle",
            schedule=events.Schedule.rate(Duration.seconds(SEED_KEEPALIVE_SECONDS)),
        )
        # No retries: the next run does all that a failed one would have done.
        rule.add_target(targets.LambdaFunction(self.live, retry_attempts=0))

    def _function(self, settings: Settings, asset: Path) -> lambda_.Function:
        architectures = lambda_.Architecture
        arm = settings.lambda_architecture == "arm64"
        snapstart = lambda_.SnapStartConf.ON_PUBLISHED_VERSIONS
        return lambda_.Function(
            self,
            "Handler",
            description="Carries out every event of the WebSocket API",
            code=lambda_.Code.from_asset(str(asset)),
            handler=HANDLER,
            runtime=RUNTIMES[settings.lambda_runtime],
            architecture=architectures.ARM_64 if arm else architectures.X86_64,
            snap_start=snapstart if settings.snapstart == "on" else None,
            memory_size=settings.memory_mb,
            timeout=Duration.seconds(TIMEOUT_SECONDS),
            reserved_concurrent_executions=settings.reserved_concurrency,
            role=self.role,
            log_group=self.log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            application_log_level_v2=lambda_.ApplicationLogLevel[settings.log_level],
            system_log_level_v2=lambda_.SystemLogLevel.WARN,
            environment=settings.rules | {"STAGE": settings.stage},
        )
