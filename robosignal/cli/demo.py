"""The demo robot of `robosignal serve --demo`: it enrols itself by a code, as every robot does."""

import asyncio
import json
import os
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from robosignal.gateway.backend import Backend
from robosignal.probe.connection import Connection, dial, resolve
from robosignal.probe.errors import ProbeError, RequestRefused
from robosignal.protocol.limits import KEYS

DEMO = "demo"
"""The demo robot's id, and the user who owns it."""

ADMIN = "admin"
ADMIN_GROUP = "ADMINS"
KEY_FILE = "demo-robot.json"
TIMEOUT_SECONDS = 10
STOPPING_SECONDS = 5

Print = Callable[[str], None]


async def run_demo_robot(
    backend: Backend, state: Path | None, stop: asyncio.Event, show: Print
) -> None:
    """Enrol the demo robot unless its key is known, and run it beside the gateway until `stop`.

    Its key file is in the directory `state`; None keeps it as long as this runs. `show` prints
    what went wrong: the gateway stays up.
    """
    with _directory(state) as directory, _trusting(backend) as environment:
        file = directory / KEY_FILE
        enrolling = asyncio.ensure_future(_ensure_enrolled(backend, file, environment))
        stopping = asyncio.ensure_future(stop.wait())
        await asyncio.wait({enrolling, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not enrolling.done():
            enrolling.cancel()
            await asyncio.wait({enrolling})
            return
        try:
            is_enrolled, why = enrolling.result(), ""
        except ProbeError as error:
            is_enrolled, why = False, f" ({error})"
        if not is_enrolled:
            show(f"the demo robot cannot be enrolled{why}; the gateway stays up")
            return
        await _run_until(backend, file, environment, stop, show)


@contextmanager
def _trusting(backend: Backend) -> Iterator[dict[str, str]]:
    """Yield an environment in which programs trust this gateway's certificate too."""
    tls = backend.gateway.tls
    if tls is None:
        yield dict(os.environ)
        return
    with TemporaryDirectory(prefix="robosignal-") as directory:
        # The variable replaces the system's authorities, which TURN servers may need.
        trusted = Path(directory) / "trusted.pem"
        system = ssl.get_default_verify_paths().cafile
        trusted.write_bytes((Path(system).read_bytes() + b"\n" if system else b"") + tls.pem)
        yield {**os.environ, "SSL_CERT_FILE": str(trusted)}


@contextmanager
def _directory(state: Path | None) -> Iterator[Path]:
    if state is not None:
        yield state
        return
    with TemporaryDirectory(prefix="robosignal-") as directory:
        yield Path(directory)


async def _ensure_enrolled(backend: Backend, file: Path, environment: dict[str, str]) -> bool:
    """Return whether the gateway knows the key in this file, after enrolling a new one if not."""
    async with _owner(backend) as owner:
        listed = await _list_keys(owner)
        known = [key["kid"] for key in listed or []]
        if _read_kid(file) not in known:
            # A key of a state that is gone: nothing knows it, so it opens nothing.
            await asyncio.to_thread(file.unlink, missing_ok=True)
            if len(known) >= KEYS:
                await owner.request({"type": "revoke-key", "robotId": DEMO, "kid": known[0]})
            # A code without approval enrols only a robot that has never had a key.
            message = {"type": "create-code", "robotId": DEMO, "approve": listed is not None}
            code = (await owner.request(message, "code")).frame["code"]
            if await _enroll(backend, file, code, environment) != 0:
                return False
        if listed is not None:
            kid = _read_kid(file)
            await owner.request({"type": "approve-key", "robotId": DEMO, "kid": kid})
        return True


@asynccontextmanager
async def _owner(backend: Backend) -> AsyncIterator[Connection]:
    url, tls = backend.gateway.local_websocket_url, backend.gateway.tls
    # As an admin too: under the policy `provisioned` others may enrol no new robot.
    token = backend.key.sign(DEMO, [ADMIN_GROUP])
    addresses = await resolve(url, TIMEOUT_SECONDS)
    trusted = tls.client_context() if tls else None
    owner = await dial(url, token, addresses, TIMEOUT_SECONDS, trusted)
    try:
        await owner.request({"type": "ready", "protocol": 1}, "welcome")
        yield owner
    finally:
        await owner.close()


async def _list_keys(owner: Connection) -> list[dict[str, Any]] | None:
    """Return the keys that the robot has; None if there is no such robot of this owner's."""
    try:
        reply = await owner.request({"type": "keys", "robotId": DEMO}, "keys")
    except RequestRefused as refused:
        if refused.code in ("forbidden", "robot_offline"):
            return None
        raise
    keys: list[dict[str, Any]] = reply.frame["keys"]
    return keys


def _read_kid(file: Path) -> str | None:
    # Not by the robot's own module: it needs the robot's libraries, which are its process's matter.
    with suppress(OSError, ValueError):
        found = json.loads(file.read_text())
        return str(found["kid"]) if isinstance(found, dict) and "kid" in found else None
    return None


async def _enroll(backend: Backend, file: Path, code: str, environment: dict[str, str]) -> int:
    url = backend.gateway.local_websocket_url
    enrolling = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "robosignal", "robot", "enroll", url, code, "--file", str(file)),
        start_new_session=True,
        stdout=asyncio.subprocess.DEVNULL,
        env=environment,
    )
    try:
        return await enrolling.wait()
    finally:
        await _stop_process(enrolling)


async def _run_until(
    backend: Backend, file: Path, environment: dict[str, str], stop: asyncio.Event, show: Print
) -> None:
    robot = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "robosignal", "robot", "--until-eof", "--file", str(file)),
        *("--url", backend.gateway.local_websocket_url),
        # A terminal's Ctrl-C reaches the whole group; the robot is stopped by the gateway instead.
        start_new_session=True,
        # The pipe ends with this process, however that ends: no robot is left behind.
        stdin=asyncio.subprocess.PIPE,
        env=environment,
    )
    stopping, ended = asyncio.ensure_future(stop.wait()), asyncio.ensure_future(robot.wait())
    await asyncio.wait({stopping, ended}, return_when=asyncio.FIRST_COMPLETED)
    if ended.done() and not stop.is_set():
        show(f"the demo robot ended with exit code {robot.returncode}; the gateway stays up")
    await _stop_process(robot)
    stopping.cancel()


async def _stop_process(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOPPING_SECONDS)
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
