"""The gateway and the Lambda as processes that log all they can, and who converses with them.

What their logs may hold is up to the tests.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from tests.acceptance.conversation import Conversation, Deed, Dial, Frame, Leave, Say
from tests.server.test_handler import LAMBDAS, ROOT

TURN_SECRET = "north-of-the-5ecret-river"
TURN = {"TURN_URLS": "turn:turn.example.org:3478"}
PATIENCE = 20

SERVE = """
import logging, sys
from robosignal.cli.main import main
from robosignal.cli.logs import Lines

lines = logging.StreamHandler(sys.stdout)
lines.setFormatter(Lines("%(levelname)s %(name)s %(message)s"))
# The command's own set-up finds this one, and leaves it.
logging.basicConfig(level=logging.DEBUG, handlers=[lines])
sys.exit(main(["serve", "--port", "0", "--state", sys.argv[1]]))
"""

LAMBDA = """
import json, logging, os, sys
import boto3
from moto import mock_aws

PLAIN = set(vars(logging.makeLogRecord({})))

class Json(logging.Formatter):
    def format(self, record):
        said = super().format(record)
        beside = {name: str(value) for name, value in vars(record).items() if name not in PLAIN}
        return json.dumps({"logger": record.name, "message": said, **beside})

def start_logging():
    # As the runtime does, before it imports the handler.
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Json("%(message)s"))
    logging.root.addHandler(handler)
    logging.root.setLevel(logging.DEBUG)

with mock_aws():
    from tests.tables import ROBOTS, make_tables
    dynamodb = boto3.client("dynamodb")
    make_tables(dynamodb)
    vault = boto3.client("secretsmanager")
    kept = vault.create_secret(Name="turn", SecretString=os.environ.pop("SECRET"))["ARN"]
    os.environ["TURN_SECRET_ARN"] = kept
    out, sys.stdout = sys.stdout, sys.stderr
    start_logging()
    from signaling.handler import handler
    for line in sys.stdin:
        asked = json.loads(line)
        if asked == "break":
            dynamodb.delete_table(TableName=ROBOTS)
            continue
        out.write(json.dumps(handler(asked, None)) + "\\n")
        out.flush()
"""


AWS = {
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "PYTHONPATH": f"{LAMBDAS}{os.pathsep}{ROOT}",
    "PATH": os.environ["PATH"],
}


class Callers:
    """Has a conversation over sockets."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._sockets: dict[str, ClientConnection] = {}

    async def have(self, talk: Conversation) -> None:
        """Do all that the conversation asks for."""
        try:
            deed = next(talk)
            while True:
                deed = talk.send(await self._done(deed))
        except StopIteration:
            return
        finally:
            for socket in self._sockets.values():
                await socket.close()

    async def _done(self, deed: Deed) -> Any:
        match deed:
            case Dial():
                return await self._dial(deed)
            case Say(who, text):
                # In fragments, for a frame has a limit of its own.
                parts = [text[at : at + 10_000] for at in range(0, len(text), 10_000)]
                await self._sockets[who].send(parts)
                return await self._reply(self._sockets[who])
            case Leave(who, reason):
                await self._sockets[who].close(reason=reason)
                return None

    async def _dial(self, dial: Dial) -> int:
        query = f"?token={dial.token}" if dial.carrier == "query" else ""
        headers = {"Authorization": f"Bearer {dial.token}"} if dial.carrier == "header" else {}
        offered = [Subprotocol("robosignal.v1"), Subprotocol(f"bearer.{dial.token}")]
        try:
            self._sockets[dial.who] = await connect(
                self._url + query,
                additional_headers=headers,
                subprotocols=offered if dial.carrier == "subprotocol" else None,
            )
        except InvalidStatus as refused:
            return refused.response.status_code
        return 101

    async def _reply(self, socket: ClientConnection) -> Frame:
        async with asyncio.timeout(PATIENCE):
            while True:
                frame: Frame = json.loads(await socket.recv())
                if frame.get("replyTo") == "q" or frame["type"] == "error":
                    return frame


class Function:
    """Has a conversation with the Lambda, as API Gateway would."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self._log = log.open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-c", LAMBDA],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env=AWS | environment,
        )

    def have(self, talk: Conversation) -> None:
        """Do all that the conversation asks for."""
        try:
            deed = next(talk)
            while True:
                deed = talk.send(self._done(deed))
        except StopIteration:
            return

    def lose_its_table(self) -> None:
        """Make every write to a robot's item a fault of ours."""
        self._write("break")

    def end(self) -> None:
        """Let it end by itself."""
        self._process.communicate(timeout=PATIENCE)
        self._log.close()

    def _done(self, deed: Deed) -> Any:
        match deed:
            case Dial():
                return self._event("CONNECT", deed.who, **_carried(deed))["statusCode"]
            case Say(who, text):
                return json.loads(self._event("MESSAGE", who, body=text)["body"])
            case Leave(who, reason):
                ended = {"disconnectStatusCode": 1000, "disconnectReason": reason}
                return self._event("DISCONNECT", who, **ended)

    def _event(self, kind: str, who: str, **fields: Any) -> dict[str, Any]:
        now = time.time_ns() // 10**6
        context = {
            "eventType": kind,
            "routeKey": {"MESSAGE": "$default"}.get(kind, f"${kind.lower()}"),
            "connectionId": f"{who.replace(' ', '-')}=",
            "connectedAt": now,
            "requestId": "q1",
            "requestTimeEpoch": now,
        }
        self._write({"requestContext": context, **fields})
        assert self._process.stdout is not None
        answer = self._process.stdout.readline()
        assert answer, "the function has ended"
        result: dict[str, Any] = json.loads(answer)
        return result

    def _write(self, asked: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()


def _carried(dial: Dial) -> dict[str, Any]:
    match dial.carrier:
        case "query":
            return {"headers": {}, "queryStringParameters": {"token": dial.token}}
        case "header":
            return {"headers": {"Authorization": f"Bearer {dial.token}"}}
        case _:
            offered = f"robosignal.v1, bearer.{dial.token}"
            return {"headers": {"Sec-WebSocket-Protocol": offered}}


@asynccontextmanager
async def served(state: Path) -> AsyncIterator[tuple[str, list[str]]]:
    """Run the gateway at DEBUG; give its address, and its output once it has ended."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SERVE, str(state)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=os.environ | TURN | {"TURN_SECRET": TURN_SECRET},
    )
    assert process.stdout is not None
    log: list[str] = []
    try:
        async with asyncio.timeout(PATIENCE):
            while "connect to ws" not in (line := (await process.stdout.readline()).decode()):
                assert line, "".join(log)
                log.append(line)
        reading = asyncio.create_task(process.stdout.read())
        yield line.split()[-1], log
    finally:
        process.terminate()
        await process.wait()
    log.append((await reading).decode())
