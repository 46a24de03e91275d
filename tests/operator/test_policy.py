"""The example: a policy drives by telemetry, gives way to a person, and goes on after them."""

import asyncio
from contextlib import suppress

from examples import corridor, policy
from robosignal.operator import ControlGained, ControlLost, Operator
from robosignal.testing import LocalBackend
from tests.operator.worlds import FRIEND, OWNER, ROBOT, WAIT_S, next_of, until

NEAR_M = 0.25


def is_where_the_policy_wants(rover: corridor.Rover) -> bool:
    """Whether the rover is a metre from the wall."""
    return abs(rover.measure() - policy.WANTED) < NEAR_M


async def drive_back_to(person: Operator, rover: corridor.Rover, metres: float) -> None:
    """Take over, drive back so far, and release."""
    session = await person.take_over(ROBOT)
    async with asyncio.timeout(WAIT_S):
        while rover.measure() < metres:
            session.drive(0.0, -1.0)
            await asyncio.sleep(0.05)
    await session.release()


async def test_a_policy_gives_way_to_a_person_and_goes_on_once_they_release() -> None:
    """All parts are real; the policy's user is not the owner, who may take over."""
    rover = corridor.Rover(distance=2.0)
    async with LocalBackend() as backend:
        robot = corridor.make_robot(backend.url, ROBOT, backend.token(OWNER), rover)
        being = asyncio.create_task(corridor.run(robot, rover))
        async with backend.connect(OWNER) as owner, backend.connect(FRIEND) as friend:
            await owner.wait_until_online(ROBOT)
            await owner.request("share", robotId=ROBOT, userId=FRIEND)
            await friend.request("accept-share", robotId=ROBOT)
        async with (
            Operator(backend.url, token=backend.token(FRIEND), video=False) as operator,
            Operator(backend.url, token=backend.token(OWNER), video=False) as person,
        ):
            session = await operator.view(ROBOT)
            events = session.events()
            keeping = asyncio.create_task(policy.keep_distance(session))
            gained = await next_of(events, ControlGained)
            await until(lambda: is_where_the_policy_wants(rover))

            await drive_back_to(person, rover, 3.0)
            lost = await next_of(events, ControlLost)
            again = await next_of(events, ControlGained)
            await until(lambda: is_where_the_policy_wants(rover))
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping
        being.cancel()
        await asyncio.wait({being})

    assert lost.to is not None
    assert lost.to.user_id == OWNER
    assert gained.epoch < lost.epoch < again.epoch
