"""Posting through `@connections`, against a real server that answers as API Gateway does."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from robosignal.protocol.errors import TooLarge, TryAgain
from robosignal.protocol.ids import ConnectionId
from robosignal.server.aws.management import ManagementPosts

ME = ConnectionId("L0SM9cOFvHcCIhw=")
FRAME = '{"type":"pong","name":"Zoë"}'.encode()


@dataclass
class Stage:
    """A management endpoint that answers every request so."""

    status: int
    error: str | None
    asked: list[tuple[str, str, bytes]] = field(default_factory=list)
    """Method, path and body of each request."""


def answering(stage: Stage) -> type[BaseHTTPRequestHandler]:
    """Return the handler of a server that is this stage."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            stage.asked.append((self.command, self.path, body))
            self.send_response(stage.status)
            if stage.error is not None:
                self.send_header("x-amzn-ErrorType", stage.error)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = do_DELETE = answer  # noqa: N815 - what the standard library calls

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
            """Say nothing."""

    return Handler


def connections(endpoint: str) -> ManagementPosts:
    """Return the adapter over this endpoint, with one try for each call."""
    client = boto3.client(
        "apigatewaymanagementapi",
        endpoint_url=endpoint,
        region_name="eu-central-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(retries={"total_max_attempts": 1, "mode": "standard"}, read_timeout=5),
    )
    return ManagementPosts(client)


@contextmanager
def serving(status: int, error: str | None = None) -> Iterator[tuple[Stage, ManagementPosts]]:
    """Run a stage and yield it with the adapter over it."""
    stage = Stage(status, error)
    server = ThreadingHTTPServer(("127.0.0.1", 0), answering(stage))
    server.block_on_close = True
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield stage, connections(f"http://127.0.0.1:{server.server_port}/prod")
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def test_a_frame_is_posted_to_its_connection() -> None:
    """As bytes, below the stage, the id escaped as a path's part."""
    with serving(200) as (stage, sender):
        delivered = sender.post(ME, FRAME)

    assert delivered is True
    assert stage.asked == [("POST", "/prod/@connections/L0SM9cOFvHcCIhw%3D", FRAME)]


def test_a_connection_that_is_gone_is_told() -> None:
    """410 is proof: nothing is tried again."""
    with serving(410, "GoneException") as (stage, sender):
        delivered = sender.post(ME, FRAME)

    assert delivered is False
    assert len(stage.asked) == 1


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (429, "LimitExceededException"),
        (429, None),
        (500, "InternalServerException"),
        (500, None),
        (502, None),
        (503, "ServiceUnavailableException"),
    ],
)
def test_what_may_pass_is_try_again(status: int, error: str | None) -> None:
    """Throttled or broken over there: nothing was decided about the connection."""
    with serving(status, error) as (_, sender):
        with pytest.raises(TryAgain):
            sender.post(ME, FRAME)
        with pytest.raises(TryAgain):
            sender.close(ME)


@pytest.mark.parametrize(
    ("status", "error"), [(400, "BadRequestException"), (403, "ForbiddenException")]
)
def test_our_own_mistake_is_neither_gone_nor_try_again(status: int, error: str) -> None:
    """A missing right must raise an alarm, not a clean-up."""
    with serving(status, error) as (_, sender), pytest.raises(ClientError, match=error):
        sender.post(ME, FRAME)


def test_a_frame_that_is_too_large_is_told() -> None:
    """As the local gateway tells it; to send it again would not help."""
    with serving(413, "PayloadTooLargeException") as (stage, sender), pytest.raises(TooLarge):
        sender.post(ME, FRAME)

    assert len(stage.asked) == 1


def test_an_endpoint_out_of_reach_is_try_again() -> None:
    """No program listens there any more."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(TryAgain):
        connections(f"http://127.0.0.1:{port}/prod").post(ME, FRAME)


def test_a_connection_is_closed() -> None:
    """By DELETE on the same path."""
    with serving(204) as (stage, sender):
        sender.close(ME)

    assert stage.asked == [("DELETE", "/prod/@connections/L0SM9cOFvHcCIhw%3D", b"")]


def test_closing_a_connection_that_is_gone_is_no_error() -> None:
    """Somebody else was quicker."""
    with serving(410, "GoneException") as (stage, sender):
        sender.close(ME)

    assert len(stage.asked) == 1
