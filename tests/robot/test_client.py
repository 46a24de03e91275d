"""The robot as a program: how it registers, what it survives, and when it ends."""

import logging
from typing import Any

import pytest

from robosignal.robot import (
    Limits,
    RegistrationRefused,
    Robot,
    RobotError,
    RobotReplaced,
    TokenRejected,
)
from robosignal.robot.connection.state import Timing
from tests.robot.server import (
    ALICE,
    BOB,
    INSTANCE,
    LOGGER,
    ROBOT,
    TOKEN,
    Running,
    SignalingServer,
    browser,
    robot,
    session,
)


async def test_registers_under_its_instance_and_offers_the_token_as_a_subprotocol() -> None:
    """The token travels in the handshake alone, beside the protocol's name."""
    server = SignalingServer()
    async with server.open():
        running = Running(server.url)
        register = await server.frame("register")
        await running.stop()

    assert (
        register["robotId"],
        register["instanceId"],
        register["iceRestart"],
    ) == (ROBOT, INSTANCE, False)
    assert server.handshakes == [f"robosignal.v1, bearer.{TOKEN}"]


async def test_stop_unregisters_and_ends_without_an_error() -> None:
    """Others see at once that the robot has gone."""
    server = SignalingServer()
    async with server.open():
        running = Running(server.url)
        await running.log.wait_for("online")
        error = await running.stop()
        unregister = await server.frame("unregister")

    assert (error, unregister["robotId"]) == (None, ROBOT)


async def test_refused_token_ends_with_an_error_that_says_what_to_do() -> None:
    """A 401 at the handshake is not tried again."""
    server = SignalingServer()
    server.status = 401
    async with server.open():
        running = Running(server.url)
        error = await running.ended()

    assert isinstance(error, TokenRejected)
    assert (error.robot_id, error.reason, error.refused_seconds) == (ROBOT, "never-accepted", 0)
    assert len(server.handshakes) == 1
    assert str(error).startswith("the token is refused or expired: sign in again")


async def ended_by_refusal(code: str, message: str) -> tuple[SignalingServer, RobotError | None]:
    """Run a robot whose registration is refused; return the server, and what ended the robot."""
    server = SignalingServer()
    server.refusal = {
        "type": "error",
        "replyTo": "register-1",
        "code": code,
        "message": message,
    }
    async with server.open():
        running = Running(server.url)
        return server, await running.ended()


async def test_foreign_robot_id_ends_with_an_error_that_says_what_to_do() -> None:
    """The registration of another owner's robot is refused for good."""
    _, error = await ended_by_refusal("owned_by_another", "another user owns this robot id")

    assert isinstance(error, RegistrationRefused)
    assert (error.robot_id, error.code) == (ROBOT, "owned_by_another")
    assert "choose another robot id" in str(error)


async def test_robot_replaced_by_another_instance_does_not_redial() -> None:
    """Two devices that bear one id would push each other out for ever."""
    server = SignalingServer()
    async with server.open():
        running = Running(server.url)
        await running.log.wait_for("online")
        await server.push("replaced", instanceId="another-run")
        error = await running.ended()

    assert isinstance(error, RobotReplaced)
    assert len(server.handshakes) == 1
    assert "two devices have the id demo" in str(error)
    assert server.none_of("unregister")


async def test_robot_whose_registration_another_device_overtook_says_so() -> None:
    """The same words, whichever of the two the server tells."""
    server, error = await ended_by_refusal(
        "not_registered", "a newer connection has registered this robot"
    )

    assert isinstance(error, RobotReplaced)
    assert len(server.handshakes) == 1
    assert "two devices have one id" in str(error)


async def test_server_that_is_not_there_yet_is_dialled_until_it_is() -> None:
    """Each attempt makes one line, and none of them quotes the token."""
    async with SignalingServer().open() as gone:
        url = gone.url
    running = Running(url)
    await running.log.wait_for("dials again")
    late = SignalingServer()
    async with late.open(int(url.split(":")[2].split("/")[0])):
        await late.frame("register")
        await running.stop()

    assert TOKEN not in "\n".join(running.log.lines)


async def test_rubbish_from_the_server_is_logged_and_ignored() -> None:
    """The robot lives on, whatever the server sends."""
    server = SignalingServer()
    async with server.open(), robot(server) as running:
        assert server.current is not None
        for text in ('{"type":"offer"}', "[1]", "no json", '{"type":"control","epoch":"x"}', "{}"):
            await server.current.send(text)
        await server.push("answer", sessionId=session("z"), role="viewer", payload={})
        bye = await server.frame("bye")

    assert session("z") == bye["sessionId"]
    assert any("ignores a frame of type 'offer'" in line for line in running.log.lines)


@pytest.mark.parametrize("wrong", [{"heartbeatSeconds": "x"}, {"limits": None}, {"userId": 7}])
async def test_server_whose_welcome_cannot_be_read_is_dialled_again(wrong: dict[str, Any]) -> None:
    """It counts as none: the socket is closed, the log says why, and a readable one registers."""
    server = SignalingServer()
    server.welcome = wrong
    async with server.open():
        running = Running(server.url)
        line = await running.log.wait_for("offline: the server's welcome cannot be read; dials")
        dials = len(server.handshakes)
        server.welcome = {}
        register = await server.frame("register")
        await running.stop()

    assert line.endswith(" s")
    assert (dials, register["id"]) == (1, "register-1")


async def test_next_socket_whose_welcome_cannot_be_read_leaves_the_current_one_in_use() -> None:
    """The robot goes on as it is, and dials the next one again."""
    server = SignalingServer()
    async with server.open():
        running = Running(server.url, timing=Timing(life_ms=200, drain_ms=0))
        await server.frame("register")
        server.welcome = {"heartbeatSeconds": "x"}
        await running.log.wait_for("cannot redial yet: the server's welcome cannot be read")
        await server.push("answer", sessionId=session("z"), role="viewer", payload={})
        await server.frame("bye")
        server.welcome = {}
        await server.frame("register")
        await running.stop()

    assert running.log.count("offline") == 0


async def test_offer_that_cannot_be_read_is_refused_and_disturbs_no_other() -> None:
    """Its client is told why and the log as well; another client's peer connection works."""
    server = SignalingServer()
    async with (
        server.open(),
        robot(server) as running,
        browser(server, "a", "pc-a1", ALICE) as alice,
    ):
        await server.push(
            "offer",
            sessionId=session("z"),
            pcId="pc-z1",
            role="viewer",
            person=BOB,
            payload={"type": "offer", "sdp": "v=0\r\nm=rubbish\r\n"},
        )
        await running.log.wait_for("refuses an offer of Bob: the offer has an m= line that is none")
        refusal = await server.frame("answer")
        await alice.join("viewer")

        assert await alice.number() is not None
    assert (refusal["sessionId"], refusal["pcId"]) == (session("z"), "pc-z1")
    assert (refusal["payload"]["type"], refusal["payload"]["code"]) == ("error", "not_acceptable")
    assert server.none_of("bye")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "ws://127.0.0.1:99999/prod"])
def test_url_that_is_none_is_refused_at_once(url: str) -> None:
    """It is not dialled for ever."""
    with pytest.raises(ValueError, match="url must be a WebSocket URL"):
        Robot(url, ROBOT, token=TOKEN)


@pytest.mark.parametrize("wrong", ["", "a b", "a" * 65, "demo\n"])
def test_ids_that_the_server_would_refuse_are_refused_at_once(wrong: str) -> None:
    """Both are said by their names."""
    with pytest.raises(ValueError, match="robot_id must be 1 to 64"):
        Robot("ws://127.0.0.1:1/prod", wrong, token=TOKEN)
    with pytest.raises(ValueError, match="instance_id must be 1 to 64"):
        Robot("ws://127.0.0.1:1/prod", ROBOT, token=TOKEN, instance_id=wrong)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"watchdog_ms": 99}, "watchdog_ms must be from 100 to 60000, not 99"),
        ({"watchdog_ms": 60_001}, "watchdog_ms must be from 100 to 60000, not 60001"),
        ({"fresh_ms": 0}, "fresh_ms must be from 100 to 60000, not 0"),
        ({"fps": -1}, "fps must be from 0 to 240, not -1"),
        ({"fps": float("nan")}, "fps must be from 0 to 240, not nan"),
    ],
)
def test_numbers_out_of_their_range_are_refused_at_once(
    settings: dict[str, Any], told: str
) -> None:
    """Each by its name, with its range."""
    with pytest.raises(ValueError, match=f"^{told}$"):
        Robot("ws://127.0.0.1:1/prod", ROBOT, token=TOKEN, **settings)


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        ({"x": 1.1}, "x of limits must be from 0.0 to 1.0, not 1.1"),
        ({"y": float("nan")}, "y of limits must be from 0.0 to 1.0, not nan"),
        ({"slew": 0}, "slew of limits must be above 0, not 0"),
    ],
)
def test_limits_out_of_their_range_are_refused_at_once(limits: dict[str, Any], told: str) -> None:
    """Each by its name, with its range."""
    with pytest.raises(ValueError, match=f"^{told}$"):
        Limits(**limits)


async def test_library_leaves_the_levels_of_all_loggers_as_they_are() -> None:
    """What is logged is the program's to choose; and no level makes the token appear."""
    before = {name: logging.getLogger(name).level for name in ("aiortc", "aioice", "websockets")}
    server = SignalingServer()
    async with server.open():
        running = Running(server.url)
        LOGGER.setLevel(logging.DEBUG)
        await running.log.wait_for("online")
        await running.stop()

    assert {name: logging.getLogger(name).level for name in before} == before
    assert TOKEN not in "\n".join(running.log.lines)
