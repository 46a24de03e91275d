"""The probe against deployments with one fault each: what it names, and what to check."""

from pathlib import Path
from typing import Any

import pytest

from robosignal.probe.advice import POSTS, REPLIES
from robosignal.protocol.errors import SignalingError
from robosignal.testing import LocalBackend
from tests.probe.deployment import Deployment, answering, selecting
from tests.probe.probing import SHORT, failed, probed


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
    assert failure.seen == f"the server answered the handshake with HTTP status {status}"
    assert any(check in each for each in failure.check)


async def test_a_connect_that_crashes_is_a_502(tmp_path: Path) -> None:
    """As API Gateway answers for a function that raises."""

    def crash(_: dict[str, Any]) -> dict[str, Any]:
        raise RuntimeError

    failure = await failed(Deployment(connect=crash), tmp_path)

    assert "502" in failure.seen
    assert "failed, or could not start" in failure.check[0]


async def test_a_wrong_stage_is_a_403(backend: LocalBackend) -> None:
    """The path is the first thing to check."""
    report = await probed(f"{backend.url}uction", backend.token("ann"))

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
    """API Gateway's own error frame has the id to search the log for."""
    failure = await failed(Deployment(raising=("ready",)), tmp_path)

    assert failure.step == "welcome"
    assert failure.seen == "API Gateway answered 'Internal server error'"
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
    """The backend's own error frame has the id as well."""
    failure = await failed(Deployment(refused={"offer": "internal"}), tmp_path)

    assert "search it for request" in failure.check[0]
    assert "permissions" in failure.check[1]
