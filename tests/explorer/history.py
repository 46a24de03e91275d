"""What happened in one schedule: every write that succeeded, every frame, every reply, in order."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from robosignal.protocol.ids import ConnectionId, UserId
from robosignal.server.core.conditional_writes import Write
from robosignal.server.core.records import Code, Invitation, Robot
from robosignal.server.core.steps import ConditionFailed, Written
from tests.explorer.calls import Call

Frame = dict[str, Any]


@dataclass(frozen=True, slots=True)
class By:
    """One invocation: whose, of what, and when (epoch ms)."""

    number: int
    event: str
    kind: str
    connection: ConnectionId
    user: UserId
    message: Frame
    now: int


@dataclass(frozen=True, slots=True)
class Wrote:
    """A write to the robot's item that was carried out."""

    by: By
    write: Write
    before: Robot | None
    after: Robot

    @property
    def name(self) -> str:
        """The write's name."""
        return self.write.name


@dataclass(frozen=True, slots=True)
class WroteCode:
    """A write to the item of a code or invitation that was carried out."""

    by: By
    name: str
    before: Code | Invitation | None
    after: Code | Invitation


@dataclass(frozen=True, slots=True)
class Posted:
    """A frame that was handed over, or could not be."""

    by: By
    to: ConnectionId
    frame: Frame
    delivered: bool

    @property
    def is_gone(self) -> bool:
        """Whether it found the connection gone."""
        return not self.delivered


@dataclass(frozen=True, slots=True)
class Replied:
    """An invocation's end, and its reply."""

    by: By
    status: int
    frame: Frame


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a trace: which thread, its call, what came of it."""

    thread: str
    call: Call | str
    outcome: Any = None
    note: str = ""

    def __str__(self) -> str:
        told = "" if isinstance(self.call, str) else f" → {_told(self.outcome)}"
        return f"{self.thread:<3} {self.call}{told}" + (f" ({self.note})" if self.note else "")


@dataclass(slots=True)
class History:
    """Everything that one schedule did."""

    begun: Robot | None
    """The robot's item when it began."""
    happened: list[Wrote | WroteCode | Posted | Replied] = field(default_factory=list)
    trace: list[Line] = field(default_factory=list)
    chosen: list[str] = field(default_factory=list)
    invocations: list[By] = field(default_factory=list)
    written: Robot | None = None
    """What the last write that is no renewal made of the item."""
    forgotten: bool = False
    """Whether the robot's item was removed: epochs begin again, and name other holders."""
    faulty: set[int] = field(default_factory=set)
    """The invocations that were killed, or had a write's answer lost, or found AWS busy."""

    @property
    def wrote(self) -> Iterator[Wrote]:
        """The writes that were carried out, in the order of the item's versions."""
        return (each for each in self.happened if isinstance(each, Wrote))

    @property
    def posted(self) -> Iterator[Posted]:
        """The frames."""
        return (each for each in self.happened if isinstance(each, Posted))

    @property
    def replied(self) -> Iterator[Replied]:
        """The replies."""
        return (each for each in self.happened if isinstance(each, Replied))

    @property
    def versions(self) -> Iterator[Robot]:
        """The robot's item after each write, from first to last."""
        if self.begun is not None:
            yield self.begun
        for write in self.wrote:
            yield write.after

    @property
    def ended(self) -> Robot | None:
        """The robot's item after everything."""
        last = self.begun
        for write in self.wrote:
            last = write.after
        return last


def _told(outcome: Any) -> str:  # noqa: PLR0911 - one for each kind
    match outcome:
        case Written(after=Robot() as robot):
            return f"won: {_describe(robot)}"
        case Written():
            return "won"
        case ConditionFailed(item=Robot() as robot):
            return f"refused: {_describe(robot)}"
        case ConditionFailed():
            return "refused"
        case Robot():
            return _describe(outcome)
        case bool():
            return "delivered" if outcome else "gone"
        case None:
            return "done"
        case _:
            return type(outcome).__name__.lower()


def _describe(robot: Robot) -> str:
    held = robot.controller
    holder = f"{held.user_id} on {held.connection_id}" if held else "none"
    viewers = len(robot.viewers)
    return f"epoch {robot.epoch}, holder {holder}, {viewers} viewers, robot {robot.connection_id}"
