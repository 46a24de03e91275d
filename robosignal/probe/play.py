"""Plays a robot and a client who meet through a deployment.

Knows the order of the protocol's messages; must never know what a failure means.
"""

import secrets
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Any

from robosignal.probe.dial import dial, resolve
from robosignal.probe.laps import Laps, StepFailed
from robosignal.probe.line import Frame, Line
from robosignal.probe.trouble import Refusal, Trouble

ROBOT, CLIENT = "robot", "client"

# Opaque to the relay, and small: what is timed is the way, not the load.
OFFER: Frame = {"type": "offer", "sdp": "probe"}
ANSWER: Frame = {"type": "answer", "sdp": "probe"}
CANDIDATE: Frame = {"candidate": "probe"}


@dataclass(frozen=True, slots=True)
class Target:
    """Which deployment, and who signs in."""

    url: str
    client_token: str
    robot_token: str
    seconds: float
    """How long any one answer may take."""


@dataclass(slots=True)
class Guest:
    """The probe's robot, and whether something of it is left at the deployment."""

    robot_id: str
    is_left: bool = False


def fresh_guest() -> Guest:
    """Return a guest by an id that no real robot bears."""
    return Guest(f"probe-{secrets.token_hex(8)}")


async def play(target: Target, guest: Guest, laps: Laps) -> None:
    """Let a robot and a client meet once, and forget the robot afterwards.

    Raise StepFailed where the first step fails; what was registered is cleaned up then as well.
    """
    async with AsyncExitStack() as stack:
        with laps.step("resolve", CLIENT):
            addresses = await resolve(target.url, target.seconds)

        async def joined(who: str, token: str) -> Line:
            with laps.step("connect", who):
                connection = await dial(target.url, token, addresses, target.seconds)
            line = Line(connection, target.seconds)
            stack.push_async_callback(line.close)
            with laps.step("welcome", who):
                await line.ask("welcome", type="ready", protocol=1)
            return line

        robot = await joined(ROBOT, target.robot_token)
        client = await joined(CLIENT, target.client_token)
        await _register(guest, robot, laps)
        try:
            await _meet(guest.robot_id, robot, client, laps)
        finally:
            guest.is_left = not await forget(robot, guest.robot_id)


async def _register(guest: Guest, robot: Line, laps: Laps) -> None:
    instance = secrets.token_hex(16)
    try:
        with laps.step("register", ROBOT):
            await robot.ask(
                "registered", type="register", robotId=guest.robot_id, instanceId=instance
            )
    except StepFailed as failed:
        # A refusal changes nothing; a lost reply may hide that it was carried out.
        guest.is_left = guest.is_left or not isinstance(failed.trouble, Refusal)
        raise


async def _meet(robot_id: str, robot: Line, client: Line, laps: Laps) -> None:
    with laps.step("offer", CLIENT) as lap:
        ack = await client.ask("ack", type="offer", robotId=robot_id, pcId="probe", payload=OFFER)
        session = str(ack.frame.get("sessionId"))
        lap.ended = (await robot.first(_of("offer", session), "offer")).at
    about = {"sessionId": session, "pcId": "probe"}
    with laps.step("answer", ROBOT) as lap:
        await robot.ask("ack", type="answer", payload=ANSWER, **about)
        lap.ended = (await client.first(_of("answer", session), "answer")).at
    with laps.step("candidate", CLIENT) as lap:
        await client.ask("ack", type="ice-candidate", payload=CANDIDATE, **about)
        lap.ended = (await robot.first(_of("ice-candidate", session), "candidate")).at
    with laps.step("bye", CLIENT) as lap:
        await client.ask("ack", type="bye", sessionId=session)
        lap.ended = (await robot.first(_of("peer-left", session), "peer-left")).at


def _of(kind: str, session: str) -> Callable[[dict[str, Any]], bool]:
    return lambda frame: frame.get("type") == kind and frame.get("sessionId") == session


async def forget(robot: Line, robot_id: str) -> bool:
    """End the robot's presence, then its item; return whether nothing of it is left.

    A deployment that does not know `forget` refuses it, and the item stays.
    """
    with suppress(Trouble):
        await robot.ask("ack", type="unregister", robotId=robot_id)
    try:
        await robot.ask("ack", type="forget", robotId=robot_id)
    except Trouble:
        return False
    return True
