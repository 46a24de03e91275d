"""The shared vectors of good and bad frames: what each means, or which field is named."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from robosignal.protocol.errors import SignalingError
from robosignal.protocol.messages import ALIASES, MESSAGES, IceCandidate, Message
from robosignal.protocol.parsing import RULES, parse

VECTORS = Path(__file__).parents[2] / "spec" / "vectors"

GOOD: list[dict[str, Any]] = json.loads((VECTORS / "frames_good.json").read_text())
CANDIDATES: list[dict[str, Any]] = json.loads((VECTORS / "candidates.json").read_text())
BAD: list[dict[str, Any]] = json.loads((VECTORS / "frames_bad.json").read_text())


def text_of(vector: dict[str, Any]) -> str:
    """Return the frame that goes over the wire."""
    text: str = vector["text"] if "text" in vector else json.dumps(vector["frame"])
    return text


def fields_of(kind: type[Message]) -> set[str]:
    """Return the names of a message's fields on the wire, but for what `parse` sets."""
    return {field.encode_name for field in msgspec.structs.fields(kind)} - {"word"}


@pytest.mark.parametrize("vector", GOOD, ids=lambda vector: vector["name"])
def test_a_good_frame_means_what_its_vector_says(vector: dict[str, Any]) -> None:
    """Whatever its spelling, a frame becomes the one message that it means."""
    meant = msgspec.convert(vector["means"], MESSAGES[vector["means"]["type"]])

    assert parse(text_of(vector)) == meant


@pytest.mark.parametrize("vector", BAD, ids=lambda vector: vector["name"])
def test_a_bad_frame_is_refused_by_the_name_of_its_field(vector: dict[str, Any]) -> None:
    """The error has the code, begins with the field, and has the frame's id if there is one."""
    with pytest.raises(SignalingError) as refused:
        parse(text_of(vector))

    assert refused.value.code == vector["code"]
    assert str(refused.value).startswith(vector["field"] + ": ")
    assert refused.value.reply_to == vector.get("replyTo")


@pytest.mark.parametrize("vector", CANDIDATES, ids=lambda vector: vector["name"])
def test_a_candidate_is_taken_in_each_shape_and_relayed_untouched(vector: dict[str, Any]) -> None:
    """The server never looks inside, and keeps what a client may read."""
    frame = {"type": "ice-candidate", "sessionId": "r1:AAAAAAAAAAAAAAAAAAAAAA"}
    payload = vector["payload"]
    message = parse(json.dumps(frame | {"payload": payload}))

    assert isinstance(message, IceCandidate)
    assert message.payload == payload


def test_every_type_and_spelling_has_a_good_vector() -> None:
    """A new message type needs vectors, and so does a new word for an old one."""
    words = {str(vector["frame"]["type"]).lower() for vector in GOOD}

    assert words == set(MESSAGES) | set(ALIASES)


@pytest.mark.parametrize("name", MESSAGES)
def test_every_field_has_a_good_vector(name: str) -> None:
    """Each field of each message is given a value at least once."""
    given = {field for each in GOOD if each["means"]["type"] == name for field in each["means"]}
    # What every addressed message shares is shown once for all of them.
    shared = {"id", "robotId", "sessionId", "to", "clientConnectionId", "target", "pcId", "seq"}

    assert fields_of(MESSAGES[name]) - shared <= given


def test_every_field_has_a_rule_and_a_bad_vector() -> None:
    """Whichever field is wrong, its reader is told what it must be."""
    fields = set.union(*(fields_of(kind) for kind in MESSAGES.values()))

    assert fields == set(RULES)
    assert fields <= {vector["field"] for vector in BAD}
