"""Starts the emulator, and patches the one thing that no setting of ours could change.

API Gateway answers a handshake with the subprotocol that `$connect` returned, and a browser
drops a connection without it. The emulator leaves it out, so it is put in here, taken from what
the deployed function really returned. Runs in the emulator's own environment.
"""

# ruff: noqa: INP001 - run by its path, in an environment that has nothing else of ours

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

from ministack.app import main  # type: ignore[import-not-found]
from ministack.services import apigateway  # type: ignore[import-not-found]

Send = Callable[[dict[str, Any]], Awaitable[None]]

HEADER = "sec-websocket-protocol"
selected: ContextVar[str | None] = ContextVar("selected", default=None)

invoke = apigateway._invoke_ws_lambda  # noqa: SLF001 - it has no other seam
handle = apigateway.handle_websocket


async def invoke_and_remember(*given: Any, **named: Any) -> dict[str, Any] | None:
    """Invoke the function, and keep the subprotocol that it selects."""
    result: dict[str, Any] | None = await invoke(*given, **named)
    headers = (result or {}).get("headers") or {}
    for name, value in headers.items():
        if name.lower() == HEADER:
            selected.set(value)
    return result


async def handle_with_subprotocol(
    scope: dict[str, Any], receive: Any, send: Send, *given: Any, **named: Any
) -> None:
    """Serve one WebSocket, and accept it with what the function selected."""

    async def send_on(message: dict[str, Any]) -> None:
        if message["type"] == "websocket.accept" and selected.get():
            message = {**message, "subprotocol": selected.get()}
        await send(message)

    await handle(scope, receive, send_on, *given, **named)


apigateway._invoke_ws_lambda = invoke_and_remember  # noqa: SLF001 - as above
apigateway.handle_websocket = handle_with_subprotocol

if __name__ == "__main__":
    main()
