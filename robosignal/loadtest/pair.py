"""One robot and one client who hold a session: how they meet, renew, and leave nothing behind.

Knows the order of the protocol's messages; must never know a rate or a figure.
"""

import secrets
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from robosignal.loadtest.plan import Plan
from robosignal.probe.dial import dial
from robosignal.probe.laps import Laps, StepFailed
from robosignal.probe.line import Frame, Line
from robosignal.probe.play import CLIENT, ROBOT, forget
from robosignal.probe.trouble import Refusal

OFFER: Frame = {"type": "offer", "sdp": "bench"}

# A candidate as browsers write them, with an address that RFC 5737 gives to nobody.
CANDIDATE: Frame = {
    "candidate": "candidate:842163049 1 udp 2122260223 192.0.2.17 49203 typ host generation 0 "
    "ufrag bnch network-id 1",
    "sdpMid": "0",
    "sdpMLineIndex": 0,
}


@dataclass(slots=True)
class End:
    """One open connection, to send to and to be asked on."""

    socket: ClientConnection
    line: Line

    async def send(self, frame: Frame) -> None:
        """Send a frame without waiting for an answer; the closed are met where it is awaited."""
        with suppress(ConnectionClosed):
            await self.socket.send(msgspec.json.encode(frame).decode())


class Pair:
    """A robot and its driver, from the first connection to the last."""

    def __init__(self) -> None:
        self.robot_id = f"bench-{secrets.token_hex(8)}"
        self.session = ""
        self.robot: End
        self.client: End
        self._is_left = False
        self._ends: list[End] = []

    async def meet(
        self, plan: Plan, addresses: Sequence[str], laps: Laps, stack: AsyncExitStack
    ) -> None:
        """Open both connections, register the robot and let the client drive it.

        The connections are closed with the stack. Raise StepFailed.
        """
        self.robot = await self._joined(ROBOT, plan, addresses, laps, stack)
        await self._register(laps)
        self.client = await self._joined(CLIENT, plan, addresses, laps, stack)
        with laps.step("offer", CLIENT):
            ack = await self.client.line.ask(
                "ack", type="offer", robotId=self.robot_id, pcId="bench", payload=OFFER
            )
            self.session = str(ack.frame.get("sessionId"))
            await self.robot.line.first(lambda frame: frame.get("type") == "offer", "offer")

    async def _joined(
        self, who: str, plan: Plan, addresses: Sequence[str], laps: Laps, stack: AsyncExitStack
    ) -> End:
        with laps.step("connect", who):
            socket = await dial(plan.url, plan.token, addresses, plan.patience_s)
        end = End(socket, Line(socket, plan.patience_s))
        stack.push_async_callback(end.line.close)
        self._ends.append(end)
        with laps.step("welcome", who):
            await end.line.ask("welcome", type="ready", protocol=1)
        return end

    async def _register(self, laps: Laps) -> None:
        # Also if this is cut off or not answered: it may have been carried out.
        self._is_left = True
        try:
            with laps.step("register", ROBOT):
                await self.robot.line.ask(
                    "registered",
                    type="register",
                    robotId=self.robot_id,
                    instanceId=secrets.token_hex(16),
                )
        except StepFailed as failed:
            self._is_left = not isinstance(failed.trouble, Refusal)
            raise

    def candidate(self, number: int) -> str:
        """Return the client's candidate of this number, as it is sent."""
        frame = {
            "type": "ice-candidate",
            "sessionId": self.session,
            "seq": number,
            "pcId": "bench",
            "payload": CANDIDATE,
        }
        return msgspec.json.encode(frame).decode()

    async def renew_lease(self) -> None:
        """Keep the session for another minute."""
        await self.client.send({"type": "ping", "sessionId": self.session})

    async def renew_presence(self) -> None:
        """Keep the robot online for some more minutes."""
        await self.robot.send({"type": "ping", "robotId": self.robot_id})

    async def clear(self) -> bool:
        """Forget the robot, by whichever connection still can; return whether nothing is left."""
        for end in self._ends:
            if not self._is_left:
                break
            self._is_left = not await forget(end.line, self.robot_id)
        return not self._is_left
