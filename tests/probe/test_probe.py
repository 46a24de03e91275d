"""The probe against the whole local backend, and against deployments with one fault each."""

import asyncio
import json
import socket
import ssl
from argparse import ArgumentParser
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID
from websockets.asyncio.server import serve

from robosignal.gateway.local import Local, Service
from robosignal.probe.advice import POSTS, REPLIES
from robosignal.probe.command import add_arguments, run
from robosignal.probe.laps import STEPS
from robosignal.probe.play import Target
from robosignal.probe.probe import probe
from robosignal.probe.report import Failure, Report, document, text
from signaling.settings import read_options
from signaling.wire.errors import SignalingError
from tests.probe.deployment import Deployment, answering, deployed, selecting
from tests.tokens import signer

TOKEN = signer().access()

PATIENCE = 10
SHORT = 0.2
"""For deployments that stay silent: so long the probe waits in vain."""


@pytest.fixture
async def local() -> AsyncIterator[Local]:
    """The whole backend on this machine."""
    async with Local(Service(port=0), read_options({})) as backend:
        yield backend


async def probed(
    url: str,
    token: str = TOKEN,
    *,
    robot_token: str | None = None,
    count: int = 1,
    seconds: float = PATIENCE,
) -> Report:
    """Return what the probe finds."""
    target = Target(url, token, robot_token or token, seconds)
    return await probe(target, count, lambda *_: None)


async def failed(deployment: Deployment, web: Path, seconds: float = PATIENCE) -> Failure:
    """Return the failure that the probe finds in a deployment."""
    async with deployed(deployment, web) as url:
        report = await probed(url, seconds=seconds)
    assert report.failure is not None
    return report.failure


async def test_a_good_deployment_goes_through(local: Local) -> None:
    """Every step has its time in every round; both ends connect and are welcomed."""
    report = await probed(local.gateway.websocket_url, local.key.sign("ann"), count=3)

    assert (report.rounds, report.failure) == (3, None)
    counts = {step: len(times) for step, times in report.times.items()}
    assert counts == {**dict.fromkeys(STEPS, 3), "connect": 6, "welcome": 6}
    assert all(time > 0 for times in report.times.values() for time in times)


async def test_a_probe_that_goes_through_is_exit_code_0(local: Local) -> None:
    """As a shell runs it."""
    parser = ArgumentParser()
    add_arguments(parser)
    given = [local.gateway.websocket_url, "--token", local.key.sign("ann"), "--json"]
    said: list[str] = []
    code = await asyncio.to_thread(run, parser.parse_args(given), said.append)

    assert code == 0
    assert json.loads(said[0])["ok"] is True


async def test_the_rounds_are_told_step_by_step(local: Local) -> None:
    """Whoever watches learns which step of which round is under way."""
    told: list[tuple[int, str]] = []
    token = local.key.sign("ann")
    target = Target(local.gateway.websocket_url, token, token, PATIENCE)
    await probe(target, 2, lambda number, step: told.append((number, step)))

    order = ["resolve", "connect", "welcome", "connect", "welcome"]
    order += ["register", "offer", "answer", "candidate", "bye"]
    assert told == [(number, step) for number in (1, 2) for step in order]


async def test_an_admin_may_be_the_client_of_anothers_robot(local: Local) -> None:
    """Two tokens, two users: the client's right to drive is the deployment's business."""
    report = await probed(
        local.gateway.websocket_url,
        local.key.sign("boss", ["ADMINS"]),
        robot_token=local.key.sign("ann"),
    )

    assert report.failure is None


async def test_a_client_who_may_not_drive_is_pointed_to_the_tokens(local: Local) -> None:
    """The offer is refused, and the robot is cleaned up nevertheless."""
    report = await probed(
        local.gateway.websocket_url, local.key.sign("eve"), robot_token=local.key.sign("ann")
    )

    assert report.failure is not None
    assert (report.failure.step, report.failure.who) == ("offer", "client")
    assert report.failure.seen.startswith("forbidden: ")
    assert "the two tokens" in report.failure.check[0]


async def test_a_deployment_that_forgets_is_left_as_it_was(tmp_path: Path) -> None:
    """The robot unregisters and is forgotten, after each round."""
    deployment = Deployment()
    async with deployed(deployment, tmp_path) as url:
        report = await probed(url, count=2)

    assert (report.rounds, report.failure, report.left_behind) == (2, None, None)
    assert deployment.heard.count("forget") == 2
    assert deployment.heard[-2:] == ["unregister", "forget"]


async def test_what_a_deployment_cannot_forget_is_named(tmp_path: Path) -> None:
    """`forget` is no message there: the robot's item stays, which is no failure."""
    deployment = Deployment(refused={"forget": "unknown_type"})
    async with deployed(deployment, tmp_path) as url:
        report = await probed(url)

    assert report.failure is None
    assert report.left_behind is not None
    assert report.left_behind.startswith("probe-")
    assert f"left behind: the item of {report.left_behind}" in text(report)


async def test_a_failed_round_is_cleaned_up_as_well(tmp_path: Path) -> None:
    """Nobody finds a probe's robot online afterwards."""
    deployment = Deployment(refused={"answer": "peer_gone"})
    async with deployed(deployment, tmp_path) as url:
        report = await probed(url)

    assert deployment.heard[-2:] == ["unregister", "forget"]
    assert report.left_behind is None


async def test_a_refused_robot_leaves_nothing(tmp_path: Path) -> None:
    """What was not registered need not be forgotten; the advice names the claim policy."""
    deployment = Deployment(refused={"register": "forbidden"})
    async with deployed(deployment, tmp_path) as url:
        report = await probed(url)

    assert "forget" not in deployment.heard
    assert report.left_behind is None
    assert report.failure is not None
    assert "CLAIM_POLICY" in report.failure.check[0]


async def test_a_robot_whose_registration_was_not_answered_may_be_left(tmp_path: Path) -> None:
    """It may have been carried out."""
    async with deployed(Deployment(unanswered=("register",)), tmp_path) as url:
        report = await probed(url, seconds=SHORT)

    assert report.left_behind is not None


async def test_a_later_round_that_fails_keeps_the_earlier_times(tmp_path: Path) -> None:
    """What went through was measured."""

    def once(event: dict[str, Any]) -> dict[str, Any]:
        let_in = "forget" not in flaky.heard
        return selecting("robosignal.v1")(event) if let_in else answering(429)(event)

    flaky = Deployment(connect=once)
    async with deployed(flaky, tmp_path) as url:
        report = await probed(url, count=3)

    assert report.failure is not None
    assert (report.rounds, report.failure.round, report.failure.step) == (1, 2, "connect")
    assert len(report.times["bye"]) == 1


@pytest.mark.parametrize(
    ("status", "check"),
    [
        (401, "the issuer: the token's is https://cognito-idp."),
        (403, "the URL's path: it must be the API's stage"),
        (404, "is a WebSocket API there"),
        (429, "the throttle of the stage"),
        (500, "the function's log"),
        (503, "the throttle of the stage"),
        (504, "did not answer within"),
        (418, "the URL, and the function's log"),
    ],
)
async def test_a_refused_handshake_is_explained(tmp_path: Path, status: int, check: str) -> None:
    """Each status has its own likeliest cause."""
    failure = await failed(Deployment(connect=answering(status)), tmp_path)

    assert failure.step == "connect"
    assert failure.seen == f"the handshake is answered with HTTP status {status}"
    assert any(check in each for each in failure.check)


async def test_a_connect_that_crashes_is_a_502(tmp_path: Path) -> None:
    """As API Gateway answers for a function that raises."""

    def crash(_: dict[str, Any]) -> dict[str, Any]:
        raise RuntimeError

    failure = await failed(Deployment(connect=crash), tmp_path)

    assert "502" in failure.seen
    assert "failed, or could not start" in failure.check[0]


async def test_a_wrong_stage_is_a_403(local: Local) -> None:
    """The path is the first thing to check."""
    report = await probed(f"{local.gateway.websocket_url}uction", local.key.sign("ann"))

    assert report.failure is not None
    assert "the URL's path" in report.failure.check[0]


async def test_a_handshake_without_subprotocol_is_found(tmp_path: Path) -> None:
    """Python connects all the same; a browser would not."""
    failure = await failed(Deployment(connect=selecting(None)), tmp_path)

    assert failure.step == "connect"
    assert "Sec-WebSocket-Protocol" in failure.check[0]


@pytest.mark.parametrize("kind", ["ready", "register", "offer", "answer", "ice-candidate", "bye"])
async def test_a_reply_that_does_not_come_points_to_the_route_response(
    tmp_path: Path, kind: str
) -> None:
    """The message went out, and nothing came back."""
    failure = await failed(Deployment(unanswered=(kind,)), tmp_path, SHORT)

    assert failure.seen == f"no reply to {kind} within {SHORT:g} s"
    assert failure.check == list(REPLIES)


@pytest.mark.parametrize(
    ("kind", "awaited"),
    [
        ("offer", "offer"),
        ("answer", "answer"),
        ("ice-candidate", "candidate"),
        ("bye", "peer-left"),
    ],
)
async def test_a_post_that_does_not_arrive_points_to_the_management_api(
    tmp_path: Path, kind: str, awaited: str
) -> None:
    """The sender was answered, and the other end heard nothing."""
    failure = await failed(Deployment(lost=(kind,)), tmp_path, SHORT)

    assert failure.seen == f"no {awaited} within {SHORT:g} s"
    assert failure.check == list(POSTS)


async def test_a_function_that_crashes_is_found_by_its_request(tmp_path: Path) -> None:
    """API Gateway's own error frame bears the id to search the log for."""
    failure = await failed(Deployment(raising=("ready",)), tmp_path)

    assert failure.step == "welcome"
    assert failure.seen == "API Gateway answers 'Internal server error'"
    assert failure.check[0].startswith("the function's log: search it for request ")


@pytest.mark.parametrize(
    "code", [error.code for error in SignalingError.__subclasses__() if error.code != "internal"]
)
async def test_every_refusal_is_explained(tmp_path: Path, code: str) -> None:
    """The protocol's own codes, at the step where most can go wrong."""
    failure = await failed(Deployment(refused={"offer": code}), tmp_path)

    assert (failure.step, failure.seen) == ("offer", f"{code}: told so")
    assert failure.check


async def test_an_internal_error_is_found_by_its_request(tmp_path: Path) -> None:
    """The backend's own error frame bears the id as well."""
    failure = await failed(Deployment(refused={"offer": "internal"}), tmp_path)

    assert "search it for request" in failure.check[0]
    assert "permissions" in failure.check[1]


async def test_a_connection_that_ends_is_told_with_its_code() -> None:
    """Not as silence: the probe does not wait for what cannot come."""

    async def leave(connection: Any) -> None:
        await connection.recv()
        await connection.close(1001)

    async with serve(leave, "127.0.0.1", 0, subprotocols=["robosignal.v1"]) as server:  # type: ignore[list-item]
        port = next(iter(server.sockets)).getsockname()[1]
        report = await probed(f"ws://127.0.0.1:{port}/prod")

    assert report.failure is not None
    assert report.failure.seen == "the connection closed with code 1001"
    assert "who closed it" in report.failure.check[0]


async def test_a_name_that_does_not_resolve_fails_first() -> None:
    """RFC 6761: `.invalid` never resolves."""
    report = await probed("ws://no-such-api.invalid/prod")

    assert report.failure is not None
    assert report.failure.step == "resolve"
    assert report.failure.seen == "the name no-such-api.invalid does not resolve"
    assert "WebSocketUrl" in report.failure.check[0]


async def test_a_port_where_nobody_listens_is_told() -> None:
    """At once, not after the timeout."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        report = await probed(f"ws://127.0.0.1:{reserved.getsockname()[1]}/prod")

    assert report.failure is not None
    assert report.failure.seen == "no connection: nobody listens there"


async def test_a_server_that_says_nothing_is_not_waited_for_forever() -> None:
    """It takes the connection and leaves the handshake unanswered."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"ws://127.0.0.1:{mute.getsockname()[1]}/prod"
        report = await probed(url, seconds=SHORT)

    assert report.failure is not None
    assert report.failure.seen == f"no answer to the handshake within {SHORT:g} s"


async def test_what_is_no_websocket_server_is_told() -> None:
    """Another protocol answers on that port."""

    async def ftp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"220 ready\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(ftp, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        report = await probed(f"ws://127.0.0.1:{port}/prod")

    assert report.failure is not None
    assert report.failure.seen == "no connection: what answers there speaks no WebSocket"


async def test_names_below_localhost_are_this_machine(local: Local) -> None:
    """RFC 6761, section 6.3; emulators of AWS use such names."""
    url = f"ws://abc123.execute-api.localhost:{local.gateway.port}/prod"
    report = await probed(url, local.key.sign("ann"))

    assert report.failure is None


@pytest.fixture
def self_signed(tmp_path: Path) -> ssl.SSLContext:
    """A server's TLS whose certificate nobody has reason to trust."""
    key = signer().private
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "server.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


async def test_a_certificate_that_is_not_trusted_is_told(self_signed: ssl.SSLContext) -> None:
    """The probe never goes on without TLS that holds."""

    async def idle(connection: Any) -> None:
        await connection.wait_closed()

    async with serve(idle, "127.0.0.1", 0, ssl=self_signed) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        report = await probed(f"wss://127.0.0.1:{port}/prod")

    assert report.failure is not None
    assert report.failure.seen.startswith("no TLS: self-signed certificate")
    assert "certificate is for" in report.failure.check[0]


async def test_no_report_shows_a_token(tmp_path: Path) -> None:
    """Neither the argument's, nor one in the URL, nor whose it is."""
    async with deployed(Deployment(connect=answering(401)), tmp_path) as url:
        report = await probed(f"{url}?token={TOKEN}")

    for shown in (text(report), document(report)):
        assert TOKEN not in shown
        assert TOKEN.split(".")[2] not in shown
        assert "3f2a-user" not in shown


async def test_json_tells_what_the_table_tells(tmp_path: Path) -> None:
    """For programs: each step's p50 and p95, the failure, and what is left."""
    async with deployed(Deployment(lost=("answer",)), tmp_path) as url:
        report = await probed(url, seconds=SHORT)
    found = json.loads(document(report))

    assert (found["url"], found["ok"], found["rounds"]) == (url, False, 0)
    assert [each["step"] for each in found["steps"]] == list(STEPS)[: list(STEPS).index("answer")]
    assert all(0 < each["p50Ms"] <= each["p95Ms"] for each in found["steps"])
    assert found["failure"]["step"] == "answer"
    assert found["failure"]["check"] == list(POSTS)
    assert found["leftBehind"] is None
