"""An operator with a real robot over a real backend: commands, control, stops, losses."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from av import VideoFrame

from robosignal.operator import (
    ControlDenied,
    ControlGained,
    ControlLost,
    ControlRequested,
    DriverChanged,
    Operator,
    OperatorError,
    Session,
    StateChanged,
    Stopped,
    StopRefused,
)
from robosignal.robot import STILL, Axis, Choice, Command, Field, Timing
from robosignal.testing import LocalBackend
from tests.operator.worlds import (
    AHEAD,
    BACK,
    FRIEND,
    OWNER,
    ROBOT,
    WAIT_S,
    World,
    next_of,
    open_world,
    until,
)


async def drive_until(session: Session, y: float, condition: Callable[[], object]) -> None:
    """Drive ahead or back, 20 times a second, until the condition holds."""
    async with asyncio.timeout(WAIT_S):
        while not condition():
            session.drive(0.0, y)
            await asyncio.sleep(0.05)


def settled(session: Session) -> bool:
    """Whether a session is live, and who drives is known."""
    return session.state == "live" and not session.is_stale


async def test_it_drives_and_stops_when_the_program_does() -> None:
    """Commands are obeyed as a page's are, fresh and fenced, and so is their end."""
    async with open_world() as made, made.operator() as operator:
        session = await operator.drive(ROBOT)
        role, epoch = session.role, session.epoch
        await drive_until(session, 1.0, lambda: AHEAD in made.drives)
        await until(lambda: made.drives[-1] == STILL)
        me = operator.me

    assert role == "controller"
    assert epoch > 0
    assert me is not None
    assert me.user_id == OWNER
    assert session.state == "ended"


async def test_frames_come_and_only_if_they_are_asked_for() -> None:
    """The test picture; an operator without video is live without it."""
    async with open_world() as made, made.operator(video=True) as one, made.operator() as other:
        seeing = await one.view(ROBOT)
        frame = await next_of(seeing.frames(), VideoFrame)
        await until(lambda: seeing.state == "live")
        blind = await other.drive(ROBOT)
        frames = blind.frames()
        await until(lambda: blind.state == "live")

    assert (frame.width, frame.height) == (640, 360)
    with pytest.raises(StopAsyncIteration):
        await anext(frames)


async def test_telemetry_comes_by_name_and_merged() -> None:
    """An iterator begins with what is known, and ends with the session."""
    fields = [Field("battery", "V"), Field("mode")]
    async with open_world(telemetry=fields) as made, made.operator() as operator:
        session = await operator.view(ROBOT)
        await until(lambda: session.fields)
        made.robot.publish({"battery": 12.5})
        first = await next_of(session.telemetry(), object)
        made.robot.publish({"mode": "ready"})
        await until(lambda: "mode" in session.values)
        telemetry = session.telemetry()
        known = await anext(telemetry)

    assert first == {"battery": 12.5}
    assert known == {"battery": 12.5, "mode": "ready"}
    assert session.fields == ()
    with pytest.raises(StopAsyncIteration):
        await anext(telemetry)


async def test_controls_are_set_by_name() -> None:
    """What holds is told back in `held`; a name that is not declared is an error."""
    commands: list[Command] = []
    controls = [Axis("belt"), Axis("pan", most=90, holds=True), Choice("gear", ["slow", "fast"])]
    async with (
        open_world(
            on_drive=None, controls=controls, on_command=commands.append, command_hz=50.0
        ) as made,
        made.operator() as operator,
    ):
        session = await operator.drive(ROBOT)
        await until(lambda: session.blocked is None)
        async with asyncio.timeout(WAIT_S):
            while not commands or commands[-1].choices["gear"] != "fast":
                session.command({"belt": 0.5, "pan": 45, "gear": "fast"})
                await asyncio.sleep(0.02)
        await until(lambda: session.held == {"pan": 45.0, "gear": "fast"})
        await until(lambda: commands[-1].is_stop)
        declared, hz = session.controls, session.command_hz
        with pytest.raises(ValueError, match="'tilt' is not declared"):
            session.command({"tilt": 1})

    assert [each.name for each in declared] == ["belt", "pan", "gear"]
    assert hz == 50
    assert any(each.axes["belt"] == 0.5 for each in commands)


async def test_a_displaced_driver_is_told_and_moves_nothing_more() -> None:
    """It goes on viewing, knows who drives, and asks for what is free."""
    async with open_world() as made:
        await made.befriend()
        async with made.operator(FRIEND) as first, made.operator() as second:
            friend = await first.drive(ROBOT)
            events = friend.events()
            await drive_until(friend, 1.0, lambda: AHEAD in made.drives)
            olga = await second.take_over(ROBOT)
            lost = await next_of(events, ControlLost)
            await drive_until(olga, -1.0, lambda: BACK in made.drives)
            taken = made.drives.index(BACK)
            await until(lambda: settled(friend))
            for _ in range(10):
                assert not friend.drive(0.0, 1.0)
                olga.drive(0.0, -1.0)
                await asyncio.sleep(0.05)
            meanwhile = made.drives[taken:]
            seen = (friend.role, friend.driver, friend.lost_to, friend.is_free)
            epochs = (lost.epoch, friend.epoch, olga.epoch)
            await olga.release()
            await next_of(events, DriverChanged)
            has_it = await friend.request_control()
            await drive_until(friend, 1.0, lambda: AHEAD in made.drives[taken:])

    driver = lost.to
    assert driver is not None
    assert driver.user_id == OWNER
    assert seen == ("viewer", driver, driver, False)
    assert len(set(epochs)) == 1
    assert AHEAD not in meanwhile
    assert has_it


async def test_control_is_asked_for_denied_and_granted() -> None:
    """Both sides hear of it, and the peer connections stay."""
    async with open_world() as made:
        await made.befriend()
        async with made.operator() as one, made.operator(FRIEND) as other:
            olga, friend = await one.drive(ROBOT), await other.view(ROBOT)
            olgas, friends = olga.events(), friend.events()
            await until(lambda: settled(olga) and settled(friend))
            has_it = await friend.request_control()
            asked = await next_of(olgas, ControlRequested)
            was_asking = friend.is_asking
            await olga.deny(asked.session_id)
            denied = await next_of(friends, ControlDenied)
            is_asking = friend.is_asking
            await friend.request_control()
            again = await next_of(olgas, ControlRequested)
            await olga.grant(again.session_id)
            gained = await next_of(friends, ControlGained)
            lost = await next_of(olgas, ControlLost)
            await drive_until(friend, 1.0, lambda: AHEAD in made.drives)
            await until(lambda: olga.driver is not None)
            driver, states = olga.driver, (olga.state, friend.state)

    assert (has_it, was_asking, is_asking) == (False, True, False)
    assert asked.by is not None
    assert asked.by.user_id == FRIEND
    assert denied.by is not None
    assert denied.by.user_id == OWNER
    assert gained.epoch == lost.epoch
    assert lost.to is None
    assert driver is not None
    assert driver.user_id == FRIEND
    assert states == ("live", "live")


async def test_a_stop_of_a_viewer_holds_until_the_driver_clears_it() -> None:
    """Motion that it interrupted does not go on by itself: the program begins with a zero."""
    async with open_world() as made:
        await made.befriend()
        async with made.operator(FRIEND) as one, made.operator(FRIEND) as two:
            driver, viewer = await one.drive(ROBOT), await two.view(ROBOT)
            events, viewers = driver.events(), viewer.events()
            await until(lambda: viewer.state == "live")
            await drive_until(driver, 1.0, lambda: AHEAD in made.drives)
            assert viewer.stop()
            stopped = await next_of(events, Stopped)
            blocked, sent = driver.blocked, driver.drive(0.0, 1.0)
            assert viewer.clear_stop()
            refused = await next_of(viewers, StopRefused)
            assert driver.clear_stop()
            cleared = await next_of(events, Stopped)
            await until(lambda: driver.blocked is None)
            goes_on = driver.drive(0.0, 1.0)
            driver.drive(0.0, 0.0)
            count = len(made.drives)
            await drive_until(driver, 1.0, lambda: AHEAD in made.drives[count:])

    assert stopped.by == FRIEND
    assert (blocked, sent, goes_on) == ("stopped", False, False)
    assert refused == StopRefused("clear-stop")
    assert cleared.by is None


async def test_a_robot_that_is_busy_or_away_is_refused_with_its_driver() -> None:
    """A call that fails holds nothing; what cannot be an id is told before anything is sent."""
    async with open_world() as made:
        await made.befriend()
        async with made.operator() as one, made.operator(FRIEND) as other:
            await one.drive(ROBOT)
            with pytest.raises(OperatorError) as busy:
                await other.drive(ROBOT)
            with pytest.raises(OperatorError) as away:
                await one.view("rover-2")
            with pytest.raises(ValueError, match="robot_id"):
                await one.view("no such id")
            viewing = await other.view(ROBOT)
            with pytest.raises(OperatorError) as busy_again:
                await other.drive(ROBOT)
            role = viewing.role
        with pytest.raises(OperatorError) as closed:
            await one.view(ROBOT)

    assert busy.value.code == busy_again.value.code == "robot_busy"
    assert busy.value.driver is not None
    assert busy.value.driver.user_id == OWNER
    assert away.value.code in ("robot_offline", "not_registered", "forbidden")
    assert role == "viewer"
    assert closed.value.code == "closed"


async def test_leaving_frees_control_once_every_call_has_left() -> None:
    """Two calls for one robot share a session."""
    async with open_world() as made, made.operator() as one, made.operator() as other:
        session = await one.drive(ROBOT)
        same = await one.view(ROBOT)
        await session.leave()
        still = session.state
        await same.leave()
        taken = await other.drive(ROBOT)
        with pytest.raises(OperatorError) as ended:
            await session.take_over()

    assert same is session
    assert still != "ended"
    assert session.state == "ended"
    assert taken.epoch > 0
    assert ended.value.code == "no_session"


async def test_a_robot_that_restarts_is_driven_on() -> None:
    """The session offers again by itself, in the role that it had."""
    async with LocalBackend() as backend:
        made = World(backend)
        async with made.running(), made.operator() as operator:
            pass
        async with made.operator() as operator:
            async with made.running():
                session = await operator.drive(ROBOT)
                await drive_until(session, 1.0, lambda: AHEAD in made.drives)
            await until(lambda: session.state == "waiting")
            why = session.why
            made.drives.clear()
            async with made.running():
                await drive_until(session, 1.0, lambda: AHEAD in made.drives)

    assert why == "The robot went away. Waiting for it to come back."


async def test_a_server_that_restarts_costs_no_picture_and_no_command(tmp_path: Path) -> None:
    """The peer connection goes on meanwhile, and the session is offered again."""
    async with AsyncExitStack() as first:
        backend = await first.enter_async_context(LocalBackend(state=tmp_path))
        port, made = backend.port, World(backend)
        async with made.running(), made.operator() as operator:
            session = await operator.drive(ROBOT)
            await drive_until(session, 1.0, lambda: AHEAD in made.drives)
            await until(lambda: session.state == "live")
            await first.aclose()
            await until(lambda: not operator.is_online)
            made.drives.clear()
            await drive_until(session, 1.0, lambda: AHEAD in made.drives)
            while_away = session.state
            async with LocalBackend(state=tmp_path, port=port):
                await until(lambda: operator.is_online)
                made.drives.clear()
                await drive_until(session, -1.0, lambda: BACK in made.drives)
                await until(lambda: session.state == "live" and session.role == "controller")
                role = session.role

    assert while_away == "live"
    assert role == "controller"


async def test_a_session_moves_to_the_next_socket_before_the_old_one_ends() -> None:
    """Nothing is offered again, no epoch passes, and requests go on."""
    timing = Timing(life_ms=1500, drain_ms=500)
    async with open_world() as made, made.operator(timing=timing) as operator:
        session = await operator.drive(ROBOT)
        await until(lambda: session.state == "live")
        epoch, events = session.epoch, session.events()
        first = operator._running.welcome["connectionId"]  # noqa: SLF001 - which socket it is
        await until(lambda: operator._running.welcome["connectionId"] != first)  # noqa: SLF001
        await drive_until(session, 1.0, lambda: AHEAD in made.drives)
        after = (session.role, session.epoch, session.state)
        await session.release()
        first_event = await anext(events)

    assert after == ("controller", epoch, "live")
    assert first_event == ControlLost(None, epoch + 1)


async def test_a_token_that_the_server_refuses_ends_it() -> None:
    """At the start, with what to do; and an address that is none is told at once."""
    async with LocalBackend() as backend:
        with pytest.raises(OperatorError, match="sign in again") as refused:
            async with Operator(backend.url, token="no.good.token"):
                pass
    with pytest.raises(ValueError, match="url"):
        Operator("http://127.0.0.1", token="t")

    assert refused.value.code == "unauthorized"


async def test_drives_are_cut_off_and_checked() -> None:
    """Beyond 1 is as far as 1; what is no number is an error that names it."""
    async with open_world() as made, made.operator() as operator:
        session = await operator.drive(ROBOT)
        await drive_until(session, 7.0, lambda: AHEAD in made.drives)
        with pytest.raises(ValueError, match="y must be a finite number"):
            session.drive(0.0, float("nan"))

    assert all(-1 <= drive.y <= 1 for drive in made.drives)


async def test_a_call_to_drive_that_is_cancelled_leaves_control_free() -> None:
    """A session that viewed goes on viewing, and what the offer may have got is given back."""
    async with open_world() as made, made.operator() as one, made.operator() as other:
        session = await one.view(ROBOT)
        await until(lambda: settled(session))
        events = session.events()
        driving = asyncio.create_task(one.drive(ROBOT))
        await asyncio.sleep(0)
        driving.cancel()
        await asyncio.wait({driving})
        joining_again = await next_of(events, StateChanged)
        await until(lambda: settled(session))
        role = session.role
        taken = await other.drive(ROBOT)

    assert driving.cancelled()
    assert joining_again.state == "connecting"
    assert role == "viewer"
    assert taken.epoch > 0
