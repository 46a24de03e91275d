import asyncio
import os
from pathlib import Path

import pytest

from robosignal.robot.token import NoToken, TokenSource, from_command, from_text, request_token

PATIENCE = 10


def giving(found: str) -> TokenSource:
    """Return a source that gives this, whatever it is."""

    async def source() -> str:
        return found

    return source


async def test_command_is_run_again_each_time(tmp_path: Path) -> None:
    """Its output is the token, without the line's end."""
    count = tmp_path / "count"
    source = from_command(f"echo x >> '{count}'; echo token.$(wc -l < '{count}' | tr -d ' ')")

    assert [await request_token(source), await request_token(source)] == ["token.1", "token.2"]


async def test_command_that_fails_gives_no_token() -> None:
    """What it printed before is not taken for one."""
    with pytest.raises(NoToken, match="the token command ended with 3"):
        await request_token(from_command("echo half.a.token; exit 3"))


async def test_command_that_is_given_up_is_ended(tmp_path: Path) -> None:
    """Nothing that the shell has started outlives the dial: the pipe that it held ends."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    command = f"exec 3> '{path}'; echo up >&3; sleep 60; echo token"
    asking = asyncio.create_task(request_token(from_command(command)))
    pipe = await asyncio.to_thread(path.open)
    with pipe:
        up = await asyncio.to_thread(pipe.readline)
        asking.cancel()
        rest = await asyncio.wait_for(asyncio.to_thread(pipe.read), PATIENCE)
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(asking, PATIENCE)

    assert (up, rest) == ("up\n", "")


@pytest.mark.parametrize("found", ["", "two words", "line\nbreak", 'quo"te', "comma,", "é"])
async def test_what_cannot_travel_as_a_subprotocol_is_no_token(found: str) -> None:
    """It is refused before the handshake, in words that do not quote it."""
    with pytest.raises(NoToken, match=r"^its source gave something that is no token$"):
        await request_token(giving(found))


async def test_failure_of_a_source_is_told_without_its_text() -> None:
    """The text of somebody else's exception may bear a secret."""

    async def source() -> str:
        raise ValueError("secret")

    with pytest.raises(NoToken, match=r"^its source failed with ValueError$"):
        await request_token(source)


async def test_fixed_token_is_given_every_time() -> None:
    """A string is the simplest source."""
    source = from_text("a.good.token")

    assert [await request_token(source), await request_token(source)] == [
        "a.good.token",
        "a.good.token",
    ]


async def test_plain_function_may_give_the_token() -> None:
    """It need not be a coroutine function."""
    assert await request_token(lambda: "a.plain.token") == "a.plain.token"
