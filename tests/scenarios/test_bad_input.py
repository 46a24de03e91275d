"""Bad input of every kind: one error frame, nothing written, the connection stays open."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robosignal.gateway.store import LocalStore
from robosignal.protocol.messages import MESSAGES
from tests.tokens import signer
from tests.world import Frame, Peer, World

OFFER = {"type": "offer", "robotId": "r1"}


def deep(levels: int) -> str:
    """Return an offer whose payload is nested so deep."""
    return '{"type":"offer","robotId":"r1","payload":' + '{"a":' * levels + "1" + "}" * levels + "}"


TEXTS: dict[str, tuple[str | None, str]] = {
    "no body": (None, "message: must be text"),
    "empty": ("", "message: must be JSON (RFC 8259)"),
    "spaces": ("  ", "message: must be JSON (RFC 8259)"),
    "words": ("hello", "message: must be JSON (RFC 8259)"),
    "half an object": ('{"type":"offer"', "message: must be JSON (RFC 8259)"),
    "two objects": ('{"type":"ping"}{"type":"ping"}', "message: must be JSON (RFC 8259)"),
    "single quotes": ("{'type':'ping'}", "message: must be JSON (RFC 8259)"),
    "not a number": ('{"type":"ping","n":NaN}', "message: must be JSON (RFC 8259)"),
    "infinite number": ('{"type":"ping","n":1e999}', "message: must be JSON (RFC 8259)"),
    "endless number": (
        '{"type":"ping","n":1' + "0" * 5000 + "}",
        "message: must be JSON (RFC 8259)",
    ),
    "lone surrogate": ('{"type":"ping","n":"\\ud800"}', "message: must be JSON (RFC 8259)"),
    "raw lone surrogate": ('{"type":"ping","n":"\ud800"}', "message: must be JSON (RFC 8259)"),
    "control character": ('{"type":"ping","n":"\n"}', "message: must be JSON (RFC 8259)"),
    "array": ("[]", "message: must be a JSON object"),
    "text": ('"ping"', "message: must be a JSON object"),
    "number": ("1", "message: must be a JSON object"),
    "null": ("null", "message: must be a JSON object"),
    "too deep": (deep(17), "message: is nested deeper than 16 levels"),
    "hostile nesting": ("[" * 60_000, "message: must be JSON (RFC 8259)"),
    "no type": ("{}", "type: is missing"),
    "null type": ('{"type":null}', "type: is missing"),
    "numeric type": ('{"type":1}', "type: must be text"),
    "list type": ('{"type":["ping"]}', "type: must be text"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_text_that_is_no_message_is_one_bad_message(local_world: World, name: str) -> None:
    """The sentence says what is wrong; nothing is written or posted, the connection stays."""
    text, sentence = TEXTS[name]
    robot = local_world.robot("r1", "owner")
    client = local_world.connect("owner")
    before = local_world.stored()

    result = local_world.event("MESSAGE", client, body=text)

    assert json.loads(result["body"]) == {
        "type": "error",
        "code": "bad_message",
        "message": sentence,
    }
    assert result["statusCode"] == 400
    assert (local_world.stored(), robot.frames, client.is_open) == (before, [], True)


FIELDS: list[tuple[str, Frame]] = [
    ("robotId", {"type": "register"}),
    ("robotId", {"type": "register", "robotId": ""}),
    ("robotId", {"type": "register", "robotId": "a b"}),
    ("robotId", {"type": "register", "robotId": "a#b"}),
    ("robotId", {"type": "register", "robotId": "a\n"}),
    ("robotId", {"type": "register", "robotId": "x" * 65}),
    ("robotId", {"type": "register", "robotId": 7}),
    ("robotId", {"type": "register", "robotId": ["r1"]}),
    ("instanceId", {"type": "register", "robotId": "r2", "instanceId": "a/b"}),
    ("metadata", {"type": "register", "robotId": "r2", "metadata": "text"}),
    ("metadata", {"type": "register", "robotId": "r2", "metadata": {"a": 1}}),
    ("metadata", {"type": "register", "robotId": "r2", "metadata": {"a": {"b": "c"}}}),
    ("metadata", {"type": "register", "robotId": "r2", "metadata": {"a": "x" * 1024}}),
    ("force", {"type": "register", "robotId": "r2", "force": "yes"}),
    ("iceRestart", {"type": "register", "robotId": "r2", "iceRestart": 0}),
    ("payload", OFFER),
    ("payload", {**OFFER, "payload": {}}),
    ("payload", {**OFFER, "payload": "sdp"}),
    ("payload", {**OFFER, "payload": [1]}),
    ("payload", {"type": "ice-candidate", "robotId": "r1"}),
    ("robotId", {"type": "offer", "sdp": "o"}),
    ("robotId", {"type": "offer", "sdp": "o", "to": "conn-0001="}),
    ("role", {**OFFER, "sdp": "o", "role": "pilot"}),
    ("pcId", {**OFFER, "sdp": "o", "pcId": "a b"}),
    ("seq", {**OFFER, "sdp": "o", "seq": 0}),
    ("seq", {**OFFER, "sdp": "o", "seq": 1.5}),
    ("seq", {**OFFER, "sdp": "o", "seq": 2**53}),
    ("target", {**OFFER, "sdp": "o", "target": "owner"}),
    ("target", {**OFFER, "sdp": "o", "target": "client"}),
    ("to", {"type": "offer", "sdp": "o", "to": "x" * 129}),
    ("clientConnectionId", {**OFFER, "sdp": "o", "clientConnectionId": ""}),
    ("sessionId", {"type": "resume"}),
    ("sessionId", {"type": "resume", "sessionId": "r1"}),
    ("sessionId", {"type": "resume", "sessionId": "r1:short"}),
    ("sessionId", {"type": "ping", "sessionId": "r 1:" + "A" * 22}),
    ("robotIds", {"type": "robots", "robotIds": ["r1", "a b"]}),
    ("robotIds", {"type": "robots", "robotIds": ["r1"] * 51}),
    ("all", {"type": "robots", "all": "true"}),
    ("cursor", {"type": "robots", "cursor": ""}),
    ("protocol", {"type": "ready", "protocol": 2}),
    ("id", {"type": "ping", "id": "a b"}),
    ("id", {"type": "ping", "id": "x" * 65}),
    ("id", {"type": "ping", "id": 1}),
]


@pytest.mark.parametrize(("field", "message"), FIELDS, ids=lambda each: str(each)[:60])
def test_a_field_that_is_missing_or_wrong_is_named(
    local_world: World, field: str, message: Frame
) -> None:
    """The error names the field; nothing is written or posted, the connection stays."""
    robot = local_world.robot("r1", "owner")
    client = local_world.connect("owner")
    before = local_world.stored()

    reply = client.send(**{"id": "q", **message})

    assert reply is not None
    assert (client.status, reply["code"]) == (400, "bad_message")
    assert reply["message"].partition(": ")[0] == field
    assert reply.get("replyTo") == (None if field == "id" else "q")
    assert (local_world.stored(), robot.frames, client.is_open) == (before, [], True)


TOO_LARGE: dict[str, Frame] = {
    "sdp": {**OFFER, "payload": {"sdp": "x" * (48 * 1024 + 1)}},
    "sdp at top level": {**OFFER, "sdp": "x" * (48 * 1024 + 1)},
    "sdp in bytes": {**OFFER, "payload": {"sdp": "\u00e9" * (24 * 1024 + 1)}},
    "candidate": {"type": "candidate", "robotId": "r1", "candidate": "x" * 2049},
    "candidate object": {
        "type": "candidate",
        "robotId": "r1",
        "candidate": {"candidate": "x" * 2048},
    },
    "message": {**OFFER, "payload": {"junk": "x" * 128 * 1024}},
    "frame to come": {**OFFER, "payload": {"junk": "x" * 127 * 1024}},
    "seed frame to come": {**OFFER, "payload": {"sdp": "\x01" * 12 * 1024}},
    "viewer's frame to come": {**OFFER, "role": "viewer", "payload": {"junk": "x" * 127 * 1024}},
}


@pytest.mark.parametrize("name", TOO_LARGE)
@pytest.mark.parametrize("v1", [True, False])
def test_what_is_too_large_takes_no_lease(local_world: World, name: str, *, v1: bool) -> None:
    """413, for what arrives and for the frame that it would become; nothing is written."""
    robot = local_world.robot("r1", "owner", v1=v1)
    client = local_world.connect("owner")
    before = local_world.stored()

    reply = client.send(**TOO_LARGE[name])

    assert reply is not None
    assert (client.status, reply["code"]) == (413, "too_large")
    assert (local_world.stored(), robot.frames, client.is_open) == (before, [], True)


def test_the_largest_description_passes_in_either_dialect(local_world: World) -> None:
    """48 KiB, of which a seed frame carries two."""
    sdp = "x" * 48 * 1024
    for v1 in (True, False):
        robot = local_world.robot("r1", "owner", v1=v1)

        local_world.connect("owner").ask(type="takeover", robotId="r1")
        local_world.peers[-1].offer(payload={"sdp": sdp})

        assert robot.take()[-1]["payload"] == {"sdp": sdp}


@pytest.mark.parametrize("given_type", ["offers", "", " ping", "\u0130", "x" * 500, "$connect"])
def test_an_unknown_type_is_named_and_the_known_ones_listed(
    local_world: World, given_type: str
) -> None:
    """A type of any length or script is answered, and cut short in the answer."""
    client = local_world.connect("owner")

    reply = client.ask(type=given_type)

    assert (client.status, reply["code"]) == (400, "unknown_type")
    assert reply["message"].endswith("there are " + ", ".join(MESSAGES))
    assert len(reply["message"]) < 600


def test_a_message_of_no_known_connection_is_unauthorized(world: World) -> None:
    """Whatever it says: identity is the connection's row, and there is none."""
    stray = world.dial()

    reply = stray.ask(type="robots")

    assert stray.status == 401
    assert reply == {
        "type": "error",
        "replyTo": "q",
        "code": "unauthorized",
        "message": "not signed in: connect again with a valid token",
    }


def test_unknown_and_repeated_fields_are_no_error(local_world: World) -> None:
    """The last of a repeated key wins; an unknown one is ignored."""
    client = local_world.connect("owner")

    reply = client.send_text('{"type":"nonsense","x":{"y":1},"type":"ping","id":"a","id":"b"}')

    assert reply == {"type": "pong", "replyTo": "b"}


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(["r1", "r1:" + "A" * 22, "viewer", "robot", "conn-0001="]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
NAMES = sorted({name for _, message in FIELDS for name in message} | {"sdp", "candidate", "from"})
TYPES = ["ready", "ping", "register", "offer", "answer", "candidate", "resume", "bye", "takeover"]
wild: st.SearchStrategy[dict[str, Any]] = st.builds(
    lambda kind, fields: {**fields, "type": kind},
    st.sampled_from([*TYPES, "release-control", "robots", "unregister"]),
    st.dictionaries(st.sampled_from(NAMES), json_values, max_size=6),
)


@settings(max_examples=300, deadline=None)
@given(message=wild)
def test_any_object_at_all_gets_one_documented_answer(message: dict[str, Any]) -> None:
    """Never an internal error, and a bad message never writes."""
    world = World(LocalStore(None), signer())
    world.robot("r1", "owner")
    client: Peer = world.connect("owner")
    before = world.stored()

    reply = client.send(**message)

    assert client.status in (200, 400, 403, 404, 413)
    assert client.status == 200 or reply is not None
    if client.status in (400, 413):
        assert world.stored() == before
