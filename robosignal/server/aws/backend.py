"""The backend on AWS: DynamoDB, the management API, the issuer's keys and the TURN secret."""

import logging
from typing import Protocol

import boto3
from botocore.config import Config

from robosignal.server.aws.calls import limit_calls
from robosignal.server.aws.dynamodb import DynamoStore
from robosignal.server.aws.management import ManagementPosts
from robosignal.server.aws.metrics import EmbeddedMetrics
from robosignal.server.aws.turn_secret import SecretsManager, StoredSecret
from robosignal.server.clock import epoch_ms
from robosignal.server.entry import Signaling
from robosignal.server.ice.static import StaticServers
from robosignal.server.ice.turn import TurnServers
from robosignal.server.identity.jwks import RemoteKeys
from robosignal.server.identity.tokens import Issuer
from robosignal.server.limits.limiter import Buckets, Unlimited
from robosignal.server.parallel import AT_ONCE, Threads
from robosignal.server.ports import IceSource
from robosignal.server.settings import Settings

CLIENT = Config(
    connect_timeout=1,
    read_timeout=2,
    # Calls are repeated as long as their event's time allows, which botocore does not know.
    retries={"mode": "standard", "total_max_attempts": 1},
    max_pool_connections=AT_ONCE,
    # Calls are built from validated records.
    parameter_validation=False,
    # Composing the usual string for each call takes a quarter of a small call's CPU.
    user_agent="robosignal",
)


class Context(Protocol):
    """The part of Lambda's context object that the handler needs."""

    def get_remaining_time_in_millis(self) -> int:
        """Return in how many milliseconds the function is killed."""


def connect(settings: Settings) -> Signaling:
    """Return the backend on DynamoDB and the management API."""
    dynamodb = limit_calls(boto3.client("dynamodb", config=CLIENT))
    management = limit_calls(
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
        device_audiences=lambda: options.device_audiences,
        clock=epoch_ms,
        meter=EmbeddedMetrics(settings.stage),
        parallel_map=Threads(),
    )


def _ice(settings: Settings) -> IceSource:
    options = settings.options
    if settings.turn_secret_arn is None:
        return StaticServers(options.ice_servers)
    secret = StoredSecret(settings.turn_secret_arn, _secrets_manager)
    return TurnServers(options.turn_urls, secret, options.ice_servers)


def _secrets_manager() -> SecretsManager:
    # Without the TURN secret a request continues with the other servers, so one try is enough.
    client: SecretsManager = limit_calls(boto3.client("secretsmanager", config=CLIENT))
    return client


# At DEBUG the SDK logs whole requests and responses: SDP, candidates, the TURN servers' secret.
logging.getLogger("botocore").setLevel(logging.WARNING)
