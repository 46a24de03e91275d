"""The stack: its parts, what they may do to each other, the function's environment, the outputs."""

from pathlib import Path

from aws_cdk import CfnOutput, Stack
from constructs import Construct

from stacks.account import Account
from stacks.alarms import Alarms
from stacks.api import Api
from stacks.dashboard import Dashboard
from stacks.function import Function
from stacks.grants import grant
from stacks.settings import Settings
from stacks.tables import Tables
from stacks.turn import Turn
from stacks.users import Users


class SignalingStack(Stack):
    """One deployment of robosignal: `asset` is the directory of the function's code."""

    def __init__(self, scope: Construct, *, settings: Settings, asset: Path) -> None:
        super().__init__(
            scope,
            settings.stack_name,
            description="robosignal: signaling for people who drive robots over WebRTC",
            termination_protection=settings.is_production,
            analytics_reporting=False,
            tags={"project": "robosignal", "stage": settings.stage},
        )
        self.tables = Tables(self, "Tables", settings=settings)
        self.users = Users(self, "Users", settings=settings)
        self.function = Function(self, "Function", settings=settings, asset=asset)
        self.api = Api(self, "Api", settings=settings, handler=self.function.live)
        grant(self.function.role, self.tables, self.api.stage)
        self._add_turn(settings)
        if settings.seed_keepalive == "on":
            self.function.keep_seeds_alive()
        self._add_account(settings)
        self._set_environment(settings)
        self._add_alarms(settings)
        self._add_outputs()

    def _add_turn(self, settings: Settings) -> None:
        if not settings.turn_urls:
            return
        turn = Turn(self, "Turn", settings=settings, reader=self.function.role)
        function = self.function.function
        function.add_environment("TURN_SECRET_ARN", turn.secret.secret_arn)
        function.add_environment("TURN_URLS", ",".join(settings.turn_urls))

    def _add_account(self, settings: Settings) -> None:
        if settings.cloudwatch_role == "create":
            self.api.stage.node.add_dependency(Account(self, "Account"))

    def _set_environment(self, settings: Settings) -> None:
        audiences = (self.users.client_id, *settings.more_audiences)
        given = {
            "CONN_TABLE": self.tables.connections.table_name,
            "ROBOT_PRESENCE_TABLE": self.tables.robots.table_name,
            "WS_MGMT_ENDPOINT": self._management_endpoint(settings),
            "TOKEN_ISSUER": self.users.issuer,
            "TOKEN_AUDIENCES": ",".join(audiences),
            "TOKEN_JWKS_URL": self._fill_in(settings.token_jwks_url),
            "DEVICE_AUDIENCES": ",".join(self._robot_urls(settings)),
        }
        for name, value in given.items():
            if value:
                self.function.function.add_environment(name, value)

    def _robot_urls(self, settings: Settings) -> list[str]:
        """Return the addresses under which robots connect by keys of their own."""
        return [self.api.stage.url, *filter(None, map(self._fill_in, settings.robot_urls))]

    def _management_endpoint(self, settings: Settings) -> str:
        return self._fill_in(settings.management_endpoint) or self.api.stage.callback_url

    def _fill_in(self, template: str | None) -> str | None:
        """Return an emulator's address with this deployment's ids filled in."""
        if template is None:
            return None
        ids = {"{apiId}": self.api.api.api_id, "{userPoolId}": self.users.pool_id}
        for name, value in ids.items():
            template = template.replace(name, value)
        return template

    def _add_alarms(self, settings: Settings) -> None:
        alarms = Alarms(
            self, "Alarms", settings=settings, function=self.function, tables=self.tables
        )
        Dashboard(
            self,
            "Dashboard",
            settings=settings,
            api=self.api,
            function=self.function,
            tables=self.tables,
            alarms=alarms,
        )

    def _add_outputs(self) -> None:
        outputs = {
            "WebSocketUrl": self.api.stage.url,
            "ManagementEndpoint": self.api.stage.callback_url,
            "UserPoolId": self.users.pool_id,
            "UserPoolClientId": self.users.client_id,
            "Region": self.users.region,
            "ConnectionsTableName": self.tables.connections.table_name,
            "RobotPresenceTableName": self.tables.robots.table_name,
            "LogGroupName": self.function.log_group.log_group_name,
        }
        if self.users.sign_in_domain:
            outputs["SignInDomain"] = self.users.sign_in_domain
        for name, value in outputs.items():
            CfnOutput(self, name, value=value)
