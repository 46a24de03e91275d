"""The Lambda with TURN servers: it starts without their secret, and reads it when it must."""

import json

from robosignal.server.ice.turn import make_credential
from tests.server.test_handler import ENVIRONMENT, event, run

EVENTS = """
import json, os, sys
import boto3
from moto import mock_aws

class Asked(list):
    def note(self, model, **_):
        self.append(model.name)

with mock_aws():
    from robosignal.server.clock import epoch_ms
    from robosignal.server.aws.dynamodb import DynamoStore
    from robosignal.server.core.records import Connection
    from robosignal.server.core.writes.presence import register_process
    from tests.server.aws.items import R1, claim
    from tests.tables import CONNECTIONS, ROBOTS, make_tables
    vault = boto3.client("secretsmanager")
    kept = vault.create_secret(Name="turn", SecretString="north")["ARN"]
    os.environ.setdefault("TURN_SECRET_ARN", kept)
    dynamodb = boto3.client("dynamodb")
    make_tables(dynamodb)
    now = epoch_ms()
    DynamoStore(dynamodb, CONNECTIONS, ROBOTS).add_connection(Connection(
        connection_id="c1=", user_id="ann", name="Ann", groups=frozenset(), dialect="v1",
        ts=now, expires_at=now + 600_000, ttl=now // 1000 + 600,
    ))
    DynamoStore(dynamodb, CONNECTIONS, ROBOTS).write_robot(R1, register_process(claim()))
    asked = Asked()
    session = boto3._get_default_session()
    session.events.register("before-call.secrets-manager", asked.note)
    from signaling.handler import handler
    print(json.dumps(asked))
    for line in sys.stdin:
        print(handler(json.loads(line), None)["body"])
        print(json.dumps(asked))
"""

TURN = ENVIRONMENT | {"TURN_URLS": "turn:turn.example.org:3478"}


def test_the_secret_is_read_at_the_first_need() -> None:
    """Not as the function starts, nor for a welcome, nor again for the next message."""
    asks = event("MESSAGE", body='{"type":"ice-servers","robotId":"r1","id":"a"}')
    done = run(EVENTS, TURN, asks + asks)

    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines() if '"_aws"' not in line]
    at_start, servers, at_first, _, at_second = lines
    assert (at_start, at_first, at_second) == ([], ["GetSecretValue"], ["GetSecretValue"])
    (server,) = servers["iceServers"]
    assert server["urls"] == ["turn:turn.example.org:3478"]
    assert server["username"].endswith(":ann")
    assert server["credential"] == make_credential("north", server["username"])


def test_without_the_secret_people_still_meet() -> None:
    """A function that may not read it serves the fixed list, and says so in its log."""
    fixed = [{"urls": ["stun:stun.example:3478"]}]
    asks = event("MESSAGE", body='{"type":"ice-servers","robotId":"r1","id":"a"}')
    environment = TURN | {"ICE_SERVERS": json.dumps(fixed), "TURN_SECRET_ARN": "none-such"}
    done = run(EVENTS, environment, asks)

    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines() if '"_aws"' not in line]
    assert lines[1] == {
        "type": "ice-servers",
        "iceServers": fixed,
        "ttlSeconds": 60,
        "turn": True,
        "replyTo": "a",
    }
    assert "TURN secret not read" in done.stderr
