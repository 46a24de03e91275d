"""What the session machine is told, and what it asks the runtime to do, each as a plain value.

They are written in `spec/vectors/robot.json` as they are here.
"""

from typing import Any, Literal

from msgspec import Struct

from robosignal.protocol.frames import Person
from robosignal.protocol.ids import SessionId
from robosignal.robot.controls import Given, Values
from robosignal.robot.drive import Drive
from robosignal.robot.frames import Candidate, PcId
from robosignal.robot.telemetry import Published

Channel = str
"""A data channel by its label: `control` and the application's own, which begin with `app:`, are
reliable and ordered; `drive` and `telemetry` are neither.
"""


class Frame(Struct, frozen=True, tag_field="type", tag="frame"):
    """A JSON object came over the current WebSocket, or over the one before it (`old`)."""

    frame: dict[str, Any]
    socket: Literal["old"] | None = None


class Offline(Struct, frozen=True, tag_field="type", tag="offline"):
    """The WebSocket is lost; peer connections are not."""


class Opened(Struct, frozen=True, rename="camel", tag_field="type", tag="opened"):
    """A peer has opened a data channel."""

    session_id: SessionId
    pc_id: PcId
    channel: Channel


class Message(Struct, frozen=True, rename="camel", tag_field="type", tag="message"):
    """A text, or bytes, came over a peer's data channel."""

    session_id: SessionId
    pc_id: PcId
    data: str | bytes
    channel: Channel = "control"


class Answered(Struct, frozen=True, rename="camel", tag_field="type", tag="answered"):
    """A peer connection has its answer, to an offer that came over `channel` if that is named."""

    session_id: SessionId
    pc_id: PcId
    sdp: str
    channel: Literal["control"] | None = None


class Gathered(Struct, frozen=True, rename="camel", tag_field="type", tag="gathered"):
    """A peer connection has one more local candidate, which its answer does not name."""

    session_id: SessionId
    pc_id: PcId
    candidate: Candidate


class Failed(Struct, frozen=True, rename="camel", tag_field="type", tag="failed"):
    """A peer connection has ended by itself; its client saw that if it was ever `connected`."""

    session_id: SessionId
    pc_id: PcId
    connected: bool = True


class Refused(Struct, frozen=True, rename="camel", tag_field="type", tag="refused"):
    """An offer was refused; `peer_continues` if its peer connection goes on as before.

    It came over `channel` if that is named.
    """

    session_id: SessionId
    pc_id: PcId
    code: str
    message: str
    peer_continues: bool = False
    channel: Literal["control"] | None = None


class Tick(Struct, frozen=True, tag_field="type", tag="tick"):
    """The time has come at which something is due."""


class Resumed(Struct, frozen=True, tag_field="type", tag="resumed"):
    """The process was suspended, or its event loop held up, for longer than the watchdog."""


class StopMotion(Struct, frozen=True, tag_field="type", tag="stop-motion"):
    """The robot's own program stops it until it clears the stop; `by` says what for people."""

    by: str


class ClearStop(Struct, frozen=True, tag_field="type", tag="clear-stop"):
    """The robot's own program clears the stop that it has made."""


class Held(Struct, frozen=True, tag_field="type", tag="held"):
    """The controls that a stop leaves where they are, are there now; None for each other one."""

    values: tuple[float | str | None, ...]


class Publish(Struct, frozen=True, tag_field="type", tag="publish"):
    """The robot's program publishes telemetry; unless it `is_reliable`, only the newest counts."""

    values: Published
    is_reliable: bool = False


class OwnCommand(Struct, frozen=True, tag_field="type", tag="own-command"):
    """The robot's own program asks for motion, which it may while no one drives.

    `since` is when it asked, in ms, None for just now.
    """

    drive: Drive
    values: tuple[Given, ...] = ()
    since: int | None = None


class Post(Struct, frozen=True, tag_field="type", tag="post"):
    """The robot's program sends a message over a channel of the application's own."""

    channel: Channel
    data: str | bytes


class Stop(Struct, frozen=True, tag_field="type", tag="stop"):
    """The robot is about to end, whatever the reason."""


Event = (
    Frame
    | Offline
    | Opened
    | Message
    | Answered
    | Gathered
    | Failed
    | Refused
    | Tick
    | Resumed
    | StopMotion
    | ClearStop
    | Held
    | Publish
    | OwnCommand
    | Post
    | Stop
)


class Send(Struct, frozen=True, tag_field="do", tag="send"):
    """Send this frame to the server, if there is a connection."""

    frame: dict[str, Any]


class Open(Struct, frozen=True, rename="camel", tag_field="do", tag="open"):
    """Make a peer connection for this offer, and return its answer as an event."""

    session_id: SessionId
    pc_id: PcId
    sdp: str


class Renegotiate(
    Struct, frozen=True, rename="camel", omit_defaults=True, tag_field="do", tag="renegotiate"
):
    """Give this offer to the existing peer connection, and return its answer as an event.

    It came over `channel` if that is named, and so goes the answer.
    """

    session_id: SessionId
    pc_id: PcId
    sdp: str
    channel: Literal["control"] | None = None


class Add(Struct, frozen=True, rename="camel", tag_field="do", tag="add"):
    """Give this candidate to the peer connection."""

    session_id: SessionId
    pc_id: PcId
    candidate: Candidate


class Shut(Struct, frozen=True, rename="camel", tag_field="do", tag="shut"):
    """Close the peer connection; it causes no more events."""

    session_id: SessionId
    pc_id: PcId


class Say(Struct, frozen=True, rename="camel", omit_defaults=True, tag_field="do", tag="say"):
    """Send this over the peer's data channel."""

    session_id: SessionId
    pc_id: PcId
    data: str | bytes
    channel: Channel = "control"


class Deliver(Struct, frozen=True, rename="camel", tag_field="do", tag="deliver"):
    """Hand a message from a channel of the application's own to the robot's program."""

    channel: Channel
    data: str | bytes
    person: Person | None
    is_driver: bool


class Move(Struct, frozen=True, omit_defaults=True, tag_field="do", tag="move"):
    """Have the motors drive like this, and the controls be so, until the next `Move`."""

    drive: Drive
    values: Values = ()


class Show(Struct, frozen=True, rename="camel", omit_defaults=True, tag_field="do", tag="show"):
    """Show who drives; None while the lease is free.

    `stopped_by` says who has stopped the robot; `right_ended`: the driver may drive no more.
    """

    driver: str | None
    epoch: int
    stopped_by: str | None = None
    right_ended: bool = False


class UseIce(Struct, frozen=True, tag_field="do", tag="use-ice"):
    """Use these RTCIceServer dictionaries for peer connections from now on."""

    servers: list[dict[str, Any]]


class Log(Struct, frozen=True, tag_field="do", tag="log"):
    """Write one line to the log."""

    text: str


class Redial(Struct, frozen=True, tag_field="do", tag="redial"):
    """Close the WebSocket because it is of no use, and dial again; the text says why."""

    text: str


class Quit(Struct, frozen=True, tag_field="do", tag="quit"):
    """End with an error: its code, and a sentence that says what to do. The motors stop first.

    The code is the server's error code, or `replaced` when another device has the same id.
    """

    code: str
    text: str


Action = (
    Send
    | Open
    | Renegotiate
    | Add
    | Shut
    | Say
    | Deliver
    | Move
    | Show
    | UseIce
    | Log
    | Redial
    | Quit
)
