"""A share is an offer until its user accepts it, and ends when the user leaves. On both stores."""

import pytest

from robosignal.protocol.limits import OFFERS
from tests.scenarios.shares import accepts, listed, shares
from tests.world import Peer, World

SDP = {"sdp": "o"}


@pytest.mark.usefixtures("robot")
def test_an_offer_gives_no_right_and_is_pushed_to_no_one(world: World, owner: Peer) -> None:
    """It is listed apart; its user drives once it is accepted."""
    olga = world.connect("olga")
    olga.ask(type="watch")
    until = world.now + 60_000

    owner.ask(type="share", robotId="r1", userId="olga", role="operator", until=until)
    owner.offer()
    reply = olga.ask(type="robots")

    offered = {
        "robotId": "r1",
        "owner": {"userId": "owner"},
        "role": "operator",
        "until": until,
    }
    assert (reply["robots"], reply["offered"]) == ([], [offered])
    assert olga.refused(type="offer", robotId="r1", payload=SDP) == (403, "forbidden")
    assert olga.refused(type="resume", sessionId=world.item().controller.session_id)[0] == 404  # type: ignore[union-attr]
    assert olga.take() == []
    assert olga.ask(type="robots", robotIds=["r1"])["robots"] == []

    assert olga.ask(type="accept-share", robotId="r1")["type"] == "ack"
    reply = olga.ask(type="robots")
    assert "offered" not in reply
    assert listed(olga) == [("r1", "operator")]


@pytest.mark.usefixtures("robot")
def test_what_is_not_offered_cannot_be_accepted(world: World, owner: Peer) -> None:
    """A stranger hears the same of a robot that is not there; accepting twice is once."""
    eve = world.connect("eve")
    refused = [eve.ask(type="accept-share", robotId=robot) for robot in ("r1", "r9")]
    shares(owner, "olga")
    before = world.item()

    assert refused[0] == refused[1] | {"robotId": "r1"}
    assert refused[0]["code"] == "forbidden"
    accepts(world, "olga")
    assert world.item() == before


@pytest.mark.parametrize("accepted", [False, True])
@pytest.mark.usefixtures("robot")
def test_anyone_leaves_a_share_or_declines_an_offer(
    world: World, owner: Peer, *, accepted: bool
) -> None:
    """At any time; the sessions end, and leaving twice, or what is not there, is no error."""
    owner.ask(type="share", robotId="r1", userId="olga")
    olga = world.connect("olga")
    if accepted:
        accepts(world, "olga")
        olga.offer()

    for robot in ("r1", "r1", "r9"):
        assert olga.ask(type="leave-share", robotId=robot) == {"type": "ack", "replyTo": "q"}

    item = world.item()
    assert (list(item.shares()), item.controller) == ([], None)
    reply = olga.ask(type="robots")
    assert (reply["robots"], "offered" in reply) == ([], False)
    assert olga.refused(type="offer", robotId="r1", payload=SDP) == (403, "forbidden")
    assert olga.types() == (["peer-left"] if accepted else [])


@pytest.mark.usefixtures("robot")
def test_the_owner_has_no_share_to_leave(world: World, owner: Peer) -> None:
    """And keeps the lease."""
    owner.offer()
    before = world.item()

    assert owner.ask(type="leave-share", robotId="r1")["type"] == "ack"
    assert (world.item(), owner.take()) == (before, [])


@pytest.mark.parametrize("ends_by", ["unshare", "transfer", "forget", "its end"])
@pytest.mark.usefixtures("robot")
def test_an_offer_that_is_withdrawn_cannot_be_accepted(
    world: World, owner: Peer, ends_by: str
) -> None:
    """By the owner, a new owner, the robot's end, or its own."""
    owner.ask(type="share", robotId="r1", userId="olga", until=world.now + 1000)
    if ends_by == "its end":
        world.pass_seconds(2)
    else:
        user = {"unshare": "olga", "transfer": "bob"}.get(ends_by)
        owner.ask(type=ends_by, robotId="r1", **({"userId": user} if user else {}))
        world.robot("r1", user if ends_by == "transfer" and user else "owner")
    olga = world.connect("olga")

    assert olga.refused(type="accept-share", robotId="r1") == (403, "forbidden")
    assert "offered" not in olga.ask(type="robots")


@pytest.mark.usefixtures("robot")
def test_an_owner_has_a_quota_of_offers(world: World, owner: Peer) -> None:
    """Over all robots; the error names field and limit. What is accepted or withdrawn is free."""
    for number in range(2):
        world.robot(f"many-{number}", "owner")
        for user in range(OFFERS // 2):
            world.offer_share(f"many-{number}", f"user-{user}", "owner")

    reply = owner.ask(type="share", robotId="r1", userId="olga")
    assert reply["code"] == "bad_message"
    assert reply["message"].startswith(f"userId: cannot be offered: the owner has {OFFERS} offers")
    assert listed(world.connect("olga")) == []

    owner.ask(type="unshare", robotId="many-0", userId="user-0")
    assert owner.ask(type="share", robotId="r1", userId="olga")["type"] == "ack"
    assert owner.refused(type="share", robotId="r1", userId="bob") == (400, "bad_message")
    accepts(world, "olga")
    assert owner.ask(type="share", robotId="r1", userId="bob")["type"] == "ack"


def test_a_stranger_fills_no_ones_list_and_sends_no_one_anything(world: World, owner: Peer) -> None:
    """121 robots, each offered to the victim, who hears of none and sees fifty at most, apart."""
    del owner
    victim = world.connect("victim")
    victim.ask(type="watch")
    mallory = world.connect("mallory")
    outcomes = []
    for number in range(121):
        world.robot(f"spam-{number}", "mallory")
        outcomes.append(
            mallory.ask(type="share", robotId=f"spam-{number}", userId="victim")["type"]
        )
        mallory.offer(f"spam-{number}")

    reply = victim.ask(type="robots")
    assert victim.take() == []
    assert (reply["robots"], len(reply["offered"])) == ([], 50)
    assert outcomes == ["ack"] * OFFERS + ["error"] * 21
