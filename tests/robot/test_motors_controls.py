"""What `on_command` is told in the motors' thread: steps, stops, and what holds."""

import asyncio

from robosignal.robot import Axis, Button, Command, Drive
from robosignal.robot.controls import Controls
from robosignal.robot.drive import STILL
from robosignal.robot.motors import Motors
from tests.robot.server import PATIENCE, ROBOT

CONTROLS = Controls(
    [Axis("pan", least=-90, most=90, rate=100, holds=True), Axis("belt"), Button("horn")]
)


class Told:
    """What the program was told, from the motors' thread."""

    def __init__(self) -> None:
        self.commands: list[Command] = []
        self.held: list[tuple[float | str | None, ...]] = []
        self._news = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def take(self, command: Command) -> None:
        """Be `on_command`."""
        self.commands.append(command)
        self._loop.call_soon_threadsafe(self._news.set)

    async def stop(self) -> Command:
        """Return the first command that stops, as soon as there is one."""
        async with asyncio.timeout(PATIENCE):
            while True:
                stops = [each for each in self.commands if each.is_stop]
                if stops:
                    return stops[0]
                self._news.clear()
                await self._news.wait()


async def test_a_watchdogs_stop_leaves_what_holds_halfway_and_rests_the_others() -> None:
    """The pan is on its way to 90 degrees at 100 a second: after 200 ms it stays near 20."""
    told = Told()
    motors = Motors(
        ROBOT,
        [],
        watchdog_ms=200,
        controls=CONTROLS,
        on_command=told.take,
        on_held=told.held.append,
    )
    motors.move(STILL, values=(90.0, 1.0, 1.0))
    stop = await told.stop()
    await motors.wait_closed()
    moved = [each for each in told.commands if not each.is_stop]
    steps = [command.axes["pan"] for command in moved]

    assert steps == sorted(steps)
    assert 0 < stop.axes["pan"] == steps[-1] < 90
    assert (stop.axes["belt"], stop.buttons["horn"]) == (0.0, False)
    assert all(command.axes["belt"] == 1 and command.buttons["horn"] for command in moved)
    assert told.held[-1] == (steps[-1], None, None)


async def test_a_drive_that_cannot_be_stopped_does_not_keep_the_controls_from_their_stop() -> None:
    """`on_drive` raises at each call; `on_command` is told the stop all the same."""
    told = Told()

    def fail(_: Drive) -> None:
        raise OSError("the port is gone")

    motors = Motors(ROBOT, [fail], controls=CONTROLS, on_command=told.take)
    motors.move(Drive(0.0, 1.0), values=(None, 1.0, None))
    stop = await told.stop()
    motors.close()

    assert stop.axes == {"pan": 0, "belt": 0}


async def test_while_the_motors_are_held_no_control_moves() -> None:
    """The program's own stop refuses values too, until it is cleared."""
    told = Told()
    motors = Motors(ROBOT, [], controls=CONTROLS, on_command=told.take)
    motors.hold()
    motors.move(STILL, values=(None, 1.0, None))
    await told.stop()
    motors.release(motors.holds)
    motors.move(STILL, values=(None, -1.0, None))
    await motors.wait_closed()

    assert [command.axes["belt"] for command in told.commands if not command.is_stop] == [-1]


async def test_a_stop_holds_that_was_made_while_an_older_one_was_being_cleared() -> None:
    """The clearing waits in the event loop; the button was pressed once more meanwhile."""
    told = Told()
    motors = Motors(ROBOT, [], controls=CONTROLS, on_command=told.take)
    motors.hold()
    holds = motors.holds
    motors.hold()
    motors.release(holds)
    motors.move(Drive(0.0, 1.0), values=(90.0, 1.0, 1.0))
    await motors.wait_closed()

    assert [each for each in told.commands if not each.is_stop] == []
