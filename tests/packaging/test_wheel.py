"""The built wheel, alone in a fresh virtual environment, as users install it."""

import asyncio
import json
import os
import re
import subprocess
import sys
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path
from urllib.request import urlopen

import pytest

import robosignal
from tests.packaging.environment import Environment
from tests.robot.server import INSTANCE, PATIENCE, ROBOT, TOKEN, SignalingServer

HEAVY = ("aiohttp", "aiortc", "av", "boto3", "cryptography", "jose", "numpy", "websockets")

RIGHT = """
from aiortc import MediaStreamTrack

from robosignal.robot import STILL, Drive, Robot, RobotError, TokenRejected


def move(drive: Drive) -> None:
    print(drive.x, drive == STILL)


async def token() -> str:
    return "token"


async def main(track: MediaStreamTrack) -> float:
    robot = Robot("wss://host/prod", "rover-1", token=token, on_drive=move, video=track)
    try:
        await robot.run()
    except TokenRejected as error:
        return error.refused_seconds
    except RobotError as error:
        print(error.robot_id)
    return 0.0
"""

WRONG = """
from robosignal.robot import Drive, Robot


def move(drive: Drive) -> None:
    print(drive.z)


Robot("wss://host/prod", 1, token="token", on_drive=move)
"""


@pytest.fixture(scope="module")
def base(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment without extras."""
    return Environment(tmp_path_factory.mktemp("base"), wheel, "")


@pytest.fixture(scope="module")
def robot(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with the extra `robot`."""
    return Environment(tmp_path_factory.mktemp("robot"), wheel, "robot")


@pytest.fixture(scope="module")
def gateway(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with the extra `gateway`."""
    return Environment(tmp_path_factory.mktemp("gateway"), wheel, "gateway")


def test_wheel_installs_one_package_and_one_command(base: Environment) -> None:
    """No other name appears in site-packages."""
    files = base.evaluate(
        "import importlib.metadata as m; print(*m.files('robosignal'), sep='\\n')"
    ).splitlines()
    tops = {file.split("/")[0] for file in files if not file.startswith("..")}

    assert tops == {"robosignal", f"robosignal-{robosignal.__version__}.dist-info"}
    assert [file for file in files if file.startswith("..")] == ["../../../bin/robosignal"]
    assert "robosignal/py.typed" in files


def test_version_is_told_in_one_place(base: Environment) -> None:
    """The wheel's metadata has it from the package."""
    told = base.evaluate(
        "import importlib.metadata as m, robosignal; "
        "print(robosignal.__version__ == m.version('robosignal'))"
    )

    assert told == "True"


def test_protocol_needs_nothing_but_msgspec(base: Environment) -> None:
    """Each of its modules is imported where nothing else is installed."""
    loaded = base.evaluate(
        "import importlib, pkgutil, sys, robosignal.protocol as p\n"
        "for one in pkgutil.iter_modules(p.__path__):\n"
        "    importlib.import_module(f'robosignal.protocol.{one.name}')\n"
        "print(*sys.modules)"
    ).split()

    assert "robosignal.protocol.frames" in loaded
    assert {name.partition(".")[0] for name in loaded} & {*HEAVY} == set()


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (("-c", "import robosignal.robot"), "robot"),
        (("-m", "robosignal", "serve"), "gateway"),
        (("-m", "robosignal", "token", "alice"), "gateway"),
    ],
)
def test_missing_extra_is_named(base: Environment, arguments: tuple[str, ...], extra: str) -> None:
    """The last line is what to type."""
    done = base.run(*arguments)

    assert done.returncode == 1
    assert done.stderr.endswith(f": pip install 'robosignal[{extra}]'\n")


def test_robot_needs_neither_numpy_nor_the_gateways_packages(robot: Environment) -> None:
    """What a robot's computer must hold is what its client uses."""
    code = "import importlib.util as u; print(*(n for n in {} if u.find_spec(n)))"
    others = ["aiohttp", "boto3", "idna", "jose", "numpy"]

    assert robot.evaluate(code.format(others)) == ""


async def test_robot_of_the_wheel_registers_and_ends(robot: Environment) -> None:
    """The client works with what its extra installs: it draws, dials, and stops."""
    server = SignalingServer()
    code = (
        "import asyncio, sys\n"
        "from robosignal.robot import Robot\n"
        "async def main():\n"
        "    stop = asyncio.Event()\n"
        "    asyncio.get_running_loop().call_later(1, stop.set)\n"
        "    await Robot(sys.argv[1], sys.argv[2], token=sys.argv[3],\n"
        "        instance_id=sys.argv[4]).run(stop=stop)\n"
        "asyncio.run(main())\n"
    )
    async with server.open():
        process = await asyncio.create_subprocess_exec(
            *(robot.python, "-c", code, server.url, ROBOT, TOKEN, INSTANCE),
            stdout=PIPE,
            stderr=STDOUT,
        )
        register = await server.frame("register")
        await server.frame("unregister")
        output, _ = await asyncio.wait_for(process.communicate(), PATIENCE)

    assert register["instanceId"] == INSTANCE
    assert (process.returncode, output) == (0, b"")


def read(url: str) -> bytes:
    """Return what is served at an address."""
    with urlopen(url) as response:
        found: bytes = response.read()
    return found


async def test_gateway_of_the_wheel_serves_without_the_video_library(
    gateway: Environment, tmp_path: Path
) -> None:
    """The backend and the console page come with it; a robot names the extra that it lacks."""
    process = await asyncio.create_subprocess_exec(
        *(gateway.python, "-m", "robosignal", "serve", "--port", "0", "--state", tmp_path),
        stdout=PIPE,
        stderr=STDOUT,
    )
    assert process.stdout is not None
    address = None
    async with asyncio.timeout(PATIENCE):
        while address is None:
            line = await process.stdout.readline()
            assert line, "it has ended"
            address = re.search(rb"http://[\d.:]+/", line)
    page = await asyncio.to_thread(read, address[0].decode())
    process.terminate()
    await asyncio.wait_for(process.wait(), PATIENCE)
    robot = ("robot", "--url", "ws://127.0.0.1:1/prod", "--robot-id", "r1", "--token", "t")
    done = gateway.run("-m", "robosignal", *robot)

    assert process.returncode == 0
    assert b"<video" in page
    assert done.returncode == 1
    assert done.stderr.endswith(": pip install 'robosignal[robot]'\n")


@pytest.mark.parametrize(("source", "errors"), [(RIGHT, 0), (WRONG, 2)])
def test_types_are_seen_by_mypy(
    robot: Environment, tmp_path: Path, source: str, errors: int
) -> None:
    """Strictly: a wrong argument and a field that is none are errors, and nothing else is."""
    file = tmp_path / "rover.py"
    file.write_text(source)
    mypy = [sys.executable, "-m", "mypy", "--strict", "--config-file", os.devnull, "--cache-dir"]
    done = subprocess.run(
        [*mypy, tmp_path / "cache", "--python-executable", robot.python, file],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )

    assert len(re.findall(r": error: ", done.stdout)) == errors, done.stdout


@pytest.mark.parametrize(("source", "errors"), [(RIGHT, 0), (WRONG, 2)])
def test_types_are_seen_by_pyright(
    robot: Environment, tmp_path: Path, source: str, errors: int
) -> None:
    """The same, in its strict mode, as built in basedpyright."""
    file = tmp_path / "rover.py"
    file.write_text(source)
    (tmp_path / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict"}')
    done = subprocess.run(
        [
            *(sys.executable, "-m", "basedpyright", "--outputjson"),
            *("--pythonpath", robot.python, "--project", tmp_path),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    found = json.loads(done.stdout)["generalDiagnostics"]
    lines = {one["range"]["start"]["line"] for one in found if one["severity"] == "error"}

    assert len(lines) == errors, done.stdout
