"""The robot of the page "own robot" runs unchanged; the page names all its parts."""

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import av
import numpy as np

from tests.docs.pages import ROOT, blocks, code, page
from tests.robot.server import ALICE, PATIENCE, ROBOT, TOKEN, SignalingServer, browser

GREY = 90
SIZE = 64


def wall(path: Path) -> None:
    """Film two seconds of a grey wall: what the webcam of the test sees."""
    with av.open(str(path), "w") as film:
        stream = film.add_stream("mpeg4", rate=20)
        stream.width = stream.height = SIZE
        for _ in range(40):
            planes = np.full((SIZE * 3 // 2, SIZE), 128, dtype=np.uint8)
            planes[:SIZE] = GREY
            film.mux(stream.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")))
        film.mux(stream.encode())


def program(server: SignalingServer, webcam: Path) -> str:
    """Return the page's program with an address, a robot and a webcam that there are."""
    (source,) = blocks(page("docs/howto/own-robot.md"), "python")
    replacements = {
        '"ws://127.0.0.1:8080/prod"': f'"{server.url}"',
        "rover-1": ROBOT,
        "PASTE A TOKEN": TOKEN,
        re.findall(r"MediaPlayer\(.*\)", source)[0]: f"MediaPlayer({str(webcam)!r}, loop=True)",
    }
    for what, instead in replacements.items():
        assert source.count(what) == 1
        source = source.replace(what, instead)
    return source


@asynccontextmanager
async def running(path: Path) -> AsyncIterator[Process]:
    """Run a Python file until left."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "lambdas")])}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-u", str(path), stdout=PIPE, stderr=STDOUT, env=environment
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def line(process: Process, part: str) -> str:
    """Return the next line that the program prints with this part in it."""
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE):
        while part not in (found := (await process.stdout.readline()).decode()):
            assert found, f"it never said {part!r}"
    return found


async def test_the_robot_of_the_page_moves_its_wheels_and_shows_its_webcam(tmp_path: Path) -> None:
    """Driven forward it says so, then stops by itself, and a SIGTERM ends it with 0."""
    server, webcam, file = SignalingServer(), tmp_path / "webcam.mp4", tmp_path / "rover.py"
    wall(webcam)
    async with server.open():
        file.write_text(program(server, webcam), encoding="utf-8")
        async with running(file) as robot, browser(server, "a", "pc-a1", ALICE) as alice:
            register = await server.frame("register")
            await alice.join("controller", 2)
            picture = await alice.image()
            await alice.drive(1)
            wheels = [await line(robot, "left wheel"), await line(robot, "left wheel")]
            robot.send_signal(signal.SIGTERM)
            await server.frame("unregister")
            at_the_end = await line(robot, "left wheel")
            ended = await asyncio.wait_for(robot.wait(), PATIENCE)

    still = "left wheel +0.0, right wheel +0.0\n"
    assert register["metadata"] == {"model": "rover"}
    assert [*wheels, at_the_end] == ["left wheel +0.5, right wheel +0.5\n", still, still]
    assert abs(int(np.median(picture[: picture.shape[0] * 2 // 3])) - GREY) <= 8
    assert ended == 0


async def test_the_robot_of_the_readme_prints_what_it_is_told(tmp_path: Path) -> None:
    """Each command, and the stop that follows the last one."""
    server, file = SignalingServer(), tmp_path / "rover.py"
    (source,) = blocks(page("README.md"), "python")
    async with server.open():
        source = source.replace("ws://127.0.0.1:8080/prod", server.url).replace("rover-1", ROBOT)
        file.write_text(source.replace("PASTE A TOKEN", TOKEN), encoding="utf-8")
        async with running(file) as robot, browser(server, "a", "pc-a1", ALICE) as alice:
            await server.frame("register")
            await alice.join("controller", 2)
            await alice.drive(1)
            lines = [await line(robot, "Drive"), await line(robot, "Drive")]

    assert lines == ["Drive(x=0.0, y=1.0)\n", "Drive(x=0.0, y=0.0)\n"]


def test_the_page_names_every_module_of_the_robot() -> None:
    """Its table leaves none out, and none that is gone is left."""
    package = ROOT / "robosignal" / "robot"
    modules = {str(path.relative_to(package)) for path in package.rglob("[a-z]*.py")}
    table = page("docs/explanation/robot.md").partition("## Its parts")[2]

    assert {each for each in code(table) if each.endswith(".py")} == modules
