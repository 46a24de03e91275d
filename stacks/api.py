"""The WebSocket API: three routes to one function, and the stage that clients connect to.

The function verifies the token in `$connect`, which is why no route has an authorizer.
"""

import json

from aws_cdk import ArnFormat, Duration, Stack
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_lambda as lambda_
from aws_cdk.aws_apigatewayv2_integrations import WebSocketLambdaIntegration
from constructs import Construct

from stacks.logs import add_log_group
from stacks.nag import accept
from stacks.settings import Settings

STAGE_NAME = "prod"
"""The API's own stage, which is the path of its URL. It is the same for every `STAGE`."""

ROUTES = ("$connect", "$disconnect", "$default")

INTEGRATION_SECONDS = 15
"""Longer than the function's timeout, so that the function reports it; at most 29."""

# No data trace, no source address, no query: a query may bear a token.
ACCESS_LOG_FIELDS = ("requestId", "routeKey", "status", "connectionId")

NO_AUTHORIZER = (
    "the function verifies the token in $connect and keeps the identity in the connection's item; "
    "an authorizer would add a second cold start, and later messages would not pass it"
)


class Api(Construct):
    """The API with its one stage."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        handler: lambda_.IFunction,
    ) -> None:
        super().__init__(scope, construct_id)
        self.api = apigateway.WebSocketApi(
            self,
            "WebSocket",
            api_name=settings.stack_name,
            description="Signaling for people who drive robots",
        )
        self._add_routes(settings, handler)
        self.stage = apigateway.WebSocketStage(
            self,
            "Stage",
            web_socket_api=self.api,
            stage_name=STAGE_NAME,
            auto_deploy=True,
            throttle=apigateway.ThrottleSettings(
                rate_limit=settings.throttle_rate, burst_limit=settings.throttle_burst
            ),
        )
        self._log_access(settings)

    def _add_routes(self, settings: Settings, handler: lambda_.IFunction) -> None:
        integration = WebSocketLambdaIntegration(
            "Handler", handler, timeout=Duration.seconds(INTEGRATION_SECONDS)
        )
        for key in ROUTES:
            replies = key == "$default" and settings.route_response == "on"
            route = self.api.add_route(key, integration=integration, return_response=replies)
            accept(route, "APIG4", NO_AUTHORIZER)

    def _log_access(self, settings: Settings) -> None:
        self.access_log = add_log_group(self, "AccessLog", settings)
        stage = self.stage.node.default_child
        if not isinstance(stage, apigateway.CfnStage):
            raise TypeError("CDK no longer builds a stage of one resource")
        stage.access_log_settings = apigateway.CfnStage.AccessLogSettingsProperty(
            # CDK's own attribute ends in `:*`, which API Gateway drops: that would show as drift.
            destination_arn=Stack.of(self).format_arn(
                service="logs",
                resource="log-group",
                resource_name=self.access_log.log_group_name,
                arn_format=ArnFormat.COLON_RESOURCE_NAME,
            ),
            format=json.dumps({field: f"$context.{field}" for field in ACCESS_LOG_FIELDS}),
        )
        # Explicitly off: a data trace would log every frame, with tokens and SDP in it.
        stage.add_property_override("DefaultRouteSettings.DataTraceEnabled", value=False)
        stage.add_property_override("DefaultRouteSettings.LoggingLevel", "OFF")
