"""One robot and one client in a session: how they meet, renew it, and leave nothing behind."""

import secrets
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress

import msgspec

from robosignal.loadtest.plan import Plan
from robosignal.probe.connection import Connection, Frame, dial
from robosignal.probe.errors import Closed, RequestRefused
from robosignal.probe.probe import CLIENT, ROBOT, forget
from robosignal.probe.steps import StepFailed, StepTimer

OFFER: Frame = {"type": "offer", "sdp": "bench"}

# A candidate as browsers write them, with an address reserved for documentation (RFC 5737).
CANDIDATE: Frame = {
    "candidate": "candidate:842163049 1 udp 2122260223 192.0.2.17 49203 typ host generation 0 "
    "ufrag bnch network-id 1",
    "sdpMid": "0",
    "sdpMLineIndex": 0,
}


class Session:
    """A robot and its driver, from the first connection to the last."""

    def __init__(self) -> None:
        self.robot_id = f"bench-{secrets.token_hex(8)}"
        self.session_id = ""
        self.robot: Connection
        self.client: Connection
        self._is_left = False
        self._connections: list[Connection] = []

    async def start(
        self, plan: Plan, addresses: Sequence[str], timer: StepTimer, stack: AsyncExitStack
    ) -> None:
        """Open both connections, register the robot and let the client drive it.

        The connections are closed with the stack. Raise StepFailed.
        """
        self.robot = await self._join(ROBOT, plan, addresses, timer, stack)
        await self._register(timer)
        self.client = await self._join(CLIENT, plan, addresses, timer, stack)
        offer = {"type": "offer", "robotId": self.robot_id, "pcId": "bench", "payload": OFFER}
        with timer.measure("offer", CLIENT):
            ack = await self.client.request(offer, "ack")
            self.session_id = str(ack.frame.get("sessionId"))
            await self.robot.receive(lambda frame: frame.get("type") == "offer", "offer")

    async def _join(
        self,
        who: str,
        plan: Plan,
        addresses: Sequence[str],
        timer: StepTimer,
        stack: AsyncExitStack,
    ) -> Connection:
        with timer.measure("connect", who):
            connection = await dial(plan.url, plan.token, addresses, plan.timeout_s)
        stack.push_async_callback(connection.close)
        self._connections.append(connection)
        with timer.measure("welcome", who):
            await connection.request({"type": "ready", "protocol": 1}, "welcome")
        return connection

    async def _register(self, timer: StepTimer) -> None:
        message = {
            "type": "register",
            "robotId": self.robot_id,
            "instanceId": secrets.token_hex(16),
        }
        # Set before the reply: without one, the robot may be registered all the same.
        self._is_left = True
        try:
            with timer.measure("register", ROBOT):
                await self.robot.request(message, "registered")
        except StepFailed as failed:
            self._is_left = not isinstance(failed.error, RequestRefused)
            raise

    def candidate(self, number: int) -> str:
        """Return the text of the client's candidate of this number."""
        frame = {
            "type": "ice-candidate",
            "sessionId": self.session_id,
            "seq": number,
            "pcId": "bench",
            "payload": CANDIDATE,
        }
        return msgspec.json.encode(frame).decode()

    async def renew_lease(self) -> None:
        """Keep the session for another minute. The reply is not awaited."""
        with suppress(Closed):
            await self.client.send({"type": "ping", "sessionId": self.session_id})

    async def renew_presence(self) -> None:
        """Keep the robot online for some more minutes. The reply is not awaited."""
        with suppress(Closed):
            await self.robot.send({"type": "ping", "robotId": self.robot_id})

    async def clear(self) -> bool:
        """Forget the robot, over either connection; return whether nothing of it is left."""
        for connection in self._connections:
            if not self._is_left:
                break
            self._is_left = not await forget(connection, self.robot_id)
        return not self._is_left
