"""The frame that answers a message: its reply, or its error in the sender's dialect."""

from msgspec import structs

from robosignal.protocol.errors import Internal, RobotBusy, SignalingError
from robosignal.protocol.frames import (
    Error,
    IceServersReply,
    Person,
    Pong,
    Registered,
    Reply,
    RobotsReply,
    Welcome,
    encode,
)
from robosignal.protocol.seed import OF_PAGES, SeedError, SessionLocked
from robosignal.server.core.records import Connection

ALWAYS_SENT = (Welcome, Pong, IceServersReply, RobotsReply)
"""Replies that are sent even if the message had no id."""


def encode_reply(reply: Reply, sender: Connection, reply_to: str | None) -> bytes | None:
    """Return the reply's frame; None if the message had no id and such a reply is optional."""
    is_registered = isinstance(reply, Registered) and sender.dialect == "v1"
    if reply_to is None and not is_registered and not isinstance(reply, ALWAYS_SENT):
        return None
    return encode(reply if reply_to is None else structs.replace(reply, reply_to=reply_to))


def encode_refusal(
    sender: Connection | None, error: SignalingError, kind: str, reply_to: str | None
) -> bytes | None:
    """Return the frame that answers a refused message of this kind; None for a seed robot's.

    A seed page waits for an answer, so it gets one in its own form; a seed robot would stop
    reading at it.
    """
    if sender is None or sender.dialect == "v1" or reply_to is not None:
        return encode(structs.replace(error_frame(error), reply_to=reply_to))
    is_of_page = sender.robot_id is None and kind in OF_PAGES
    return encode(seed_error_frame(error)) if is_of_page else None


def error_frame(error: SignalingError) -> Error:
    """Return the frame that tells of an error."""
    frame = Error(code=error.code, message=str(error), robot_id=error.robot_id)
    if isinstance(error, RobotBusy):
        holder = Person(error.user_id, error.name)
        return structs.replace(frame, controlled_by=holder, you=error.you)
    if isinstance(error, Internal):
        return structs.replace(frame, request_id=error.request_id)
    return frame


def seed_error_frame(error: SignalingError) -> SeedError | SessionLocked:
    """Return the frame that tells a seed page of an error, as the seed's own server did."""
    if isinstance(error, RobotBusy) and error.robot_id is not None:
        return SessionLocked(robot_id=error.robot_id, locked_by=error.name or error.user_id)
    return SeedError(error=error.code, message=str(error))
