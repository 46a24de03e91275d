"""A robot whose own program moves it while no one drives."""

import asyncio
from collections.abc import Callable

import pytest

from robosignal.robot import STILL, Axis, Command, Drive, Person, Robot
from robosignal.testing import LocalBackend

ROBOT, OWNER = "rover-1", "olga"
AHEAD, BACK = Drive(0.0, 1.0), Drive(0.0, -1.0)
WAIT_S = 20


class Seen:
    """What the robot was told, from its own threads."""

    def __init__(self) -> None:
        self.drives: list[Drive] = []
        self.belts: list[float] = []
        self.drivers: list[Person | None] = []

    def move(self, command: Command) -> None:
        """Be `on_command`."""
        self.belts.append(command.axes["belt"])

    def greet(self, driver: Person | None, _epoch: int) -> None:
        """Be `on_driver`."""
        self.drivers.append(driver)


async def hold_until(robot: Robot, drive: Drive, condition: Callable[[], bool]) -> None:
    """Have the program ask for this, 20 times a second, until the condition holds."""
    async with asyncio.timeout(WAIT_S):
        while not condition():
            robot.hold(drive, {"belt": 0.5})
            await asyncio.sleep(0.05)


async def test_a_program_drives_until_a_person_does_and_again_once_they_have_released() -> None:
    """It is displaced without being asked, moves nothing meanwhile, and a stop holds for it too."""
    seen, stop = Seen(), asyncio.Event()
    async with LocalBackend() as backend:
        robot = Robot(
            backend.url,
            ROBOT,
            token=backend.token(OWNER),
            on_drive=seen.drives.append,
            controls=[Axis("belt")],
            on_command=seen.move,
            on_driver=seen.greet,
        )
        before = robot.hold(BACK)
        running = asyncio.create_task(robot.run(stop=stop))
        async with backend.connect(OWNER) as client:
            await client.wait_until_online(ROBOT)
            await hold_until(robot, BACK, lambda: BACK in seen.drives)
            async with client.drive(ROBOT) as driver:
                await driver.drive(0, 1)
                while_driven = robot.hold(BACK)
                who = robot.driver
                taken = len(seen.drives)
                await driver.drive(0, 1)
            meanwhile = seen.drives[taken:]
            count = seen.drives.count(BACK)
            await hold_until(robot, BACK, lambda: seen.drives.count(BACK) > count)
        robot.stop_motion("a test")
        stopped = len(seen.drives)
        for _ in range(5):
            robot.hold(BACK)
            await asyncio.sleep(0.02)
        after_stop = seen.drives[stopped:]
        stop.set()
        await asyncio.wait_for(running, WAIT_S)

    assert (before, while_driven) == (False, False)
    assert who is not None
    assert who.user_id == OWNER
    assert BACK not in meanwhile
    assert set(after_stop) <= {STILL}
    assert 0.5 in seen.belts
    assert [None if each is None else each.user_id for each in seen.drivers if each] == [OWNER]


def test_a_program_cannot_ask_for_what_is_not_declared() -> None:
    """The error names the control."""
    robot = Robot(
        "ws://127.0.0.1:1/", "r", token="t", controls=[Axis("belt")], on_command=lambda _: None
    )

    with pytest.raises(ValueError, match="the control 'pan' is not declared in controls: belt"):
        robot.hold(values={"pan": 1})
    with pytest.raises(ValueError, match="belt takes a number"):
        robot.hold(values={"belt": True})


@pytest.mark.parametrize(
    ("drive", "values", "text"),
    [
        (Drive(0.0, float("nan")), {}, "y of drive must be from -1.0 to 1.0, not nan"),
        (Drive(1.5, 0.0), {}, "x of drive must be from -1.0 to 1.0, not 1.5"),
        (STILL, {"belt": float("nan")}, "belt takes a finite number"),
        (STILL, {"belt": float("inf")}, "belt takes a finite number"),
        (STILL, {"belt": 10**400}, "belt takes a finite number"),
    ],
)
def test_a_program_cannot_ask_for_what_is_no_number(
    drive: Drive, values: dict[str, float], text: str
) -> None:
    """Cut to its range, what is not a number would be full speed back."""
    robot = Robot(
        "ws://127.0.0.1:1/",
        ROBOT,
        token="t",
        controls=[Axis("belt")],
        on_command=lambda _command: None,
    )

    with pytest.raises(ValueError, match=text):
        robot.hold(drive, values)
