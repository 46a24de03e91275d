"""The Lambda: wires the adapters from the environment, once, as the module loads."""

import logging
import os
from typing import Any, Protocol

import boto3
from botocore.config import Config

from signaling.adapters.calls import bound_calls
from signaling.adapters.clock import epoch_ms
from signaling.adapters.dynamodb import DynamoStore
from signaling.adapters.ice import StaticIce
from signaling.adapters.jwks import RemoteKeys
from signaling.adapters.limiter import Buckets, Unlimited
from signaling.adapters.management import ManagementPosts
from signaling.adapters.metrics import EmbeddedMetrics
from signaling.adapters.parallel import AT_ONCE, Threads
from signaling.adapters.tokens import Issuer
from signaling.adapters.turn import TurnIce
from signaling.adapters.turn_secret import SecretsManager, StoredSecret
from signaling.entry import Signaling
from signaling.ports import IceSource
from signaling.settings import Settings, read_settings
from signaling.warm import warm

CLIENT = Config(
    connect_timeout=1,
    read_timeout=2,
    # A call is tried again as long as its event's time lasts, which botocore does not know.
    retries={"mode": "standard", "total_max_attempts": 1},
    max_pool_connections=AT_ONCE,
    # Every call is built from validated records, so validating it again buys nothing.
    parameter_validation=False,
    # Said outright: composing the usual string anew takes a quarter of a small call's CPU.
    user_agent="robosignal",
)


def wired(settings: Settings) -> Signaling:
    """Return the backend on DynamoDB and the management API."""
    dynamodb = bound_calls(boto3.client("dynamodb", config=CLIENT))
    management = bound_calls(
        boto3.client(
            "apigatewaymanagementapi", endpoint_url=settings.management_endpoint, config=CLIENT
        )
    )
    keys = RemoteKeys(settings.token_jwks_url)
    options = settings.options
    return Signaling(
        store=DynamoStore(dynamodb, settings.connections_table, settings.robots_table),
        poster=ManagementPosts(management),
        ice=_ice(settings),
        limiter=Buckets() if options.limited else Unlimited(),
        issuers=(Issuer(settings.token_issuer, settings.token_audiences, keys),),
        rules=options.rules,
        origins=options.origins,
        clock=epoch_ms,
        meter=EmbeddedMetrics(settings.stage),
        side_by_side=Threads(),
    )


def _ice(settings: Settings) -> IceSource:
    options = settings.options
    if settings.turn_secret_arn is None:
        return StaticIce(options.ice_servers)
    secret = StoredSecret(settings.turn_secret_arn, _secrets_manager)
    return TurnIce(options.turn_urls, secret, options.ice_servers)


def _secrets_manager() -> SecretsManager:
    # Without the TURN secret a request goes on with the other servers, so it is asked for once.
    client: SecretsManager = bound_calls(boto3.client("secretsmanager", config=CLIENT))
    return client


# At DEBUG the SDK logs whole requests and answers: SDP, candidates, the TURN servers' secret.
logging.getLogger("botocore").setLevel(logging.WARNING)

_signaling = wired(read_settings(os.environ))
warm(os.environ)


class Context(Protocol):
    """As much of Lambda's context object as this needs."""

    def get_remaining_time_in_millis(self) -> int:
        """Return after how many milliseconds the function is killed."""


def handler(event: dict[str, Any], context: Context | None) -> dict[str, Any]:
    """Carry out one event of the WebSocket API, before the function's time is over."""
    remaining_s = None if context is None else context.get_remaining_time_in_millis() / 1000
    return _signaling.handle(event, remaining_s)
