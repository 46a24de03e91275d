"""What the system that this grew from got wrong. Each has a test of its own."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.tokens import Signer, access_claims, b64_json, signer
from tests.world import World


def admitted(world: World, token: str, **event: Any) -> int:
    """Open a connection with this token; return the status."""
    headers = {"Authorization": f"Bearer {token}"}
    status: int = world.event("CONNECT", world.dial(), headers=headers, **event)["statusCode"]
    return status


CLAIMS = access_claims(**{"cognito:groups": ["ADMIN"]})


def unsigned() -> str:
    """Return a token that says it needs no signature."""
    return f"{b64_json({'alg': 'none', 'typ': 'JWT'})}.{b64_json(CLAIMS)}."


def altered() -> str:
    """Return a good token whose claims were replaced."""
    header, _, signature = signer().access().split(".")
    return f"{header}.{b64_json(CLAIMS)}.{signature}"


def made_up() -> str:
    """Return a token that somebody else's key signed in our issuer's name."""
    return Signer(signer("another").private, signer().kid).token(CLAIMS)


@pytest.mark.parametrize("forge", [unsigned, altered, made_up])
def test_a_forged_token_is_refused(local_world: World, forge: Callable[[], str]) -> None:
    """Symptom: forged tokens were accepted. The token was decoded without verification."""
    assert admitted(local_world, forge()) == 401
    assert local_world.stored() == {"conn-0001=": None}


def test_the_same_claims_are_accepted_when_the_issuer_signed_them(local_world: World) -> None:
    """So it is the signature by which the forged ones are refused."""
    assert admitted(local_world, signer().token(CLAIMS)) == 200


def test_a_message_needs_no_token(world: World) -> None:
    """Symptom: every message was 401 on AWS.

    The token was read from the query string of a message event, where API Gateway never puts
    it. Identity comes from the connection's row.
    """
    client = world.connect("owner")

    result = world.event("MESSAGE", client, body='{"type":"robots"}')

    assert result == {"statusCode": 200, "body": '{"type":"robots","robots":[]}'}


def test_a_message_that_brings_a_token_is_still_its_connections(local_world: World) -> None:
    """The same: query and headers of a message are not read, even where somebody puts them."""
    world = local_world
    client = world.connect("stranger")
    stolen = world.token("owner", ["ADMIN"])

    result = world.event(
        "MESSAGE",
        client,
        body='{"type":"ready"}',
        queryStringParameters={"token": stolen},
        headers={"Authorization": f"Bearer {stolen}"},
    )

    assert json.loads(result["body"])["userId"] == "stranger"


def test_an_answer_to_an_offers_from_reaches_the_client(world: World) -> None:
    """Symptom: answers were unroutable. `from` held the user's id, not a return address."""
    robot = world.robot("r1", "owner", v1=False)
    client = world.connect("owner", v1=False)
    client.send(type="offer", to="r1", sdp="o")
    (offer,) = robot.take()

    robot.send(type="answer", to=offer["from"], sdp="a")

    assert client.types() == ["answer"]


def test_welcome_answers_the_first_message(world: World) -> None:
    """Symptom: the welcome never arrived. It was posted inside `$connect`, which is a 410."""
    client = world.connect("owner")
    posted_while_connecting = world.outbox.posts

    welcome = client.send(type="ready", protocol=1)

    assert posted_while_connecting == 0
    assert welcome is not None
    assert (welcome["type"], welcome["connectionId"]) == ("welcome", client.connection_id)


def online(world: World) -> list[bool]:
    """Return whether the owner's robots are online."""
    robots = world.connect("owner").ask(type="robots")["robots"]
    return [entry["online"] for entry in robots]


def test_a_robot_that_disconnects_is_offline(world: World) -> None:
    """Symptom: ghost robots were online. Presence was never removed."""
    robot = world.robot("r1", "owner")

    robot.disconnect()

    assert online(world) == [False]


def test_a_robot_that_falls_silent_is_offline(world: World) -> None:
    """The same, when `$disconnect` is lost as well: the lease ends presence."""
    world.robot("r1", "owner").vanish()

    world.pass_seconds(300)

    assert online(world) == [False]


def test_an_offline_robot_keeps_its_owner(world: World) -> None:
    """Symptom: anyone became an offline robot's owner. `register` overwrote the owner."""
    world.robot("r1", "owner").disconnect()
    thief = world.connect("thief")

    refused = thief.refused(type="register", robotId="r1")

    assert refused == (409, "owned_by_another")
    assert world.item().owner_user_id == "owner"


def test_no_other_client_injects_an_answer(world: World) -> None:
    """Symptom: any client injected an answer. `target: client` went unchecked."""
    world.robot("r1", "owner")
    client = world.connect("owner")
    client.offer()
    attacker = world.connect("attacker")

    statuses = []
    for spelling in ({"to": client.connection_id}, {"clientConnectionId": client.connection_id}):
        attacker.send(type="answer", target="client", robotId="r1", sdp="evil", **spelling)
        statuses.append(attacker.status)

    assert statuses == [400, 400]
    assert client.frames == []


def test_an_offer_to_an_offline_robot_is_answered(world: World) -> None:
    """Symptom: an offer to an offline robot answered nothing. There was no route response."""
    world.robot("r1", "owner").disconnect()

    reply = world.connect("owner").send(type="offer", robotId="r1", sdp="o")

    assert reply == {
        "type": "error",
        "code": "robot_offline",
        "message": "the robot is offline: try again when it is back",
        "robotId": "r1",
    }


def test_a_takeover_moves_control(world: World) -> None:
    """Symptom: a takeover moved nothing. Only a notice was sent."""
    world.robot("r1", "owner")
    first = world.connect("owner")
    had = first.offer()
    boss = world.connect("boss", groups=["ADMIN"])

    won = boss.ask(type="takeover", robotId="r1")

    holder = world.item().controller
    assert holder is not None
    assert (holder.user_id, won["epoch"]) == ("boss", had["epoch"] + 1)
    assert first.refused(type="ping", sessionId=had["sessionId"]) == (404, "no_session")
