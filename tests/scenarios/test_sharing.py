"""Sharing a robot, and ending a share. On both stores."""

import pytest

from tests.scenarios.shares import accepts, evicted, listed, shares
from tests.world import Peer, World

SDP = {"sdp": "o"}


@pytest.mark.usefixtures("robot")
def test_an_operator_lists_watches_and_drives(world: World, owner: Peer) -> None:
    """An accepted share is all that it takes; the reply names every operator and share."""
    olga = world.connect("olga")
    refused = olga.refused(type="offer", robotId="r1", payload=SDP)

    first = owner.ask(type="share", robotId="r1", userId="olga")
    accepts(world, "olga")
    second = owner.ask(type="share", robotId="r1", userId="bob")
    accepts(world, "bob")

    offered = {"userId": "olga", "role": "operator", "offered": True}
    assert refused == (403, "forbidden")
    assert first == {"type": "ack", "replyTo": "q", "operators": [], "shares": [offered]}
    assert second["operators"] == ["olga"]
    assert [each["userId"] for each in second["shares"]] == ["olga", "bob"]
    assert listed(olga) == [("r1", "operator")]
    assert olga.offer()["role"] == "controller"
    assert world.connect("bob").offer(role="viewer")["role"] == "viewer"


@pytest.mark.usefixtures("robot")
def test_sharing_twice_is_sharing_once(world: World, owner: Peer) -> None:
    """And so is ending it twice."""
    shares(owner, "olga", "olga")
    shared = world.item()
    assert shared.operators == {"olga"}

    shares(owner, "olga")
    assert world.item() == shared
    acks = [owner.ask(type="unshare", robotId="r1", userId="olga") for _ in range(2)]

    assert [ack["operators"] for ack in acks] == [[], []]
    assert listed(world.connect("olga")) == []


@pytest.mark.parametrize("kind", ["share", "unshare", "transfer"])
@pytest.mark.usefixtures("robot")
def test_only_the_owner_and_admins_decide(world: World, owner: Peer, kind: str) -> None:
    """An operator and a stranger do not; of a robot that is not there they hear the same."""
    shares(owner, "olga")
    before = world.item()
    olga, eve = world.connect("olga"), world.connect("eve")

    refused = [
        peer.refused(type=kind, robotId=robot, userId="olga")
        for peer in (olga, eve)
        for robot in ("r1", "r9")
    ]

    assert refused == [(403, "forbidden")] * 4
    assert world.item() == before
    boss = world.connect("boss", groups=["ADMINS"])
    assert boss.ask(type=kind, robotId="r1", userId="bob")["type"] == "ack"


@pytest.mark.usefixtures("robot")
def test_owner_and_admins_read_who_has_which_right(world: World, owner: Peer) -> None:
    """Shares, offers and what has ended by now; it changes nothing."""
    ends = world.now + 1000
    shares(owner, "olga")
    owner.ask(type="share", robotId="r1", userId="vic", role="viewer", until=ends)
    boss = world.connect("boss", groups=["ADMINS"])
    boss.ask(type="share", robotId="r1", group="crew")
    before = world.item()
    world.pass_seconds(2)

    replies = [peer.ask(type="shares", robotId="r1") for peer in (owner, boss)]

    assert {(reply["type"], reply["robotId"]) for reply in replies} == {("shares", "r1")}
    for reply in replies:
        assert sorted(reply["shares"], key=str) == [
            {"group": "crew", "role": "operator"},
            {"userId": "olga", "role": "operator"},
            {"userId": "vic", "role": "viewer", "until": ends, "offered": True},
        ]
    assert world.item() == before


@pytest.mark.usefixtures("robot")
def test_an_operator_and_a_stranger_do_not_read_the_shares(world: World, owner: Peer) -> None:
    """Of a robot that is not there they hear the same."""
    shares(owner, "olga")
    others = [world.connect("olga"), world.connect("eve")]

    refused = [
        peer.refused(type="shares", robotId=robot) for peer in others for robot in ("r1", "r9")
    ]

    assert refused == [(403, "forbidden")] * 4


@pytest.mark.parametrize("user", ["", "#admins", "x" * 129, "o\u00e9", 7])
@pytest.mark.usefixtures("robot")
def test_a_user_id_that_is_none_is_refused(owner: Peer, user: object) -> None:
    """By the name of the field."""
    reply = owner.ask(type="share", robotId="r1", userId=user)

    assert (reply["code"], reply["message"].partition(":")[0]) == ("bad_message", "userId")


@pytest.mark.usefixtures("robot")
def test_the_owner_is_no_operator(world: World, owner: Peer) -> None:
    """Ending that share would end the owner's sessions."""
    before = world.stored()

    assert owner.refused(type="share", robotId="r1", userId="owner") == (400, "bad_message")
    assert world.stored() == before


@pytest.mark.usefixtures("robot")
def test_a_robot_has_fifty_operators_at_most(world: World, owner: Peer) -> None:
    """The next is refused and leaves nothing; one of the fifty may be shared with again."""
    for number in range(50):
        world.share("r1", f"user-{number}")

    assert owner.refused(type="share", robotId="r1", userId="olga") == (400, "bad_message")
    shares(owner, "user-7")

    assert len(world.item().operators) == 50
    assert listed(world.connect("olga")) == []


def test_an_operator_who_drives_loses_the_lease_with_the_share(
    world: World, robot: Peer, owner: Peer
) -> None:
    """The session ends at a new epoch; driver, robot and viewers are told."""
    shares(owner, "olga")
    olga = world.connect("olga")
    session = olga.offer()["sessionId"]
    owner.offer(role="viewer")
    robot.take()

    ack = owner.ask(type="unshare", robotId="r1", userId="olga")

    left = evicted(session, epoch=3)
    assert ack["operators"] == []
    assert (world.item().controller, world.item().epoch) == (None, 3)
    assert (olga.take(), robot.take()) == ([left], [left])
    assert owner.take() == [{"type": "control", "robotId": "r1", "epoch": 3}]
    assert olga.refused(type="offer", robotId="r1", payload=SDP) == (403, "forbidden")
    assert olga.refused(type="ice-candidate", sessionId=session, candidate="c")[0] == 403


def test_an_operator_who_watches_loses_every_place(world: World, robot: Peer, owner: Peer) -> None:
    """Others stay, and so does the lease."""
    shares(owner, "olga", "bob")
    driver = world.connect("bob")
    driver.offer()
    pages = [world.connect("olga"), world.connect("olga")]
    for page in pages:
        page.offer(role="viewer")
    watching = world.connect("bob")
    watching.offer(role="viewer")
    robot.take()

    owner.ask(type="unshare", robotId="r1", userId="olga")

    item = world.item()
    assert ([each.user_id for each in item.viewers.values()], item.epoch) == (["bob"], 2)
    assert [page.types() for page in pages] == [["peer-left"], ["peer-left"]]
    assert robot.types() == ["peer-left", "peer-left"]
    assert (driver.frames, watching.frames) == ([], [])


@pytest.mark.usefixtures("robot")
def test_a_robot_that_is_forgotten_is_not_shared(world: World, owner: Peer) -> None:
    """The user who registers its id next shares it again."""
    shares(owner, "olga")
    owner.ask(type="forget", robotId="r1")
    world.robot("r1", "eve")

    assert listed(world.connect("olga")) == []
    assert world.item().operators == frozenset()


def test_who_may_drive_and_who_may_not_any_more_is_in_the_audit_log(
    local_world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Who shared which robot with whom, ended that, or gave the robot to another owner."""
    local_world.robot("r1", "owner")
    owner = local_world.connect("owner")
    caplog.set_level("INFO", "signaling.audit")

    shares(owner, "olga")
    owner.ask(type="unshare", robotId="r1", userId="olga")
    owner.ask(type="transfer", robotId="r1", userId="bob")

    said = [
        (line.getMessage(), *(getattr(line, name) for name in ("reason", "by", "whom", "owner")))
        for line in caplog.records
    ]
    assert said == [
        ("shares changed", "offered", "owner", "olga", "owner"),
        ("shares changed", "accepted", "olga", "olga", "owner"),
        ("shares changed", "unshared", "owner", "olga", "owner"),
        ("control changed", "transferred", "owner", None, "bob"),
    ]


@pytest.mark.usefixtures("robot")
def test_an_owner_who_ends_a_share_with_themselves_loses_nothing(world: World, owner: Peer) -> None:
    """They have the robot by no share; an admin cannot take it from them so, either."""
    owner.offer()
    before = world.item()
    boss = world.connect("boss", groups=["ADMINS"])

    acks = [each.ask(type="unshare", robotId="r1", userId="owner") for each in (owner, boss)]

    assert [ack["operators"] for ack in acks] == [[], []]
    assert (world.item(), owner.frames) == (before, [])
