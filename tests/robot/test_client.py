import asyncio

import numpy as np

from robosignal.robot.picture import HEIGHT
from tests.robot.stage import (
    ALICE,
    BOB,
    INSTANCE,
    ROBOT,
    TOKEN,
    Browser,
    Running,
    Stage,
    browser,
    robot,
    session,
)


async def test_registers_under_its_instance_and_offers_the_token_as_a_subprotocol() -> None:
    """The token travels in the handshake alone, beside the protocol's name."""
    stage = Stage()
    async with stage.open():
        running = Running(stage.url)
        register = await stage.frame("register")
        await running.stop()

    assert (
        register["robotId"],
        register["instanceId"],
        register["iceRestart"],
    ) == (ROBOT, INSTANCE, False)
    assert stage.handshakes == [f"robosignal.v1, bearer.{TOKEN}"]


async def test_stop_unregisters_and_ends_with_zero() -> None:
    """Others see at once that the robot has gone."""
    stage = Stage()
    async with stage.open():
        running = Running(stage.url)
        await running.log.wait_for("online")
        code = await running.stop()
        unregister = await stage.frame("unregister")

    assert (code, unregister["robotId"]) == (0, ROBOT)


async def test_video_advances_frame_by_frame() -> None:
    """The numbers that a watcher reads out of the decoded video rise."""
    stage = Stage()
    async with stage.open(), robot(stage), browser(stage, "a", "pc-a1", ALICE) as alice:
        await alice.join("viewer")
        numbers = [await alice.number() for _ in range(8)]

    assert None not in numbers
    assert numbers == sorted({number or 0 for number in numbers})


async def test_data_channel_answers_pings_and_echoes_to_the_holder() -> None:
    """Round trips are measured by anybody; the echo, text or bytes, is the holder's."""
    stage = Stage()
    async with stage.open(), robot(stage), browser(stage, "a", "pc-a1", ALICE) as alice:
        await alice.join("controller", 2)
        alice.say({"type": "ping", "n": 7})
        pong = await alice.hear()
        alice.say("as it came")
        text = await alice.heard.get()
        alice.say(b"\x00\xff")
        data = await alice.heard.get()

    assert (pong, text, data) == ({"type": "pong", "n": 7}, "as it came", b"\x00\xff")


async def test_holder_drives_the_marker_up_the_picture() -> None:
    """A command that is obeyed is seen in the video."""
    stage = Stage()
    async with stage.open(), robot(stage), browser(stage, "a", "pc-a1", ALICE) as alice:
        await alice.join("controller", 2)
        before = _marker_row(await alice.image())
        done = await alice.drive(1)
        rows = [_marker_row(await alice.image()) for _ in range(8)]

    assert done == {"type": "done", "n": 1, "epoch": 2}
    assert before > min(rows)


async def test_watchdog_stops_the_marker() -> None:
    """Half a second after the last command the marker stands still."""
    stage = Stage()
    async with stage.open(), robot(stage), browser(stage, "a", "pc-a1", ALICE) as alice:
        await alice.join("controller", 2)
        await alice.drive(1)
        rows = [_marker_row(await alice.image()) for _ in range(24)]

    assert rows[0] > rows[-1]
    assert len(set(rows[-6:])) == 1


async def test_takeover_fences_the_first_driver_and_ends_its_peer() -> None:
    """The new driver is obeyed, and the old one's connection is closed by the robot."""
    stage = Stage()
    async with (
        stage.open(),
        robot(stage) as running,
        browser(stage, "a", "pc-a1", ALICE) as alice,
        browser(stage, "b", "pc-b1", BOB) as bob,
    ):
        await alice.join("controller", 2)
        await bob.join("viewer")
        refused = await bob.drive(1)
        await stage.push("takeover", by=BOB, reason="owner", sessionId=bob.session, epoch=3)
        await running.log.wait_for("Bob drives (epoch 3)")
        done = await bob.drive(2)
        await asyncio.wait_for(alice.closed.wait(), 10)

    assert refused == {"type": "refused", "n": 1, "epoch": 2}
    assert done == {"type": "done", "n": 2, "epoch": 3}


async def test_displaced_driver_rejoins_as_viewer_under_its_old_session_id() -> None:
    """A new pcId makes a new peer connection, whose commands are refused."""
    stage = Stage()
    async with (
        stage.open(),
        robot(stage),
        browser(stage, "a", "pc-a1", ALICE) as alice,
        browser(stage, "a", "pc-a2", ALICE) as again,
    ):
        await alice.join("controller", 2)
        await stage.push("takeover", by=BOB, reason="owner", sessionId=session("b"), epoch=3)
        await again.join("viewer")
        refused = await again.drive(1)
        number = await again.number()

    assert refused == {"type": "refused", "n": 1, "epoch": 3}
    assert number is not None


async def test_stale_epoch_changes_nothing() -> None:
    """A push that bears a lower epoch than the robot's is ignored."""
    stage = Stage()
    async with stage.open(), robot(stage), browser(stage, "a", "pc-a1", ALICE) as alice:
        await alice.join("controller", 5)
        await stage.push("takeover", by=BOB, reason="owner", sessionId=session("b"), epoch=4)
        await stage.push("control", epoch=4)
        done = await alice.drive(1)

    assert done == {"type": "done", "n": 1, "epoch": 5}


async def test_lost_socket_keeps_media_and_registers_the_same_instance_again() -> None:
    """The video goes on without signaling, and the standing session is still obeyed after."""
    stage = Stage()
    async with (
        stage.open(),
        robot(stage) as running,
        browser(stage, "a", "pc-a1", ALICE) as alice,
    ):
        await alice.join("controller", 2)
        stage.registration = _standing(alice)
        assert stage.current is not None
        stage.current.transport.abort()
        await running.log.wait_for("offline")
        numbers = [await alice.number() for _ in range(4)]
        again = await stage.frame("register")
        done = await alice.drive(1)

    assert numbers == sorted(number or 0 for number in numbers)
    assert again["instanceId"] == INSTANCE
    assert done == {"type": "done", "n": 1, "epoch": 2}


async def test_peers_whose_sessions_ended_meanwhile_are_closed_at_the_redial() -> None:
    """What `registered` does not list has ended."""
    stage = Stage()
    async with stage.open(), robot(stage), browser(stage, "a", "pc-a1", ALICE) as alice:
        await alice.join("controller", 2)
        assert stage.current is not None
        stage.registration = {"control": {"epoch": 3}, "sessions": []}
        await stage.current.close(1001)
        await asyncio.wait_for(alice.closed.wait(), 10)

    assert alice.closed.is_set()


async def test_two_viewers_see_the_same_frames() -> None:
    """They watch one camera, not one each."""
    stage = Stage()
    async with (
        stage.open(),
        robot(stage),
        browser(stage, "a", "pc-a1", ALICE) as alice,
        browser(stage, "b", "pc-b1", BOB) as bob,
    ):
        await alice.join("viewer")
        await bob.join("viewer")
        hers = {await alice.number() for _ in range(10)}
        his = {await bob.number() for _ in range(10)}

    assert hers & his


async def test_refused_token_ends_with_one_and_says_what_to_do() -> None:
    """A 401 at the handshake is not tried again."""
    stage = Stage()
    stage.status = 401
    async with stage.open():
        running = Running(stage.url)
        code = await running.ended()

    assert code == 1
    assert len(stage.handshakes) == 1
    assert "the token is refused or expired" in running.log.lines[-1]


async def test_foreign_robot_id_ends_with_one_and_says_what_to_do() -> None:
    """The registration of another owner's robot is refused for good."""
    stage = Stage()
    stage.refusal = {
        "type": "error",
        "replyTo": "register",
        "code": "owned_by_another",
        "message": "another user owns this robot id",
    }
    async with stage.open():
        running = Running(stage.url)
        code = await running.ended()

    assert code == 1
    assert "choose another --robot-id" in running.log.lines[-1]


async def test_robot_replaced_by_another_instance_does_not_redial() -> None:
    """Two devices that bear one id would push each other out for ever."""
    stage = Stage()
    async with stage.open():
        running = Running(stage.url)
        await running.log.wait_for("online")
        await stage.push("replaced", instanceId="another-run")
        code = await running.ended()

    assert (code, len(stage.handshakes)) == (1, 1)
    assert "two devices bear the id demo" in running.log.lines[-1]
    assert stage.none_of("unregister")


async def test_robot_whose_registration_another_device_overtook_says_so() -> None:
    """The same words, whichever of the two the server tells."""
    stage = Stage()
    stage.refusal = {
        "type": "error",
        "replyTo": "register",
        "code": "not_registered",
        "message": "a newer connection has registered this robot",
    }
    async with stage.open():
        running = Running(stage.url)
        code = await running.ended()

    assert (code, len(stage.handshakes)) == (1, 1)
    assert "two devices bear one id" in running.log.lines[-1]


async def test_server_that_is_not_there_yet_is_dialled_until_it_is() -> None:
    """Each attempt makes one line, and none of them quotes the token."""
    async with Stage().open() as gone:
        url = gone.url
    running = Running(url)
    await running.log.wait_for("dials again")
    late = Stage()
    async with late.open(int(url.split(":")[2].split("/")[0])):
        await late.frame("register")
        await running.stop()

    assert TOKEN not in "\n".join(running.log.lines)


async def test_rubbish_from_the_server_is_logged_and_ignored() -> None:
    """The robot lives on, whatever the server sends."""
    stage = Stage()
    async with stage.open(), robot(stage) as running:
        assert stage.current is not None
        for text in ('{"type":"offer"}', "[1]", "no json", '{"type":"control","epoch":"x"}', "{}"):
            await stage.current.send(text)
        await stage.push("answer", sessionId=session("z"), role="viewer", payload={})
        bye = await stage.frame("bye")

    assert session("z") == bye["sessionId"]
    assert any("ignores a frame of type 'offer'" in line for line in running.log.lines)


async def test_offer_that_aiortc_cannot_read_ends_that_peer_alone() -> None:
    """Another client's peer connection works on."""
    stage = Stage()
    async with (
        stage.open(),
        robot(stage) as running,
        browser(stage, "a", "pc-a1", ALICE) as alice,
    ):
        await stage.push(
            "offer",
            sessionId=session("z"),
            pcId="pc-z1",
            role="viewer",
            person=BOB,
            payload={"type": "offer", "sdp": "v=0\r\nm=rubbish\r\n"},
        )
        await running.log.wait_for("the peer connection of Bob has ended")
        await alice.join("viewer")

        assert await alice.number() is not None


async def test_url_that_is_none_ends_with_one() -> None:
    """A wrong argument is said at once, not dialled for ever."""
    running = Running("http://127.0.0.1:1/")
    code = await running.ended()

    assert code == 1
    assert "must be a WebSocket URL" in running.log.lines[-1]


def _standing(one: Browser) -> dict[str, object]:
    seat = {"sessionId": one.session, "person": ALICE, "role": "controller"}
    return {"control": {"epoch": 2, "sessionId": one.session}, "sessions": [seat]}


def _marker_row(image: object) -> int:
    planes = np.asarray(image)
    red = planes[HEIGHT * 5 // 4 :].reshape(HEIGHT // 2, -1)
    return int(np.argwhere(red > 170)[:, 0].min())
