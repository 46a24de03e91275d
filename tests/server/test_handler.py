"""The Lambda's own module: how it starts, how it refuses to, and one event after another."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.tokens import CLIENT, ISSUER, access_claims, signer

LAMBDAS = Path(__file__).parents[2] / "lambdas"
ROOT = LAMBDAS.parent

ENVIRONMENT = {
    "CONN_TABLE": "connections",
    "ROBOT_PRESENCE_TABLE": "robots",
    "WS_MGMT_ENDPOINT": "https://abc.execute-api.eu-central-1.amazonaws.com/prod",
    "TOKEN_ISSUER": ISSUER,
    "TOKEN_AUDIENCES": CLIENT,
}

EVENTS = """
import json, sys
import boto3
from moto import mock_aws

with mock_aws():
    from tests.tables import make_tables
    make_tables(boto3.client("dynamodb"))
    before = set(sys.modules)
    from signaling.handler import handler
    after_import = "jose" in sys.modules
    for line in sys.stdin:
        print(json.dumps(handler(json.loads(line), None)))
    print(json.dumps({"jose": [after_import, "jose" in sys.modules]}))
"""


def run(code: str, environment: Mapping[str, str], text: str = "") -> Any:
    """Run Python as the Lambda does: with these variables and no others of the project's."""
    aws = {
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "PYTHONPATH": f"{LAMBDAS}{os.pathsep}{ROOT}",
        "PATH": os.environ["PATH"],
    }
    return subprocess.run(
        [sys.executable, "-c", code],
        env=aws | dict(environment),
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def jwks() -> Iterator[str]:
    """The address of the signer's keys, on a real server."""
    document = json.dumps({"keys": [signer().public]}).encode()

    class Keys(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(document)))
            self.end_headers()
            self.wfile.write(document)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Keys)
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/jwks.json"
    server.shutdown()
    server.server_close()
    thread.join(5)


def event(kind: str, **fields: Any) -> str:
    """Return one of API Gateway's events as a line."""
    context = {
        "eventType": kind,
        "routeKey": {"MESSAGE": "$default"}.get(kind, f"${kind.lower()}"),
        "connectionId": "c1=",
        "connectedAt": 1_800_000_000_000,
        "requestId": "q1",
        "requestTimeEpoch": 1_800_000_000_000,
    }
    return json.dumps({"requestContext": context, **fields}) + "\n"


def test_the_handler_starts_with_a_complete_environment() -> None:
    """Five variables are enough, and no network is asked for anything."""
    done = run("import signaling.handler", ENVIRONMENT)

    assert (done.returncode, done.stderr) == (0, "")


def test_the_handler_names_everything_that_is_wrong() -> None:
    """In one message, at import: the deployment fails before it takes traffic."""
    done = run("import signaling.handler", {"MAX_VIEWERS": "many", "LIMITS": "maybe"})

    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode != 0
    for name in [*ENVIRONMENT, "MAX_VIEWERS", "LIMITS"]:
        assert name in last


def test_a_connection_opens_and_is_welcomed(jwks: str) -> None:
    """`$connect` with a real token, `ready`, `$disconnect`; then no trace of it is left."""
    now_s = time.time_ns() // 10**9
    token = signer().access(sub="u1", username="ann", iat=now_s, exp=now_s + 600)
    offered = {"Sec-WebSocket-Protocol": f"robosignal.v1, bearer.{token}"}
    ready = json.dumps({"type": "ready", "protocol": 1, "id": "a"})
    events = [
        event("CONNECT", headers=offered),
        event("MESSAGE", body=ready),
        event("DISCONNECT", disconnectStatusCode=1000, disconnectReason=""),
        event("MESSAGE", body=ready),
    ]

    done = run(EVENTS, ENVIRONMENT | {"TOKEN_JWKS_URL": jwks}, "".join(events))

    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines() if '"_aws"' not in line]
    connected, welcomed, left, late, modules = lines
    assert connected == {
        "statusCode": 200,
        "headers": {"Sec-WebSocket-Protocol": "robosignal.v1"},
    }
    welcome = json.loads(welcomed["body"])
    assert (welcome["type"], welcome["replyTo"]) == ("welcome", "a")
    assert (welcome["userId"], welcome["name"], welcome["protocol"]) == ("u1", "ann", 1)
    assert left == {"statusCode": 200}
    assert (late["statusCode"], json.loads(late["body"])["code"]) == (401, "unauthorized")
    assert modules == {"jose": [False, True]}


def test_a_forged_token_opens_nothing(jwks: str) -> None:
    """Signed by a key of the same name that is not the issuer's: 401, and no row."""
    now_s = time.time_ns() // 10**9
    claims = access_claims(iat=now_s, exp=now_s + 600)
    token = signer("forger").token(claims, kid=signer().kid)
    events = [
        event("CONNECT", headers={"Authorization": f"Bearer {token}"}),
        event("MESSAGE", body='{"type":"ready","id":"a"}'),
    ]

    done = run(EVENTS, ENVIRONMENT | {"TOKEN_JWKS_URL": jwks}, "".join(events))

    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines() if '"_aws"' not in line]
    assert [line.get("statusCode") for line in lines] == [401, 401, None]
