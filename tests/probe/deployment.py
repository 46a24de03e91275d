"""Deployments with one fault each, behind the real gateway, for the probe to find.

It answers as a Lambda does. What the probe says about it is up to the tests.
"""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from robosignal.gateway.connections import OpenConnections
from robosignal.gateway.gateway import Gateway
from robosignal.protocol.ids import ConnectionId

Event = dict[str, Any]
Result = dict[str, Any]

SESSION = "probe:0123456789012345678901"


class Deployment:
    """A backend that knows the probe's conversation by heart, and fails where it is told to.

    `connect` is the result of `$connect`. Of the messages, `unanswered` get no reply, `refused`
    an error with this code, `raising` crash the handler, and `lost` are answered but posted to no
    connection.
    """

    def __init__(
        self,
        *,
        connect: Callable[[Event], Result] | None = None,
        unanswered: tuple[str, ...] = (),
        raising: tuple[str, ...] = (),
        lost: tuple[str, ...] = (),
        refused: dict[str, str] | None = None,
    ) -> None:
        self.sockets = OpenConnections()
        self.heard: list[str] = []
        self._connect = connect or selecting("robosignal.v1")
        self._unanswered = unanswered
        self._raising = raising
        self._lost = lost
        self._refused = refused or {}
        self._robot = self._client = ConnectionId("")

    def handle(self, event: Event) -> Result:
        """Answer as a Lambda does."""
        context = event["requestContext"]
        match context["eventType"]:
            case "CONNECT":
                return self._connect(event)
            case "MESSAGE":
                return self._message(ConnectionId(context["connectionId"]), event["body"])
            case _:
                return {"statusCode": 200}

    def _message(self, sender: ConnectionId, body: str) -> Result:
        message = json.loads(body)
        kind = message["type"]
        self.heard.append(kind)
        if kind in self._raising:
            raise RuntimeError(kind)
        if kind in self._unanswered:
            return {"statusCode": 200}
        if kind in self._refused:
            reply = {"type": "error", "code": self._refused[kind], "message": "told so"}
        else:
            reply = self._carried_out(sender, kind, message)
        return {"statusCode": 200, "body": json.dumps({**reply, "replyTo": message["id"]})}

    def _carried_out(self, sender: ConnectionId, kind: str, message: Event) -> Event:
        if kind == "ready":
            return {"type": "welcome"}
        if kind == "register":
            self._robot = sender
            return {"type": "registered"}
        if kind == "offer":
            self._client = sender
        if kind not in self._lost and kind not in ("unregister", "forget"):
            receiver = self._client if sender == self._robot else self._robot
            told = {"bye": "peer-left"}.get(kind, kind)
            frame = {"type": told, "sessionId": SESSION, "payload": message.get("payload")}
            self.sockets.post(receiver, json.dumps(frame).encode())
        return {"type": "ack", "sessionId": SESSION}


def selecting(subprotocol: str | None) -> Callable[[Event], Result]:
    """Return a `$connect` that lets everyone in, under this subprotocol."""
    headers = {"headers": {"Sec-WebSocket-Protocol": subprotocol}} if subprotocol else {}
    return lambda _: {"statusCode": 200, **headers}


def answering(status: int) -> Callable[[Event], Result]:
    """Return a `$connect` that keeps everyone out with this status."""
    return lambda _: {"statusCode": status}


@asynccontextmanager
async def deployed(deployment: Deployment, web: Path) -> AsyncIterator[str]:
    """Serve a deployment on a free port; yield its URL."""
    gateway = Gateway(
        deployment.handle, deployment.sockets, web=web, jwks=lambda: {"keys": []}, port=0
    )
    async with gateway:
        yield gateway.websocket_url
