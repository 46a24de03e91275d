"""The Lambda function: one event of the WebSocket API in, its result out."""

import os
from typing import Any

from robosignal.server.aws.backend import Context, connect
from robosignal.server.aws.snapstart import warm_up
from robosignal.server.settings import read_settings

_signaling = connect(read_settings(os.environ))
warm_up(os.environ)


def handler(event: dict[str, Any], context: Context | None) -> dict[str, Any]:
    """Carry out one event before the function's time is over."""
    remaining_s = None if context is None else context.get_remaining_time_in_millis() / 1000
    return _signaling.handle(event, remaining_s)
