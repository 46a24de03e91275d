"""Connections take turns: who sends much at once does not make the others wait for all of it."""

from robosignal.gateway.websocket import MESSAGES_IN_TURN
from tests.gateway.conftest import Serve
from tests.gateway.raw import CLOSE, TEXT, frame, upgraded
from tests.gateway.recorder import Recorder, echoes

FLOOD = 300


async def test_a_neighbour_is_served_between_the_messages_of_a_flood(serve: Serve) -> None:
    """What arrives with hundreds of another's messages is carried out after a few of them."""
    handle = Recorder(echoes)
    gateway = await serve(handle)
    async with upgraded(gateway) as flooding, upgraded(gateway) as neighbour:
        # Both are there before the gateway looks again.
        flooding.writer.write(frame(TEXT, b"f") * FLOOD)
        neighbour.writer.write(frame(TEXT, b"n"))
        answer = await neighbour.receive()
        answers = [await flooding.receive() for _ in range(FLOOD)]
        bodies = [event["body"] for event in handle.of("$default")]

    assert answer == (TEXT, b"n")
    assert answers == [(TEXT, b"f")] * FLOOD
    assert bodies.index("n") <= 2 * MESSAGES_IN_TURN


async def test_what_comes_before_a_close_is_carried_out_before_the_end(serve: Serve) -> None:
    """However much it is: a page that says bye and closes has said bye."""
    handle = Recorder(echoes)
    async with upgraded(await serve(handle)) as raw:
        await raw.send(frame(TEXT, b"m") * FLOOD + frame(CLOSE, (1000).to_bytes(2, "big")))
        end = await handle.event("$disconnect")

    assert handle.events[-1] == end
    assert len(handle.of("$default")) == FLOOD
