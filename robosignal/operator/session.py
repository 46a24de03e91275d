"""One session with one robot, as a program holds it."""

import math
from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType

from av import VideoFrame

from robosignal.operator.channels import encode_values
from robosignal.operator.commands import Blocked
from robosignal.operator.control import Role
from robosignal.operator.errors import OperatorError
from robosignal.operator.events import Event, State
from robosignal.operator.membership import Membership
from robosignal.protocol.frames import Person
from robosignal.robot.controls import Control, Given
from robosignal.robot.drive import COMMAND_HZ, Drive
from robosignal.robot.telemetry import Field, Value

ENDED = "the session has ended: drive or view the robot again"


class Session:
    """A session with one robot, through redials, restarts of the robot and changes of driver.

    `Operator.drive`, `view` and `take_over` return one. It ends when it is left, or when the server
    forbids it. Use it on the event loop on which the operator runs, and do not block that: a
    program that does not run sends no commands, and the robot stops.
    """

    def __init__(self, membership: Membership) -> None:
        """Be made by an `Operator`, around the `membership` that it runs."""
        self._membership = membership
        self._control = membership.control
        self._holders = 0

    # What is known.

    @property
    def robot_id(self) -> str:
        """The robot's id."""
        return self._membership.robot_id

    @property
    def state(self) -> State:
        """How far it is.

        `connecting`; `live` once everything that the robot declared has arrived; `waiting` for the
        robot, for a path to it, or for the server; or `ended`.
        """
        return self._membership.state

    @property
    def why(self) -> str | None:
        """A sentence for people while it is `waiting` or `ended`."""
        return self._membership.why

    @property
    def role(self) -> Role | None:
        """`controller` if this session drives, `viewer` if not; None before the server's word."""
        return self._control.role

    @property
    def driver(self) -> Person | None:
        """Who drives, if it is not this session; None if no one does, or if `is_stale`."""
        return self._control.driver

    @property
    def is_free(self) -> bool:
        """Whether no one drives, as far as this session knows: `request_control` gets it then."""
        return (
            self._control.role == "viewer"
            and self._control.driver is None
            and not self._control.is_stale
        )

    @property
    def is_stale(self) -> bool:
        """Whether it is unknown who drives; `driver` is then the last one known."""
        return self._control.is_stale

    @property
    def lost_to(self) -> Person | None:
        """Who took control from this session, until control moves on."""
        return self._control.lost_to

    @property
    def epoch(self) -> int:
        """The robot's epoch, the highest that the server has sent; it rises with each driver."""
        return self._control.epoch

    @property
    def is_asking(self) -> bool:
        """Whether this session has asked for control, up to 30 s ago, and has no answer yet."""
        return self._membership.is_asking

    @property
    def blocked(self) -> Blocked | None:
        """Why no motion is sent though this session drives; None if it is sent.

        `undeclared`: the robot has not yet said how it takes commands; `stopped`: somebody has
        stopped it; `right-ended`: the user's right to drive has ended; `silent`: the robot has not
        been heard for as long as its freshness limit; `unarmed`: it waits for a command with
        nothing in it, which is sent without being asked for.
        """
        if not self._control.is_driver:
            return None
        link = self._membership.link
        return "undeclared" if link is None else link.sender.blocked

    @property
    def stopped_by(self) -> str | None:
        """The name of who has stopped the robot; None if no one has."""
        link = self._membership.link
        return None if link is None else link.sender.stopped_by

    @property
    def controls(self) -> tuple[Control, ...]:
        """What the robot declares that can be moved: `Axis`, `Button` and `Choice`."""
        link = self._membership.link
        return () if link is None else tuple(each for each in link.controls if each is not None)

    @property
    def fields(self) -> tuple[Field, ...]:
        """The fields of telemetry that the robot declares."""
        link = self._membership.link
        return () if link is None else link.fields

    @property
    def command_hz(self) -> float:
        """How many commands a second the robot asks for while something is to move."""
        link = self._membership.link
        declared = None if link is None else link.capabilities
        return COMMAND_HZ if declared is None else declared.command_hz

    @property
    def values(self) -> Mapping[str, Value]:
        """The newest telemetry, by the names of the fields."""
        return self._membership.values

    @property
    def held(self) -> Mapping[str, Value]:
        """Where the controls are that a stop leaves as they are, by name."""
        link = self._membership.link
        return MappingProxyType({}) if link is None else link.held

    def frames(self) -> AsyncIterator[VideoFrame]:
        """Return an iterator over the robot's video, of its first camera, as `av.VideoFrame`.

        It has the newest picture, and leaves out those before that its reader had no time for. It
        goes on through new peer connections, and ends with the session.
        """
        return self._membership.frames.open()

    def telemetry(self) -> AsyncIterator[Mapping[str, Value]]:
        """Return an iterator over the robot's telemetry: each time all values, by name.

        It begins with what is known. It has the newest values, and leaves out those before that its
        reader had no time for. The robot publishes them at each change, and once a second at least.
        It ends with the session.
        """
        return self._membership.published.open(self.values or None)

    def events(self) -> AsyncIterator[Event]:
        """Return an iterator over what happens from now on to control, stops and state.

        The newest 256 that were not read are kept. It ends with the session.
        """
        return self._membership.events.open()

    # Commands.

    def drive(self, x: float, y: float) -> bool:
        """Send one drive command, and return whether it was sent.

        `x` is to the right and `y` ahead; beyond -1 to 1 they are cut off. It is in force for
        500 ms unless the robot declares another time, so repeat it while the robot should move, 20
        times a second. While nothing is sent, the session itself sends commands with nothing in
        them.

        It is not sent if this session does not drive, if `blocked` says why no motion is sent, or
        if the channel cannot carry it in time. Once motion was interrupted, by a stop or a silence,
        no more of it is sent until `drive(0, 0)` was called, or for the time of one command
        nothing was: nothing goes on by itself. Raise ValueError if a number is not finite.
        """
        for name, value in (("x", x), ("y", y)):
            if not math.isfinite(value):
                raise ValueError(f"{name} must be a finite number, not {value!r}")
        link = self._membership.link
        if not self._control.is_driver or link is None:
            return False
        return link.sender.send_drive(Drive(_clamp(x), _clamp(y)))

    def command(self, values: Mapping[str, Given]) -> bool:
        """Send values of the robot's controls, and return whether they were sent.

        `values` are by the names in `controls`: a number for an axis, in its unit, cut off at its
        range; whether a button is pressed; an option of a choice. A control that is left out rests,
        or stays where it is if it holds. They are in force for as long as a drive, and go to the
        robot in one command with it: repeat them `command_hz` times a second. They are not sent for
        the reasons that `drive` names. Raise ValueError for a name that the robot does not declare,
        or a value that its control cannot have.
        """
        link = self._membership.link
        if not self._control.is_driver or link is None or link.capabilities is None:
            return False
        return link.sender.send_values(encode_values(link.controls, values))

    def stop(self) -> bool:
        """Ask the robot to stop, and to obey no one until `clear_stop`.

        A user who may drive the robot may do so, viewers included. It is a request over a network,
        and no safety function. Return whether it was sent: False if no data channel is open, or if
        the robot is too old to know it.
        """
        link = self._membership.link
        return link is not None and link.sender.stop()

    def clear_stop(self) -> bool:
        """Ask the robot to let itself be driven again: the driver and the owner may.

        Return whether it was sent: False if the data channel is not open.
        """
        link = self._membership.link
        return link is not None and link.sender.clear_stop()

    # Control.

    async def take_over(self) -> None:
        """Take control from the session that has it.

        The owner and admins may, and the driver's own user from another connection. Raise
        OperatorError: `forbidden`, `robot_offline`, `timeout`, `offline`, `no_session`, `closed`.
        """
        await self._membership.claim("takeover")

    async def request_control(self) -> bool:
        """Ask the driver for control, and return whether this session drives already.

        It does if no one drove. Otherwise the event `ControlGained` or `ControlDenied` tells the
        driver's answer; after 30 s there will be none. Raise OperatorError as `take_over`.
        """
        if not self._control.is_driver:
            await self._membership.ask()
        return self._control.is_driver

    async def release(self) -> None:
        """Give control up and go on viewing.

        Raise OperatorError: `not_controller` if this session does not drive, else as `take_over`.
        """
        ack = await self._membership.request({"type": "release-control", "robotId": self.robot_id})
        self._control.give_up(ack, None)

    async def grant(self, session_id: str) -> None:
        """Hand control over to a viewer, and go on viewing.

        `session_id` is the viewer's, as `ControlRequested` has it. Raise OperatorError:
        `no_session` if the viewer has left, else as `release`.
        """
        frame = {"type": "grant-control", "robotId": self.robot_id, "sessionId": session_id}
        self._control.give_up(await self._membership.request(frame), session_id)
        self._membership.look_up_soon()

    async def deny(self, session_id: str) -> None:
        """Keep control, and tell the viewer who asked for it.

        `session_id` is the viewer's, as `ControlRequested` has it. Raise OperatorError as `grant`.
        """
        await self._membership.request(
            {"type": "deny-control", "robotId": self.robot_id, "sessionId": session_id}
        )

    async def leave(self) -> None:
        """Leave the session.

        Calls of `drive`, `view` and `take_over` for the same robot return the same session, and
        each holds it: it ends when `leave` has been called once for each of them.
        """
        self._holders -= 1
        if self._holders <= 0:
            await self._membership.close(OperatorError("no_session", ENDED, self.robot_id))

    # For the operator.

    def _hold(self) -> None:
        self._holders += 1


def _clamp(value: float) -> float:
    return max(-1.0, min(1.0, float(value)))
