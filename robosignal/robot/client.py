"""A robot in one call: what a program of one's own starts, and `robosignal robot` too.

Owns the arguments and what they are when they are left out; never what the robot then does.
"""

import asyncio
import logging
import secrets
from collections.abc import Mapping
from inspect import iscoroutinefunction

from websockets.exceptions import InvalidURI
from websockets.uri import parse_uri

from robosignal.protocol.ids import InstanceId, RobotId
from robosignal.robot.link import Span
from robosignal.robot.motors import Mover
from robosignal.robot.presence import Presence
from robosignal.robot.shell import Shell, Video
from robosignal.robot.token import TokenSource, fixed


async def run(
    url: str,
    robot_id: RobotId,
    token: str | TokenSource,
    *,
    log: logging.Logger,
    stop: asyncio.Event | None = None,
    instance_id: InstanceId | None = None,
    metadata: Mapping[str, str] | None = None,
    span: Span | None = None,
    move: Mover | None = None,
    video: Video | None = None,
) -> int:
    """Be this robot until `stop` is set, and return the exit code.

    0 after `stop`, which makes the robot unregister; 1 when going on would be of no use: the
    token is refused, the robot may not register, or another device bears its id. The log's last
    line then says what to do. A token that is a function is called at each dial.
    `instance_id` is random for each run unless given; `span` is how long a socket is used.

    `move` is called for every command that is obeyed and for every stop, also the last one, in a
    thread of its own. `video` is asked for a track by each peer connection that takes video,
    on the event loop's thread; without it all peers watch the test picture. What they raise is
    logged: then the robot stands still, or that offer is refused. Raise TypeError for a coroutine
    function in place of either.
    """
    try:
        parse_uri(url)
    except (InvalidURI, ValueError):
        log.error("%s: --url must be a WebSocket URL, such as ws://127.0.0.1:8080/prod", robot_id)  # noqa: TRY400
        return 1
    if iscoroutinefunction(move) or iscoroutinefunction(video):
        raise TypeError("move and video must be plain functions: nobody would await them")
    for chatty in ("aiortc", "aioice"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    instance = instance_id or InstanceId(secrets.token_hex(16))
    is_renewable = not isinstance(token, str)
    source = fixed(token) if isinstance(token, str) else token
    presence = Presence(robot_id, instance, metadata or {})
    shell = Shell(
        url,
        source,
        presence,
        span or Span(),
        log,
        is_renewable=is_renewable,
        move=move,
        video=video,
    )
    return await shell.run(stop or asyncio.Event())
