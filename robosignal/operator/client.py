"""The operator: one connection to a server, and one session for each robot."""

import asyncio
from typing import Self

from robosignal.operator.control import Role
from robosignal.operator.errors import OperatorError
from robosignal.operator.membership import CALL_SECONDS, Membership
from robosignal.operator.session import Session
from robosignal.operator.signaling import Frame, Listener, Signaling
from robosignal.protocol.frames import Person
from robosignal.robot.client import check_id, check_url
from robosignal.robot.connection.state import Timing
from robosignal.robot.token import TokenSource, from_text


class Operator:
    """A program that drives and views robots, without a browser.

    `async with Operator(url, token=token) as operator` connects, and at the end of its block leaves
    every session. It keeps one WebSocket for signaling and one peer connection for each robot, and
    reopens them when they are lost.

    Args:
        url: the server's WebSocket address, such as `wss://host/prod`.
        token: a JWT that the server accepts, or a function that returns one. A function is called
            at each dial, and may be a coroutine function: see `robosignal.robot.token`.
        video: whether to ask robots for their video. Without it nothing is decoded, and `frames`
            yields nothing.
        timing: how long sockets are used, for servers other than API Gateway.

    Raises:
        ValueError: `url` is no WebSocket address.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | TokenSource,
        video: bool = True,
        timing: Timing | None = None,
    ) -> None:
        check_url(url)
        self._url = url
        self._token = token
        self._has_video = video
        self._timing = timing or Timing()
        self._signaling: Signaling | None = None
        self._sessions: dict[str, tuple[Membership, Session]] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    @property
    def me(self) -> Person | None:
        """This user, as the server says; None before the first connection."""
        welcome = {} if self._signaling is None else self._signaling.welcome
        return Person(welcome["userId"], welcome.get("name")) if welcome else None

    @property
    def is_online(self) -> bool:
        """Whether there is a connection to the server."""
        return self._signaling is not None and self._signaling.is_online

    async def drive(self, robot_id: str) -> Session:
        """Return a session that drives the robot `robot_id`, within 30 s.

        If there is a session for it already, that one asks for control. Raise OperatorError:
        `robot_busy`, with its `driver`, if another session drives; `forbidden`, `robot_offline`,
        `timeout`, `offline`; `closed` outside the operator's block. Raise ValueError if `robot_id`
        is not 1 to 64 of `A-Z a-z 0-9 _ . -`.
        """
        return await self._open(robot_id, "controller")

    async def view(self, robot_id: str) -> Session:
        """Return a session that views the robot `robot_id` and does not drive, within 30 s.

        If there is a session for it already, it is that one, which may drive. Raise as `drive`,
        and `too_many_viewers`.
        """
        return await self._open(robot_id, "viewer")

    async def take_over(self, robot_id: str) -> Session:
        """Return a session that drives the robot `robot_id`, and displaces its driver.

        The owner and admins may, and the driver's own user from another connection. Raise as
        `view`, within 40 s.
        """
        session = await self._open(robot_id, "viewer")
        try:
            if session.role != "controller":
                await session.take_over()
        except BaseException:
            await session.leave()
            raise
        return session

    async def request(self, type: str, **fields: object) -> Frame:  # noqa: A002 - the frame's field
        """Send any message of the protocol, and return the reply to it within 10 s.

        `type` and `fields` are the message's, such as `request("robots", all=True)`. Raise
        OperatorError with the protocol's code, or `timeout`, `offline` or `closed`.
        """
        return await self._running.request({"type": type, **fields})

    async def __aenter__(self) -> Self:
        """Connect. Raise OperatorError: `offline` after 30 s, `unauthorized` for the token."""
        token = from_text(self._token) if isinstance(self._token, str) else self._token
        listener = Listener(self._move, self._go_offline, self._move, self._handle)
        is_renewable = not isinstance(self._token, str)
        self._signaling = Signaling(
            self._url, token, listener, self._timing, is_renewable=is_renewable
        )
        try:
            async with asyncio.timeout(CALL_SECONDS):
                await self._signaling.wait_until_online()
        except TimeoutError:
            await self.__aexit__()
            text = f"the server could not be reached within {CALL_SECONDS} s: try again"
            raise OperatorError("offline", text) from None
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Leave every session and hang up."""
        signaling, self._signaling = self._signaling, None
        if signaling is not None:
            await asyncio.gather(*(each.close(_end_error()) for each in self._memberships))
            await asyncio.gather(*self._leaving)
            await signaling.close()

    async def _open(self, robot_id: str, role: Role) -> Session:
        check_id("robot_id", robot_id)
        signaling = self._running
        if robot_id not in self._sessions:
            membership = Membership(
                signaling,
                robot_id,
                lambda: self._remove(membership),
                has_video=self._has_video,
            )
            self._sessions[robot_id] = membership, Session(membership)
        membership, session = self._sessions[robot_id]
        session._hold()  # noqa: SLF001 - each call holds it
        try:
            await membership.join(role)
        except BaseException:
            await session.leave()
            raise
        return session

    @property
    def _running(self) -> Signaling:
        if self._signaling is None:
            raise OperatorError("closed", "enter the operator's block first: `async with`")
        return self._signaling

    @property
    def _memberships(self) -> list[Membership]:
        return [membership for membership, _ in self._sessions.values()]

    def _move(self) -> None:
        for membership in self._memberships:
            membership.move()

    def _go_offline(self) -> None:
        for membership in self._memberships:
            membership.go_offline()

    def _handle(self, frame: Frame) -> None:
        for membership in self._memberships:
            if membership.robot_id == frame["robotId"]:
                membership.handle(frame)

    def _remove(self, membership: Membership) -> None:
        del self._sessions[membership.robot_id]
        self._leaving.add(leaving := asyncio.create_task(membership.close(_end_error())))
        leaving.add_done_callback(self._leaving.discard)


def _end_error() -> OperatorError:
    return OperatorError("closed", "the operator's block has ended")
