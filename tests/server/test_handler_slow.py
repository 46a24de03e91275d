"""The shipped handler with real boto3, on servers that accept a request and never answer it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import IO, Any
from urllib.parse import unquote

import pytest
import requests

from robosignal.server.aws.dynamodb import DynamoStore
from robosignal.server.clock import epoch_ms
from tests.server.test_handler import ENVIRONMENT, LAMBDAS, ROOT, jwks
from tests.tokens import signer
from tests.world import Outbox, Peer, World

__all__ = ["jwks"]
"""A fixture that is used here as well."""

REMAINING_MS = 4000
"""What the function has left of its time: less than on AWS, so that the tests wait less."""

SERVE = """
import json, sys, time
from signaling.handler import handler

class Context:
    def __init__(self):
        self.ends = time.monotonic() + int(sys.argv[1]) / 1000

    def get_remaining_time_in_millis(self):
        return int((self.ends - time.monotonic()) * 1000)

print("ready", flush=True)
for line in sys.stdin:
    context = Context()
    result = handler(json.loads(line), context)
    left = context.get_remaining_time_in_millis()
    print(json.dumps({"result": result, "leftMs": left}), flush=True)
"""


@dataclass
class Cloud:
    """DynamoDB, which is moto's, and the management API: which requests are never answered."""

    outbox: Outbox = field(default_factory=Outbox)
    stuck: Callable[[str, str], bool] = lambda _what, _of: False
    """Of an operation and its table, or of `post` and its connection."""
    answers: dict[str, int] = field(default_factory=dict)
    """The status with which posts to a connection are answered, but for 200 and 410."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    over: Event = field(default_factory=Event)
    lock: Lock = field(default_factory=Lock)
    """moto is not thread-safe."""

    def count(self, what: str, of: str) -> int:
        """Return how often this was asked for."""
        return self.asked.count((what, of))


class Requests(BaseHTTPRequestHandler):
    """Answers one request, or never."""

    protocol_version = "HTTP/1.1"
    cloud: Cloud

    def do_POST(self) -> None:
        """Answer for DynamoDB, or for a post."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        target = self.headers.get("X-Amz-Target")
        with suppress(BrokenPipeError, ConnectionResetError):
            if target is None:
                self._post(unquote(self.path.rpartition("/")[2]), body)
            else:
                self._dynamodb(target, body)

    def _dynamodb(self, target: str, body: bytes) -> None:
        table = json.loads(body).get("TableName", "")
        if self._is_stuck(target.rpartition(".")[2], table):
            return
        signed = {"X-Amz-Target": target, "Authorization": self.headers["Authorization"]}
        headers = signed | {"Content-Type": "application/x-amz-json-1.0"}
        with self.cloud.lock:
            found = requests.post(
                "https://dynamodb.eu-central-1.amazonaws.com/", body, headers=headers, timeout=5
            )
        self._answer(found.status_code, found.content)

    def _post(self, connection: str, body: bytes) -> None:
        if self._is_stuck("post", connection):
            return
        status = self.cloud.answers.get(connection, 200)
        frames = self.cloud.outbox.open.get(connection)  # type: ignore[call-overload]
        if frames is None:
            status = 410
        elif status == 200:
            frames.append(json.loads(body))
        self._answer(status, b"", ERRORS.get(status))

    def _is_stuck(self, what: str, of: str) -> bool:
        self.cloud.asked.append((what, of))
        stuck = self.cloud.stuck(what, of)
        if stuck:
            self.cloud.over.wait(30)
            self.close_connection = True
        return stuck

    def _answer(self, status: int, body: bytes, error: str | None = None) -> None:
        self.send_response(status)
        if error is not None:
            self.send_header("x-amzn-ErrorType", error)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        """Say nothing."""


ERRORS = {
    400: "BadRequestException",
    403: "ForbiddenException",
    410: "GoneException",
    413: "PayloadTooLargeException",
    429: "LimitExceededException",
}


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    """A cloud that answers everything."""
    made = Cloud()
    yield made
    made.over.set()


@contextmanager
def serving(cloud: Cloud) -> Iterator[str]:
    """Run the cloud and yield its address."""
    handler = type("Handler", (Requests,), {"cloud": cloud})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        cloud.over.set()
        server.shutdown()
        server.server_close()
        thread.join(5)


@dataclass
class Function:
    """The Lambda's process: one event after another, and what it logged."""

    process: subprocess.Popen[str]
    left_ms: int = 0
    """How much of its time the last event left."""

    def handle(self, event: dict[str, Any]) -> dict[str, Any]:
        """Hand it an event and return the result."""
        sends, reads = pipes(self.process)
        sends.write(json.dumps(event) + "\n")
        sends.flush()
        line = reads.readline()
        while '"_aws"' in line:
            line = reads.readline()
        answer: dict[str, Any] = json.loads(line)
        self.left_ms = answer["leftMs"]
        result: dict[str, Any] = answer["result"]
        return result

    def end(self) -> str:
        """End it and return its log."""
        _, logged = self.process.communicate(timeout=30)
        return logged


def pipes(process: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    """Return where the process reads, and where it writes."""
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout


class Slow(World):
    """A world whose events go to the Lambda, once everybody is there."""

    def __init__(self, store: DynamoStore, cloud: Cloud, function: Function) -> None:
        super().__init__(store, signer())
        self.now = epoch_ms()
        self.outbox = cloud.outbox
        self.run_on(store)
        self.cloud = cloud
        self.function = function
        self.is_begun = False

    def begin(self, stuck: Callable[[str, str], bool] = lambda _what, _of: False) -> None:
        """Hand all further events to the Lambda, whose requests are stuck if this says so."""
        for peer in self.peers:
            peer.take()
        self.cloud.stuck = stuck
        self.is_begun = True

    def event(self, kind: str, peer: Peer, **fields: Any) -> dict[str, Any]:
        """Hand the Lambda one of API Gateway's events, once it has begun."""
        if not self.is_begun:
            return super().event(kind, peer, **fields)
        return self.function.handle({"requestContext": self.context(kind, peer), **fields})


@pytest.fixture
def world(dynamo_store: DynamoStore, cloud: Cloud, jwks: str) -> Iterator[Slow]:
    """A robot's owner and the rest of the world, and the Lambda's process."""
    with serving(cloud) as address:
        environment = {
            **ENVIRONMENT,
            "TOKEN_JWKS_URL": jwks,
            "WS_MGMT_ENDPOINT": f"{address}/prod",
            "AWS_ENDPOINT_URL_DYNAMODB": address,
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "PYTHONPATH": f"{LAMBDAS}{os.pathsep}{ROOT}",
            "PATH": os.environ["PATH"],
        }
        process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(REMAINING_MS)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert pipes(process)[1].readline() == "ready\n"
        made = Slow(dynamo_store, cloud, Function(process))
        yield made
        made.function.end()


@dataclass
class Party:
    """A robot whose owner views and watches it; an operator; another who views it."""

    robot: Peer
    owner: Peer
    operator: Peer
    other: Peer


@pytest.fixture
def party(world: Slow) -> Party:
    """Everybody, connected."""
    robot, owner = world.robot("r1", "owner"), world.connect("owner")
    world.share("r1", "olga")
    world.share("r1", "eve")
    other = world.connect("eve")
    for viewer in (owner, other):
        assert viewer.offer(role="viewer")["role"] == "viewer"
    owner.ask(type="watch")
    return Party(robot, owner, world.connect("olga"), other)


def posts_to(*peers: Peer) -> Callable[[str, str], bool]:
    """Say that posts to these connections are never answered."""
    stuck = {peer.connection_id for peer in peers}
    return lambda what, of: what == "post" and of in stuck


def test_a_page_that_never_takes_its_post_delays_no_one(world: Slow, party: Party) -> None:
    """The driver is acknowledged in time, the robot has the offer, the others are told."""
    world.begin(posts_to(party.owner))

    reply = party.operator.offer()

    assert (reply["type"], reply["role"]) == ("ack", "controller")
    assert (party.robot.types(), party.other.types()) == (["offer"], ["control"])
    assert world.function.left_ms > 0
    # Once as a viewer, and once as a watcher.
    assert world.cloud.count("post", party.owner.connection_id) == 2


def test_a_robot_that_never_takes_its_post_gives_the_lease_back(world: Slow, party: Party) -> None:
    """The driver is asked to try again, and everyone is told that control is free."""
    world.begin(posts_to(party.robot))

    refused = party.operator.refused(type="offer", robotId="r1", payload={"sdp": "o"})

    assert refused == (503, "try_again")
    assert world.item().controller is None
    assert party.other.types() == ["control"]
    assert world.function.left_ms > 0


def test_a_page_that_refuses_its_post_harms_no_one(world: Slow, party: Party) -> None:
    """Whatever the refusal is: the driver drives, the others know, the fault is in the log."""
    world.cloud.answers[party.owner.connection_id] = 403
    world.begin()

    reply = party.operator.offer()

    assert (reply["type"], reply["role"]) == ("ack", "controller")
    assert (party.robot.types(), party.other.types()) == (["offer"], ["control"])
    assert "ForbiddenException" in world.function.end()


STUCK: dict[str, Callable[[str, str], bool]] = {
    "DynamoDB": lambda what, _of: what != "post",
    "everything": lambda _what, _of: True,
    "writes to robots": lambda what, of: (what, of) == ("UpdateItem", "robots"),
    "writes to rows": lambda what, of: (what, of) == ("UpdateItem", "connections"),
    "posts": lambda what, _of: what == "post",
    "posts and writes to rows": lambda what, of: what == "post" or of == "connections",
}
"""What may never be answered."""


@pytest.mark.parametrize("which", STUCK)
def test_whatever_is_stuck_an_offer_is_answered(world: Slow, party: Party, which: str) -> None:
    """In time, and no session holds a robot that it cannot reach."""
    world.begin(STUCK[which])

    refused = party.operator.refused(type="offer", robotId="r1", payload={"sdp": "o"})

    assert refused == (503, "try_again")
    assert world.item().controller is None
    assert world.function.left_ms > 0


def test_a_look_for_watchers_that_is_stuck_keeps_no_driver_waiting_for_long(
    world: Slow, party: Party
) -> None:
    """What has happened is acknowledged, and everyone concerned has been told."""
    world.begin(lambda what, _of: what == "Query")

    reply = party.operator.offer()

    assert (reply["type"], party.robot.types(), party.other.types()) == (
        "ack",
        ["offer"],
        ["control"],
    )
    assert world.function.left_ms > 0


def test_a_lease_that_cannot_be_given_back_is_its_holders_by_the_next_message(
    world: Slow, party: Party
) -> None:
    """Where the robot and then DynamoDB are stuck, the driver is answered, and tries again."""
    posted = Event()

    def stuck(what: str, of: str) -> bool:
        if (what, of) == ("post", party.robot.connection_id):
            posted.set()
        return what == "post" or (posted.is_set() and of == "robots")

    world.begin(stuck)
    refused = party.operator.refused(type="offer", robotId="r1", payload={"sdp": "o"})
    left_ms = world.function.left_ms
    world.cloud.stuck = lambda _what, _of: False

    reply = party.operator.offer()

    assert (refused, left_ms > 0) == ((503, "try_again"), True)
    assert (reply["role"], reply["epoch"]) == ("controller", world.item().epoch)
    assert party.robot.types()[-1] == "offer"


def test_a_takeover_whose_robot_is_stuck_tells_the_driver_whom_it_displaced(
    world: Slow, party: Party
) -> None:
    """Also when the lease cannot be given back in time: they do not hold it any more."""
    assert party.operator.offer()["role"] == "controller"
    admin = world.connect("boss", groups=["ADMINS"])
    world.begin(posts_to(party.robot))

    refused = admin.refused(type="takeover", robotId="r1")

    assert refused == (503, "try_again")
    assert "control-lost" in party.operator.types()
    assert world.function.left_ms > 0


def test_the_beginning_and_the_end_of_a_connection_are_answered(world: Slow, party: Party) -> None:
    """With a status of their own, whatever DynamoDB does; the function is not killed."""
    late = world.dial()
    world.begin(STUCK["DynamoDB"])
    offered = f"robosignal.v1, bearer.{world.token('owner')}"

    opened = world.event("CONNECT", late, headers={"Sec-WebSocket-Protocol": offered})
    left_ms = world.function.left_ms
    ended = world.event("DISCONNECT", party.other, disconnectStatusCode=1006, disconnectReason="")

    assert (opened["statusCode"], left_ms > 0) == (503, True)
    assert (ended["statusCode"], world.function.left_ms > 0) == (503, True)
