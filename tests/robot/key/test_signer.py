"""A robot's assertions, verified as the server verifies them and by a library of others."""

import json
from base64 import urlsafe_b64decode
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from jose import jws

from robosignal.protocol.ids import ConnectionId, RobotId
from robosignal.robot.key.file import KeyFile
from robosignal.robot.key.signer import Signer
from robosignal.server.identity.assertions import (
    check_rotation,
    check_signature,
    read_assertion,
)

URL = "wss://robots.example/prod"
ROBOT = RobotId("r1")
NOW = 1_800_000_000


class Clock:
    """A robot's clock; `server` is what the server's says, which is right."""

    def __init__(self, now: float = NOW, server: float = NOW) -> None:
        self.now = now
        self.server = server

    def __call__(self) -> float:
        """Return the time in epoch seconds."""
        return self.now

    @property
    def date(self) -> str:
        """The header `Date` of the server."""
        return formatdate(self.server, usegmt=True)


@pytest.fixture
def file(tmp_path: Path) -> KeyFile:
    """The key file of an enrolled robot."""
    return KeyFile.create(tmp_path / "robot.json", URL, now=NOW).note_enrolment(ROBOT)


def claims(token: str) -> dict[str, Any]:
    """Return what a token claims."""
    text = token.split(".")[1]
    found: dict[str, Any] = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return found


def kid(token: str) -> str:
    """Return the key that a token names."""
    found: str = jws.get_unverified_header(token)["kid"]
    return found


def test_the_server_accepts_what_the_robot_signs(file: KeyFile) -> None:
    """For this address, this robot and this key, for five minutes."""
    token = Signer(file, URL, Clock())()

    assertion = check_signature(
        read_assertion(token, frozenset({URL}), NOW * 1000), file.key.public
    )

    assert (assertion.robot_id, assertion.kid, assertion.iat) == (ROBOT, file.key.kid, NOW)
    assert claims(token)["exp"] == NOW + 300
    jws.verify(token, file.key.jwk(), "ES256")


def test_each_dial_is_signed_again(file: KeyFile) -> None:
    """Two in one second differ by their `jti` of 128 bits."""
    signer = Signer(file, URL, Clock())

    jtis = {claims(signer())["jti"] for _ in range(100)}

    assert len(jtis) == 100
    assert {len(urlsafe_b64decode(each + "==")) for each in jtis} == {16}


def test_a_code_is_carried_as_its_hash_alone(file: KeyFile) -> None:
    """With the public key, for which the connection is opened."""
    token = Signer(file, URL, Clock(), code="AAAA-BBBB-CCCC-DDDD")()

    found = read_assertion(token, frozenset({URL}), NOW * 1000).assertion.enrolment

    assert found is not None
    assert found.public_key == file.key.public
    assert "AAAABBBB" not in json.dumps(claims(token))


def test_the_proof_of_a_new_key_is_for_one_connection(file: KeyFile) -> None:
    """As the server checks it."""
    proof = file.key.sign_proof(ROBOT, "conn-1")

    check_rotation(proof, file.key.public, ROBOT, ConnectionId("conn-1"))


@pytest.mark.parametrize("off", [-3600, -480, 480, 86_400 * 365])
def test_a_refusal_corrects_the_clock(file: KeyFile, off: int) -> None:
    """Behind or ahead, the next assertion is the server's time, and so are later ones."""
    clock = Clock(NOW + off)
    signer = Signer(file, URL, clock)
    signer.hear(signer(), 401, clock.date)

    first = claims(signer())["iat"]
    clock.now += 100
    later = claims(signer())["iat"]

    assert abs(first - NOW) <= 1
    assert abs(later - NOW - 100) <= 1


def test_a_clock_that_is_right_is_left_alone(file: KeyFile) -> None:
    """The seconds that a refusal takes to come do not put it off; nor does what is no date."""
    clock = Clock(NOW + 3)
    signer = Signer(file, URL, clock)

    for date in (clock.date, None, "", "tomorrow", "Mon, 99 Foo 99999 99:99:99 GMT"):
        signer.hear(signer(), 401, date)

    assert claims(signer())["iat"] == NOW + 3


def test_assertions_are_never_older_than_one_that_was_accepted(file: KeyFile) -> None:
    """The server registers none that is: the clock may have been set back meanwhile."""
    clock = Clock()
    signer = Signer(file, URL, clock)
    signer.hear(signer(), 101, clock.date)

    clock.now -= 3600

    assert claims(signer())["iat"] == NOW


def test_a_refused_assertion_does_not_hold_the_next_one_up(file: KeyFile) -> None:
    """A clock that was ahead goes back to the server's time."""
    clock = Clock(NOW + 480)
    signer = Signer(file, URL, clock)

    signer.hear(signer(), 401, clock.date)

    assert claims(signer())["iat"] < NOW + 30


def test_an_assertion_that_was_used_up_corrects_the_clock_too(file: KeyFile) -> None:
    """A robot whose clock is behind after a restart is let in, but not registered."""
    clock = Clock(NOW - 480)
    signer = Signer(file, URL, clock)
    signer.hear(signer(), 101, clock.date)
    assert claims(signer())["iat"] == NOW - 480

    signer.hear_used()

    assert abs(claims(signer())["iat"] - NOW) <= 1


def test_while_a_key_is_replaced_a_refusal_has_the_other_one_tried(file: KeyFile) -> None:
    """The old one first, the new one once the server has it, and back."""
    clock = Clock()
    both = file.prepare_next()
    assert both.next_key is not None
    old, new = both.key.kid, both.next_key.kid
    signer = Signer(both, URL, clock)
    seen = [kid(signer())]

    signer.prefer_next()
    for _ in range(3):
        seen.append(kid(signer()))
        signer.hear(signer(), 401, clock.date)

    assert seen == [old, new, old, new]


def test_a_wrong_clock_has_the_same_key_tried_again(file: KeyFile) -> None:
    """Only a refusal at the right time says something of the key."""
    clock = Clock(NOW + 480)
    signer = Signer(file.prepare_next(), URL, clock)
    first = kid(signer())

    signer.hear(signer(), 401, clock.date)

    assert kid(signer()) == first


def test_other_statuses_say_nothing_of_the_key(file: KeyFile) -> None:
    """A server that is overloaded, or a proxy's refusal."""
    signer = Signer(file.prepare_next(), URL, Clock())
    first = kid(signer())

    for status in (403, 429, 500, 502, 503):
        signer.hear(signer(), status, None)

    assert kid(signer()) == first


def test_a_connection_by_the_new_key_is_noted_and_kept(file: KeyFile) -> None:
    """Then the old key may go."""
    signer = Signer(file.prepare_next(), URL, Clock())
    seen: list[bool] = []
    for _ in range(2):
        token = signer()
        signer.hear(token, 101, None)
        seen.append(signer.uses_next)
        signer.prefer_next()
    assert seen == [False, True]

    signer.use_file(signer.file.adopt_next(NOW))
    assert kid(signer()) == kid(token)
