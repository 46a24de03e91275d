"""Posts to connections through API Gateway's management API, `@connections`.

A 410 proves that a connection is gone, a 413 that the frame is too large. Other errors are
transient, or internal. `robosignal.server.core.delivery` says what follows a 410.
"""

from typing import TYPE_CHECKING

from robosignal.protocol.errors import TooLarge
from robosignal.protocol.ids import ConnectionId
from robosignal.protocol.limits import MESSAGE_BYTES
from robosignal.server.aws.calls import call_aws

if TYPE_CHECKING:
    from mypy_boto3_apigatewaymanagementapi import ApiGatewayManagementApiClient


class ManagementPosts:
    """Implements `robosignal.server.ports.Poster`."""

    def __init__(self, client: "ApiGatewayManagementApiClient") -> None:
        self._client = client

    def post(self, connection: ConnectionId, frame: bytes) -> bool:
        """Post a frame; return whether the connection exists. Raise TooLarge for a 413."""
        try:
            call_aws(self._client.post_to_connection, ConnectionId=connection, Data=frame)
        except self._client.exceptions.GoneException:
            return False
        except self._client.exceptions.PayloadTooLargeException as error:
            raise TooLarge("frame", MESSAGE_BYTES) from error
        return True

    def close(self, connection: ConnectionId) -> None:
        """Close a connection, if it exists."""
        try:
            call_aws(self._client.delete_connection, ConnectionId=connection)
        except self._client.exceptions.GoneException:
            return
