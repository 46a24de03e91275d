"""Posts to connections through API Gateway's management API, `@connections`.

A 410 is proof that a connection is gone; anything else that fails is a "later".
"""

from typing import TYPE_CHECKING

from signaling.adapters.later import translated
from signaling.wire.ids import ConnectionId

if TYPE_CHECKING:
    from mypy_boto3_apigatewaymanagementapi import ApiGatewayManagementApiClient


class ManagementPosts:
    """Implements `signaling.ports.Poster`."""

    def __init__(self, client: "ApiGatewayManagementApiClient") -> None:
        self._client = client

    def post(self, connection: ConnectionId, frame: bytes) -> bool:
        """Hand a frame over; False when that connection is gone."""
        try:
            with translated():
                self._client.post_to_connection(ConnectionId=connection, Data=frame)
        except self._client.exceptions.GoneException:
            return False
        return True

    def close(self, connection: ConnectionId) -> None:
        """Close a connection; one that is gone already is no error."""
        try:
            with translated():
                self._client.delete_connection(ConnectionId=connection)
        except self._client.exceptions.GoneException:
            return
