"""Lets a robot enrol itself by a code: makes its key, and has the server take it.

A code acts once for each key, and the key is on disk before it is sent: whatever fails, the same
call again ends what was begun, and costs no second use of the code.
"""

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from robosignal.network import make_tls, proxy
from robosignal.protocol.device_keys import normalize_code
from robosignal.protocol.frames import Ack, Error
from robosignal.protocol.ids import RobotId
from robosignal.protocol.limits import BEARER_PREFIX, FRAME_BYTES, SUBPROTOCOL
from robosignal.robot.connection.websocket import describe_failure, describe_status, silence
from robosignal.robot.frames import sanitize
from robosignal.robot.key.file import KeyFile, KeyFileRefused
from robosignal.robot.key.signer import Signer

SECONDS = 20.0
"""How long each of two tries may take: the server closes such a connection after 30 s."""

TEXT_CHARACTERS = 300


class EnrolmentRefused(Exception):
    """The robot is not enrolled. The text says why, and what to do; it never quotes the code."""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A robot whose key the server has; it connects by it once its owner has approved it.

    `file` is its key file, `robot_id` the id that it has, and `is_pending` says whether the key
    waits for approval.
    """

    file: KeyFile
    robot_id: RobotId
    is_pending: bool


async def enroll(
    url: str, code: str, path: Path, robot_id: RobotId | None = None, timeout_s: float = SECONDS
) -> Enrolled:
    """Make a robot's key file, unless there is one, and enrol its key by a code.

    `url` is the server's WebSocket address, `code` what the robot's owner has made, in any spelling
    that people type, `path` where the key file is or shall be, and `robot_id` the id that the robot
    takes; None: the one that the code names. `timeout_s` is in seconds, for each of two tries.
    Raise ValueError for text that is no code, KeyFileRefused, or EnrolmentRefused.
    """
    code = normalize_code(code)
    file = _open(path, url, robot_id)
    wanted = robot_id or file.robot_id
    signer = Signer(file, url, code=code, robot_id=wanted)
    ack = await _ask(url, signer, code, wanted, timeout_s)
    named = ack.robot_id or wanted
    if named is None or ack.kid != file.key.kid:
        raise EnrolmentRefused("the server's answer names no robot, or another key")
    return Enrolled(await asyncio.to_thread(file.note_enrolment, named), named, ack.pending)


def _open(path: Path, url: str, robot_id: RobotId | None) -> KeyFile:
    try:
        file = KeyFile.load(path)
    except FileNotFoundError:
        file = KeyFile.create(path, url)
    elsewhere = "name another file, or move this one away"
    if file.robot_id is not None and robot_id not in (None, file.robot_id):
        raise KeyFileRefused(path, f"is {file.robot_id}'s", elsewhere)
    if file.url != url:
        raise KeyFileRefused(path, f"was made for {file.url}", elsewhere)
    return file


async def _ask(
    url: str, signer: Signer, code: str, robot_id: RobotId | None, timeout_s: float
) -> Ack:
    """Send the code, on a second connection if the first was refused because of the clock."""
    for is_last in (False, True):
        token = signer()
        try:
            async with asyncio.timeout(timeout_s):
                return await _converse(url, token, code, robot_id)
        except InvalidStatus as refused:
            status = refused.response.status_code
            signer.hear(token, status, refused.response.headers.get("Date"))
            if status != HTTPStatus.UNAUTHORIZED or is_last:
                raise EnrolmentRefused(_explain_status(status)) from refused
        except TimeoutError as error:
            text = f"the server gives no answer within {timeout_s:g} s: try again, with this code"
            raise EnrolmentRefused(text) from error
        except (OSError, WebSocketException) as failure:
            text = f"{describe_failure(failure)}: check the URL, and try again with this code"
            raise EnrolmentRefused(text) from failure
        except msgspec.MsgspecError as error:
            text = "what answers there cannot be understood: check the URL"
            raise EnrolmentRefused(text) from error
    raise AssertionError("the second try returns or raises")


async def _converse(url: str, token: str, code: str, robot_id: RobotId | None) -> Ack:
    dial = connect(
        url,
        subprotocols=[Subprotocol(SUBPROTOCOL), Subprotocol(BEARER_PREFIX + token)],
        compression=None,
        max_size=FRAME_BYTES,
        open_timeout=None,
        close_timeout=2,
        proxy=proxy(url),
        ssl=await make_tls(url),
        logger=silence(),
    )
    named = {} if robot_id is None else {"robotId": robot_id}
    async with dial as socket:
        await _request(socket, {"type": "ready", "protocol": 1})
        reply = await _request(socket, {"type": "enroll", "code": code, **named})
        return msgspec.convert(reply, Ack)


async def _request(socket: ClientConnection, message: dict[str, Any]) -> dict[str, Any]:
    """Send a message, and return the reply to it. Raise EnrolmentRefused for an error."""
    await socket.send(msgspec.json.encode(message | {"id": message["type"]}).decode())
    found: dict[str, Any] = {}
    while found.get("replyTo") != message["type"]:
        found = msgspec.json.decode(await socket.recv(), type=dict[str, Any])
    if found.get("type") == "error":
        raise EnrolmentRefused(_explain(msgspec.convert(found, Error)))
    return found


def _explain(error: Error) -> str:
    said = sanitize(error.message, TEXT_CHARACTERS)
    return f"the server does not enrol this robot: {said or sanitize(error.code)}"


def _explain_status(status: int) -> str:
    if status == HTTPStatus.UNAUTHORIZED:
        return (
            "the server does not take this code: it is mistyped, over, or made elsewhere; "
            "or the URL is not written as the server expects it"
        )
    return f"the server answers {describe_status(status)}: check the URL"
