"""A robot with motors of its own: what they are told over a real peer connection, and when."""

import asyncio

import pytest

from robosignal.robot import motors
from robosignal.robot.commands import STILL, Drive
from tests.robot.stage import ALICE, BOB, PATIENCE, Running, Stage, browser, robot, session

FORWARD = Drive(0.0, 1.0)


class Wheels:
    """Motors that note what they are told, and fail as often as they should."""

    def __init__(self, *, failures: int = 0) -> None:
        self.told: list[Drive] = []
        self._failures = failures
        self._news = asyncio.Event()

    def __call__(self, drive: Drive) -> None:
        """Take what is asked for; raise while there are failures left."""
        self.told.append(drive)
        self._news.set()
        if self._failures:
            self._failures -= 1
            raise OSError("the port is gone")

    def fail(self, times: int) -> None:
        """Raise so many times from now on."""
        self._failures = times

    async def wait_for(self, count: int) -> list[Drive]:
        """Return what they were told, as soon as it is so much."""
        async with asyncio.timeout(PATIENCE):
            while len(self.told) < count:
                self._news.clear()
                await self._news.wait()
        return self.told


async def test_each_command_reaches_the_motors_and_so_does_the_watchdogs_stop() -> None:
    """They are told twice where the driver is, and once that commands have ceased."""
    stage, wheels = Stage(), Wheels()
    async with (
        stage.open(),
        robot(stage, move=wheels),
        browser(stage, "a", "pc-a1", ALICE) as alice,
    ):
        await alice.join("controller", 2)
        await alice.drive(1)
        await alice.drive(2)
        told = list(await wheels.wait_for(3))

    assert told == [FORWARD, FORWARD, STILL]


@pytest.mark.parametrize(
    ("kind", "change", "line"),
    [
        ("takeover", {"by": BOB, "reason": "owner", "sessionId": session("b")}, "Bob drives"),
        ("control", {}, "nobody drives"),
    ],
)
async def test_every_change_of_epoch_stops_the_motors_before_it_is_told(
    kind: str, change: dict[str, object], line: str
) -> None:
    """Whoever drives next begins from a stand, long before the watchdog would see to it."""
    stage, wheels = Stage(), Wheels()
    async with (
        stage.open(),
        robot(stage, move=wheels) as running,
        browser(stage, "a", "pc-a1", ALICE) as alice,
    ):
        await alice.join("controller", 2)
        await alice.drive(1)
        await stage.push(kind, epoch=3, **change)
        await running.log.wait_for(f"{line} (epoch 3)")
        told = list(wheels.told)

    assert told == [FORWARD, STILL]


async def test_motors_that_fail_are_stopped_and_the_robot_lives_on() -> None:
    """The failure is logged, and the next command is carried out."""
    stage, wheels = Stage(), Wheels(failures=1)
    async with (
        stage.open(),
        robot(stage, move=wheels) as running,
        browser(stage, "a", "pc-a1", ALICE) as alice,
    ):
        await alice.join("controller", 2)
        first = await alice.drive(1)
        told = list(wheels.told)
        second = await alice.drive(2)
        line = await running.log.wait_for("the motors failed")

    assert told == [FORWARD, STILL]
    assert wheels.told[2] == FORWARD
    assert (first["type"], second["type"]) == ("done", "done")
    assert "y=1.0" in line


async def test_motors_that_cannot_be_stopped_are_stopped_when_they_can_be() -> None:
    """The watchdog asks once; from then on the robot tries by itself, and logs it once."""
    stage, wheels = Stage(), Wheels(failures=3)
    async with (
        stage.open(),
        robot(stage, move=wheels) as running,
        browser(stage, "a", "pc-a1", ALICE) as alice,
    ):
        await alice.join("controller", 2)
        await alice.drive(1)
        told = list(await wheels.wait_for(4))
        lines = running.log.count("the motors failed")

    assert told == [FORWARD, STILL, STILL, STILL]
    assert lines == 1


async def test_motors_that_could_not_be_stopped_at_the_end_are_stopped_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However quick the farewell is: a program that ends leaves no motor running."""
    monkeypatch.setattr(motors, "AGAIN_SECONDS", 0.01)
    stage, wheels = Stage(), Wheels()
    async with (
        stage.open(),
        robot(stage, move=wheels),
        browser(stage, "a", "pc-a1", ALICE) as alice,
    ):
        await alice.join("controller", 2)
        await alice.drive(1)
        wheels.fail(3)

    assert wheels.told == [FORWARD, STILL, STILL, STILL, STILL]


async def test_robot_that_has_ended_tries_nothing_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Motors that fail to the last are left to whoever has started the robot."""
    monkeypatch.setattr(motors, "AGAIN_SECONDS", 0)
    monkeypatch.setattr(motors, "LAST_SECONDS", 0.05)
    stage, wheels = Stage(), Wheels(failures=10**6)
    async with stage.open(), robot(stage, move=wheels):
        pass
    told = len(wheels.told)
    for _ in range(20):
        await asyncio.sleep(0)

    assert told >= 2
    assert len(wheels.told) == told


async def test_function_that_would_have_to_be_awaited_is_refused() -> None:
    """Its calls would make no move, and no stop either."""

    async def move(_: Drive) -> None:
        """Never run."""

    running = Running("ws://127.0.0.1:1/", move=move)  # type: ignore[arg-type]

    with pytest.raises(TypeError, match="plain functions"):
        await running.ended()
