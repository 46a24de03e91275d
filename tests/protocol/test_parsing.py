"""Parsing is total, whatever arrives; and whatever parses can be relayed and written again."""

import json
import re
from itertools import product
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robosignal.protocol import limits
from robosignal.protocol.errors import BadMessage, SignalingError, TooLarge, UnknownType
from robosignal.protocol.frames import encode
from robosignal.protocol.ids import ConnectionId, RobotId, UserId, session_id
from robosignal.protocol.messages import Answer, AnyMessage, Dialect, IceCandidate, Offer, Ping
from robosignal.protocol.parsing import parse
from robosignal.server.core.dialects import translate_for_client, translate_for_robot
from robosignal.server.core.records import Robot, Session
from tests.protocol.test_parsing_vectors import GOOD

CLIENT = ConnectionId("Client=")
SESSION = session_id(RobotId("r1"), CLIENT)
DIALECTS: tuple[Dialect, Dialect] = ("seed", "v1")

floats = st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | st.integers() | floats | st.text()
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
frames = st.sampled_from([vector["frame"] for vector in GOOD])
names = st.sampled_from(sorted({name for vector in GOOD for name in vector["frame"]}))


def parsed(text: object) -> AnyMessage | None:
    """Return the message, or None after one of the three errors that there may be."""
    try:
        return parse(text)
    except (BadMessage, UnknownType, TooLarge) as error:
        refused = error
    assert refused.reply_to is None or re.search(limits.ID_PATTERN, refused.reply_to)
    assert str(refused).encode()
    return None


def relays(message: AnyMessage | None) -> list[Any]:
    """Return the frames that this message becomes in every pairing of dialects, each way; decoded.

    A candidate that a seed's end could not read is refused instead.
    """
    if not isinstance(message, Offer | Answer | IceCandidate):
        return []
    return [
        json.loads(encode(frame))
        for to_robot, to_client in product(DIALECTS, DIALECTS)
        for frame in relayed(message, to_robot, to_client)
    ]


def relayed(message: Offer | Answer | IceCandidate, ours: Dialect, theirs: Dialect) -> list[Any]:
    """Return the frames to a robot that speaks so and to its client, or none if one is refused."""
    try:
        return [
            translate_for_robot(robot(ours), session(theirs), "controller", message),
            translate_for_client(robot(ours), session(theirs), "viewer", message),
        ]
    except BadMessage:
        if "seed" not in (ours, theirs):
            raise
        return []


def robot(dialect: Dialect) -> Robot:
    """Return a robot that speaks so."""
    return Robot(robot_id=RobotId("r1"), owner_user_id=UserId("ann"), dialect=dialect)


def session(dialect: Dialect) -> Session:
    """Return a session whose client speaks so."""
    return Session(
        session_id=SESSION,
        user_id=UserId("ann"),
        connection_id=CLIENT,
        connected_at=1,
        dialect=dialect,
        expires_at=2,
        until=3,
    )


def offer(**fields: Any) -> str:
    """Return an offer's text."""
    return json.dumps({"type": "offer", "robotId": "r1", **fields})


@given(st.text() | st.text(st.characters(categories=["Cs", "Lu", "Po"])))
def test_any_text_is_a_message_or_refused(text: str) -> None:
    """Nothing but the three errors comes out, for lone surrogates too."""
    assert parsed(text) is None


@given(values)
def test_any_json_is_a_message_or_refused(value: object) -> None:
    """Whatever JSON arrives, only an object with a known type could be a message."""
    assert parsed(json.dumps(value)) is None


@given(st.none() | st.binary() | st.integers())
def test_what_is_no_text_is_refused(value: object) -> None:
    """A binary frame has no text."""
    assert parsed(value) is None


@given(frames, names, values)
def test_a_changed_frame_is_a_message_or_refused(
    frame: dict[str, Any], name: str, value: object
) -> None:
    """One field of a good frame replaced by anything: if it parses, it can be relayed."""
    message = parsed(json.dumps({**frame, name: value}))

    relays(message)
    if isinstance(message, Offer | Answer | IceCandidate):
        for each in relayed(message, "v1", "v1"):
            assert json.loads(encode(each))["payload"] == msgspec.to_builtins(message)["payload"]


@given(frames, st.integers(0, 200), st.text(max_size=3))
def test_a_torn_frame_is_a_message_or_refused(
    frame: dict[str, Any], at: int, inserted: str
) -> None:
    """Text cut, or with something inserted anywhere."""
    text = json.dumps(frame)

    parsed(text[:at])
    relays(parsed(text[:at] + inserted + text[at:]))


@given(values)
def test_a_payload_is_relayed_as_it_came(value: object) -> None:
    """Every dialect and either end reads the payload that was sent."""
    payload = {"type": "answer", "sdp": "v=0", "more": value}

    for each in relays(parse(json.dumps({"type": "answer", "payload": payload}))):
        assert each["payload"] == payload


@pytest.mark.parametrize(
    "number", ["1e308", "-0", "18446744073709551616", "-9223372036854775809", "9" * 4000]
)
def test_a_number_that_json_allows_is_relayed(number: str) -> None:
    """Integers of any size that Python reads, and the largest doubles."""
    frames_sent = relays(parse(f'{{"type":"answer","payload":{{"sdp":1,"n":{number}}}}}'))

    assert [frame["payload"]["n"] for frame in frames_sent] == [json.loads(number)] * 8


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e400", "9" * 5000, "0x1", "01", "+1"])
def test_a_number_that_cannot_be_written_again_is_refused(number: str) -> None:
    """Neither NaN nor infinity is JSON; integers of 5,000 digits are Python's limit."""
    with pytest.raises(BadMessage, match=r"^message: must be JSON"):
        parse(f'{{"type":"answer","payload":{{"sdp":1,"n":{number}}}}}')


def nested(levels: int, brackets: str) -> str:
    """Return an offer in which so many objects or lists are nested, itself included."""
    opened = {"{}": '{"a":', "[]": "["}[brackets]
    inner = opened * (levels - 2) + "1" + brackets[1] * (levels - 2)
    return f'{{"type":"offer","robotId":"r1","payload":{{"sdp":{inner}}}}}'


@pytest.mark.parametrize("brackets", ["{}", "[]"])
def test_sixteen_levels_are_the_deepest(brackets: str) -> None:
    """The seventeenth is refused, of objects as of lists."""
    assert isinstance(parse(nested(16, brackets)), Offer)

    with pytest.raises(BadMessage, match="nested deeper than 16"):
        parse(nested(17, brackets))


def test_brackets_in_text_are_no_levels() -> None:
    """Depth is counted in values, not in characters."""
    message = parse(offer(payload={"sdp": "[{" * 100}))

    assert isinstance(message, Offer)


@pytest.mark.parametrize("opened", ["[", '{"a":'])
def test_nesting_beyond_the_stack_is_refused(opened: str) -> None:
    """As deep as a message's size allows: an error, no crash."""
    text = opened * (limits.MESSAGE_BYTES // len(opened))

    with pytest.raises(BadMessage, match=r"^message: "):
        parse(text)


def test_the_last_of_repeated_keys_wins() -> None:
    """What a reader of the first would have taken for the id is not relayed either."""
    message = parse('{"type":"offer","type":"ping","id":"a","id":"b","robotId":"x"}')

    assert message == Ping(id="b", robot_id=RobotId("x"))


@pytest.mark.parametrize("letter", ["x", "é", "😀"], ids=["one byte", "two", "four"])
@pytest.mark.parametrize(
    ("field", "limit"), [("sdp", limits.SDP_BYTES), ("candidate", limits.CANDIDATE_BYTES)]
)
def test_a_part_may_be_as_large_as_its_limit(field: str, limit: int, letter: str) -> None:
    """Bytes are counted, not characters; one more is too large."""
    full = letter * (limit // len(letter.encode()))

    assert isinstance(parse(f'{{"type":"answer","{field}":"{full}"}}'), Answer)
    with pytest.raises(TooLarge, match=rf"^{field}: over the limit of {limit} bytes"):
        parse(f'{{"type":"answer","{field}":"{full}x"}}')


def test_a_part_that_is_an_object_is_measured_as_json() -> None:
    """The limit on a candidate holds for an object too."""
    within = {"candidate": "c" * (limits.CANDIDATE_BYTES - len('{"candidate":""}'))}

    assert parse(offer(candidate=within))
    with pytest.raises(TooLarge, match=r"^candidate: "):
        parse(offer(candidate={"candidate": within["candidate"] + "c"}))


def test_a_message_may_be_as_large_as_its_limit() -> None:
    """128 KiB, in bytes; one more is too large."""
    around = len('{"type":"ping","x":""}')
    full = "x" * (limits.MESSAGE_BYTES - around)

    assert parse(f'{{"type":"ping","x":"{full}"}}') == Ping()
    with pytest.raises(TooLarge, match=r"^message: over the limit of 131072 bytes"):
        parse(f'{{"type":"ping","x":"{full}x"}}')
    with pytest.raises(TooLarge, match=r"^message: "):
        parse(f'{{"type":"ping","x":"{full[1:]}é"}}')


def test_metadata_may_be_as_large_as_its_limit() -> None:
    """1 KiB of JSON; one byte more is refused."""
    full = "x" * (limits.METADATA_BYTES - len('{"a":""}'))
    text = '{"type":"register","robotId":"r1","metadata":{"a":"%s"}}'

    assert parse(text % full)
    with pytest.raises(BadMessage, match=r"^metadata: is over the limit of 1024 bytes"):
        parse(text % (full + "x"))


@pytest.mark.parametrize("word", ["ta\u212aeover", "ta\u212aEOVER", "b\u0443e", "w\u0130tch"])
def test_a_type_is_spelled_in_ascii(word: str) -> None:
    """The Kelvin sign is a k in lower case, and still no letter of a type."""
    with pytest.raises(UnknownType):
        parse(msgspec.json.encode({"type": word, "robotId": "r1"}).decode())


def test_an_unknown_type_is_told_in_part() -> None:
    """A type of any length is answered briefly, with the types that there are."""
    with pytest.raises(UnknownType, match="there are ready, ping") as refused:
        parse(json.dumps({"type": "x" * 5000}))

    assert len(str(refused.value)) < 600


def test_an_unusable_id_is_not_sent_back() -> None:
    """A reply has only an id that fits the rule."""
    with pytest.raises(SignalingError) as refused:
        parse(json.dumps({"type": "fly", "id": "a b"}))

    assert refused.value.reply_to is None


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        (limits.ID_PATTERN, ["a", "A-b_c.9", "x" * 64], ["", "x" * 65, "a\n", "é", "a b", "a:b"]),
        (
            limits.SESSION_PATTERN,
            ["a:" + "A" * 22, "x" * 64 + ":" + "-_" * 11],
            ["a:" + "A" * 21, "a:" + "A" * 23, ":" + "A" * 22, "a:" + "A" * 22 + "\n"],
        ),
        (
            limits.USER_PATTERN,
            ["a", "a b", "~" * 128, "a#"],
            ["", "#a", "#", "a" * 129, "é", "a\n", "\x7f", "a\tb"],
        ),
    ],
    ids=["ids", "session ids", "user ids"],
)
def test_patterns_hold_at_both_ends(pattern: str, good: list[str], bad: list[str]) -> None:
    """Nothing before or after what fits, not even a line's end."""
    assert all(re.search(pattern, each) for each in good)
    assert not any(re.search(pattern, each) for each in bad)
