"""Probes a deployment: rounds in which a robot and a client meet, up to the first that fails."""

import secrets
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Any

from robosignal.probe.advice import advise
from robosignal.probe.connection import Connection, Frame, dial, resolve
from robosignal.probe.errors import ProbeError, RequestRefused
from robosignal.probe.report import Failure, Report
from robosignal.probe.steps import StepFailed, StepTimer

ROBOT, CLIENT = "robot", "client"

# Opaque to the relay, and small: latency is measured, not throughput.
OFFER: Frame = {"type": "offer", "sdp": "probe"}
ANSWER: Frame = {"type": "answer", "sdp": "probe"}
CANDIDATE: Frame = {"candidate": "probe"}

OnStep = Callable[[int, str], None]
"""Called with the number of the round and the name of each step that begins."""


@dataclass(frozen=True, slots=True)
class Target:
    """Which deployment, and who signs in."""

    url: str
    client_token: str
    robot_token: str
    timeout_s: float
    """How long any one answer may take, in seconds."""


@dataclass(slots=True)
class ProbeRobot:
    """The robot that the probe registers, and whether its item may still be in the deployment."""

    robot_id: str
    is_left: bool = False


async def probe(target: Target, count: int, on_step: OnStep) -> Report:
    """Run up to `count` rounds one after the other, and return what was observed.

    Raises nothing: the first failure is in the report.
    """
    robot = ProbeRobot(f"probe-{secrets.token_hex(8)}")
    timer = StepTimer(lambda step: on_step(done + 1, step))
    failure: Failure | None = None
    done = 0
    while done < count and failure is None:
        try:
            await _run_round(target, robot, timer)
            done += 1
        except StepFailed as failed:
            token = target.robot_token if failed.who == ROBOT else target.client_token
            failure = describe_failure(failed, token, done + 1)
    return Report(
        url=target.url,
        rounds=done,
        times=timer.times,
        failure=failure,
        left_behind=robot.robot_id if robot.is_left else None,
    )


def describe_failure(failed: StepFailed, token: str, number: int) -> Failure:
    """Return a failure of round `number` as a report shows it, with what to check.

    `token` is that of the side on which it failed.
    """
    return Failure(
        step=failed.step,
        who=failed.who,
        round=number,
        seen=str(failed.error),
        check=advise(failed, token, int(time.time())),
    )


async def _run_round(target: Target, guest: ProbeRobot, timer: StepTimer) -> None:
    """Let a robot and a client meet once, and forget the robot afterwards.

    Raise StepFailed at the first step that fails; the robot is forgotten then as well.
    """
    async with AsyncExitStack() as stack:
        with timer.measure("resolve", CLIENT):
            addresses = await resolve(target.url, target.timeout_s)

        async def join(who: str, token: str) -> Connection:
            with timer.measure("connect", who):
                connection = await dial(target.url, token, addresses, target.timeout_s)
            stack.push_async_callback(connection.close)
            with timer.measure("welcome", who):
                await connection.request({"type": "ready", "protocol": 1}, "welcome")
            return connection

        robot = await join(ROBOT, target.robot_token)
        client = await join(CLIENT, target.client_token)
        await _register(guest, robot, timer)
        try:
            await _meet(guest.robot_id, robot, client, timer)
        finally:
            guest.is_left = not await forget(robot, guest.robot_id)


async def _register(guest: ProbeRobot, robot: Connection, timer: StepTimer) -> None:
    message = {
        "type": "register",
        "robotId": guest.robot_id,
        "instanceId": secrets.token_hex(16),
    }
    try:
        with timer.measure("register", ROBOT):
            await robot.request(message, "registered")
    except StepFailed as failed:
        # A refusal changes nothing. If the reply was lost, the robot may be registered.
        guest.is_left = guest.is_left or not isinstance(failed.error, RequestRefused)
        raise


async def _meet(robot_id: str, robot: Connection, client: Connection, timer: StepTimer) -> None:
    offer = {"type": "offer", "robotId": robot_id, "pcId": "probe", "payload": OFFER}
    with timer.measure("offer", CLIENT) as step:
        ack = await client.request(offer, "ack")
        session = str(ack.frame.get("sessionId"))
        step.ended_at = (await robot.receive(_is("offer", session), "offer")).at
    to_session = {"sessionId": session, "pcId": "probe"}
    with timer.measure("answer", ROBOT) as step:
        await robot.request({"type": "answer", "payload": ANSWER, **to_session}, "ack")
        step.ended_at = (await client.receive(_is("answer", session), "answer")).at
    with timer.measure("candidate", CLIENT) as step:
        await client.request({"type": "ice-candidate", "payload": CANDIDATE, **to_session}, "ack")
        step.ended_at = (await robot.receive(_is("ice-candidate", session), "candidate")).at
    with timer.measure("bye", CLIENT) as step:
        await client.request({"type": "bye", "sessionId": session}, "ack")
        step.ended_at = (await robot.receive(_is("peer-left", session), "peer-left")).at


def _is(kind: str, session: str) -> Callable[[dict[str, Any]], bool]:
    return lambda frame: frame.get("type") == kind and frame.get("sessionId") == session


async def forget(robot: Connection, robot_id: str) -> bool:
    """End the robot's presence, then delete its item; return whether nothing of it is left.

    A deployment that does not know `forget` refuses it, and the item stays.
    """
    with suppress(ProbeError):
        await robot.request({"type": "unregister", "robotId": robot_id}, "ack")
    try:
        await robot.request({"type": "forget", "robotId": robot_id}, "ack")
    except ProbeError:
        return False
    return True
