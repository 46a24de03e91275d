"""What the robot's logic asks its shell to do, and what the shell tells it.

Knows no sockets, peer connections or clocks: each is a plain value, written in
`spec/vectors/robot.json` as it is here.
"""

from typing import Any, Literal

from msgspec import Struct

from robosignal.protocol.ids import SessionId
from robosignal.robot.commands import Drive
from robosignal.robot.frames import Candidate, PcId


class Frame(Struct, frozen=True, tag_field="type", tag="frame"):
    """The signaling socket, or the one that it has followed, brought a JSON object."""

    frame: dict[str, Any]
    socket: Literal["old"] | None = None


class Offline(Struct, frozen=True, tag_field="type", tag="offline"):
    """The signaling socket is lost; peers are not."""


class Message(Struct, frozen=True, rename="camel", tag_field="type", tag="message"):
    """A peer's data channel brought a text, or bytes."""

    session_id: SessionId
    pc_id: PcId
    data: str | bytes


class Answered(Struct, frozen=True, rename="camel", tag_field="type", tag="answered"):
    """A peer connection has its answer."""

    session_id: SessionId
    pc_id: PcId
    sdp: str


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
    """An offer was refused; `stands` if its peer connection goes on as before."""

    session_id: SessionId
    pc_id: PcId
    code: str
    message: str
    stands: bool = False


class Tick(Struct, frozen=True, tag_field="type", tag="tick"):
    """The time that was asked for has come."""


class Stop(Struct, frozen=True, tag_field="type", tag="stop"):
    """The robot is about to end, whatever the reason."""


Event = Frame | Offline | Message | Answered | Gathered | Failed | Refused | Tick | Stop


class Send(Struct, frozen=True, tag_field="do", tag="send"):
    """Write this frame to the signaling socket, if there is one."""

    frame: dict[str, Any]


class Open(Struct, frozen=True, rename="camel", tag_field="do", tag="open"):
    """Make a peer connection of this offer and bring its answer."""

    session_id: SessionId
    pc_id: PcId
    sdp: str


class Renegotiate(Struct, frozen=True, rename="camel", tag_field="do", tag="renegotiate"):
    """Give this offer to the peer connection that there is and bring its answer."""

    session_id: SessionId
    pc_id: PcId
    sdp: str


class Add(Struct, frozen=True, rename="camel", tag_field="do", tag="add"):
    """Give this candidate to the peer connection."""

    session_id: SessionId
    pc_id: PcId
    candidate: Candidate


class Shut(Struct, frozen=True, rename="camel", tag_field="do", tag="shut"):
    """Close the peer connection and bring no more of its events."""

    session_id: SessionId
    pc_id: PcId


class Say(Struct, frozen=True, rename="camel", tag_field="do", tag="say"):
    """Write this to the peer's data channel."""

    session_id: SessionId
    pc_id: PcId
    data: str | bytes


class Move(Struct, frozen=True, tag_field="do", tag="move"):
    """Drive like this until told otherwise."""

    drive: Drive


class Show(Struct, frozen=True, tag_field="do", tag="show"):
    """Show who drives; None for nobody."""

    driver: str | None
    epoch: int


class UseIce(Struct, frozen=True, tag_field="do", tag="use-ice"):
    """Use these RTCIceServer dictionaries for peer connections from now on."""

    servers: list[dict[str, Any]]


class Log(Struct, frozen=True, tag_field="do", tag="log"):
    """Tell the operator, in one line."""

    text: str


class Redial(Struct, frozen=True, tag_field="do", tag="redial"):
    """Close the signaling socket, because it is unusable, and dial again; the text says why."""

    text: str


class Quit(Struct, frozen=True, tag_field="do", tag="quit"):
    """End, with exit code 1; the sentence says what to do next. `Move` to a stand comes before."""

    text: str


Action = Send | Open | Renegotiate | Add | Shut | Say | Move | Show | UseIce | Log | Redial | Quit
