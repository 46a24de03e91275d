"""Sharing a robot, ending a share, and giving a robot to another owner. On both stores."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from signaling.adapters.dynamodb import DynamoStore
from signaling.wire.ids import RobotId, UserId
from tests.scenarios.between import Between
from tests.tables import CONNECTIONS, ROBOTS
from tests.tokens import signer
from tests.world import Peer, World

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SDP = {"sdp": "o"}


@pytest.fixture
def robot(world: World) -> Peer:
    """A robot that is shared with nobody."""
    return world.robot("r1", "owner")


@pytest.fixture
def owner(world: World, robot: Peer) -> Peer:
    """Its owner, in a page."""
    assert robot.frames == []
    return world.connect("owner")


def shares(owner: Peer, *users: str) -> None:
    """Share r1 with these users."""
    for user in users:
        owner.ask(type="share", robotId="r1", userId=user)


def listed(peer: Peer) -> list[tuple[str, str]]:
    """Return each robot of a user's list, and what they are to it."""
    return [(each["robotId"], each["relation"]) for each in peer.ask(type="robots")["robots"]]


@pytest.mark.usefixtures("robot")
def test_an_operator_lists_watches_and_drives(world: World, owner: Peer) -> None:
    """A share is all that it takes; the reply names every operator."""
    olga = world.connect("olga")
    refused = olga.refused(type="offer", robotId="r1", payload=SDP)

    first = owner.ask(type="share", robotId="r1", userId="olga")
    second = owner.ask(type="share", robotId="r1", userId="bob")

    assert refused == (403, "forbidden")
    assert first == {"type": "ack", "replyTo": "q", "operators": ["olga"]}
    assert second["operators"] == ["bob", "olga"]
    assert listed(olga) == [("r1", "operator")]
    assert olga.offer()["role"] == "controller"
    assert world.connect("bob").offer(role="viewer")["role"] == "viewer"


@pytest.mark.usefixtures("robot")
def test_sharing_twice_is_sharing_once(world: World, owner: Peer) -> None:
    """And so is ending it twice."""
    shares(owner, "olga", "olga")
    shared = world.stored()
    assert world.item().operators == {"olga"}

    shares(owner, "olga")
    assert world.stored() == shared
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

    left = {
        "type": "peer-left",
        "robotId": "r1",
        "sessionId": session,
        "reason": "evicted",
        "epoch": 3,
    }
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


def test_control_that_is_granted_while_the_share_ends_ends_too(
    crossing: World, between: Between
) -> None:
    """And a place that is taken meanwhile."""
    robot = crossing.robot("r1", "owner")
    owner, driver = crossing.connect("owner"), crossing.connect("owner")
    shares(owner, "olga")
    driver.offer()
    olga, second = crossing.connect("olga"), crossing.connect("olga")
    asking = olga.offer(role="viewer")["sessionId"]

    def meanwhile() -> None:
        driver.ask(type="grant-control", robotId="r1", sessionId=asking)
        second.offer(role="viewer")

    between.before_robot = meanwhile
    owner.ask(type="unshare", robotId="r1", userId="olga")

    item = crossing.item()
    assert (item.operators, item.controller) == (frozenset(), None)
    assert [each.user_id for each in item.viewers.values()] == ["owner"]
    assert "peer-left" in olga.types()
    assert second.types() == ["peer-left"]
    assert robot.take()[-1]["type"] == "peer-left"


def test_a_new_owner_has_the_robot_and_the_old_one_has_not(
    world: World, robot: Peer, owner: Peer
) -> None:
    """Sessions and presence end; operators stay, but for the new owner."""
    shares(owner, "olga", "bob")
    session = owner.offer()["sessionId"]
    robot.take()

    ack = owner.ask(type="transfer", robotId="r1", userId="bob")

    left = {
        "type": "peer-left",
        "robotId": "r1",
        "sessionId": session,
        "reason": "evicted",
        "epoch": 3,
    }
    assert ack == {"type": "ack", "replyTo": "q"}
    assert (owner.take(), robot.take()) == ([left], [left])
    item = world.item()
    assert item.owner_user_id == "bob"
    assert item.operators == {"olga"}
    assert (item.connection_id, item.controller, item.epoch) == (None, None, 3)
    assert listed(owner) == []
    assert listed(world.connect("bob")) == [("r1", "owner")]
    assert listed(world.connect("olga")) == [("r1", "operator")]
    assert owner.refused(type="register", robotId="r1")[1] == "forbidden"
    assert world.connect("owner").refused(type="register", robotId="r1")[1] == "owned_by_another"
    assert robot.refused(type="ping", robotId="r1") == (404, "not_registered")


def test_giving_a_robot_to_its_owner_changes_nothing(
    world: World, robot: Peer, owner: Peer
) -> None:
    """Nor does repeating it."""
    before = world.stored()

    assert owner.ask(type="transfer", robotId="r1", userId="owner")["type"] == "ack"
    assert (world.stored(), robot.frames) == (before, [])


def test_a_seed_robot_that_is_given_away_is_closed(world: World) -> None:
    """It can be told nothing."""
    robot = world.robot("r1", "owner", v1=False)

    world.connect("owner").ask(type="transfer", robotId="r1", userId="bob")

    assert not robot.is_open


class _Late(DynamoStore):
    """A store in which something happens right before the note of a share is dropped."""

    before_drop: Callable[[], object] = staticmethod(lambda: None)

    def drop_share(self, robot: RobotId, user: UserId) -> None:
        """Drop the note, after what comes before it, once."""
        happening, self.before_drop = self.before_drop, lambda: None
        happening()
        super().drop_share(robot, user)


def test_a_share_that_crosses_an_unshare_is_listed(dynamodb: "DynamoDBClient") -> None:
    """Whichever of the two drops or makes the note last."""
    store = _Late(dynamodb, CONNECTIONS, ROBOTS)
    world = World(store, signer())
    world.robot("r1", "owner")
    owner, second = world.connect("owner"), world.connect("owner")
    shares(owner, "olga")
    store.before_drop = lambda: shares(second, "olga")

    owner.ask(type="unshare", robotId="r1", userId="olga")

    assert world.item().operators == {"olga"}
    assert listed(world.connect("olga")) == [("r1", "operator")]


@pytest.mark.usefixtures("robot")
def test_a_robot_that_is_forgotten_is_shared_with_nobody(world: World, owner: Peer) -> None:
    """Whoever registers its id next shares it anew."""
    shares(owner, "olga")
    owner.ask(type="forget", robotId="r1")
    world.robot("r1", "eve")

    assert listed(world.connect("olga")) == []
    assert world.item().operators == frozenset()


def test_an_unshare_that_was_cut_off_is_finished_by_the_next(
    crossing: World, between: Between
) -> None:
    """A place that was taken between its look and its write, when AWS was too busy for more."""
    crossing.robot("r1", "owner")
    owner, olga = crossing.connect("owner"), crossing.connect("olga")
    shares(owner, "olga")

    def meanwhile() -> None:
        olga.offer(role="viewer")
        between.throttle(after=1)

    between.before_robot = meanwhile

    refused = owner.refused(type="unshare", robotId="r1", userId="olga")
    left_over = len(crossing.item().viewers)
    between.throttle(after=None)
    ack = owner.ask(type="unshare", robotId="r1", userId="olga")

    assert (refused, left_over) == ((503, "try_again"), 1)
    assert (ack["operators"], crossing.item().viewers) == ([], {})
    assert olga.types() == ["peer-left"]


def test_who_goes_to_and_fro_cannot_keep_the_share(crossing: World, between: Between) -> None:
    """The right goes first: after that control can be given up, and not taken again."""
    crossing.robot("r1", "owner")
    owner, olga = crossing.connect("owner"), crossing.connect("olga")
    shares(owner, "olga")
    olga.offer()

    def to_and_fro() -> None:
        held = crossing.item().controller is not None
        olga.ask(type="release-control" if held else "request-control", robotId="r1")
        between.before_robot = to_and_fro

    between.before_robot = to_and_fro
    ack = owner.ask(type="unshare", robotId="r1", userId="olga")

    assert ack["operators"] == []
    assert list(crossing.item().sessions()) == []


def test_many_notes_of_robots_that_are_shared_no_more_do_no_harm(
    dynamo_store: DynamoStore,
) -> None:
    """The list comes in short pages, and to an end."""
    world = World(dynamo_store, signer())
    bob = world.connect("bob")
    for number in range(49):
        world.robot(f"own{number:02}", "bob")
    for number in range(60):
        world.robot(f"past{number:02}", "eve")
        dynamo_store.note_share(RobotId(f"past{number:02}"), UserId("bob"))

    found, cursor, pages = [], None, 0
    while pages == 0 or cursor is not None:
        more: dict[str, Any] = {} if cursor is None else {"cursor": cursor}
        reply = bob.ask(type="robots", **more)
        found += reply["robots"]
        cursor, pages = reply.get("cursor"), pages + 1

    assert [each["relation"] for each in found] == ["owner"] * 49
    assert pages > 1


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
        ("operators changed", "shared", "owner", "olga", "owner"),
        ("operators changed", "unshared", "owner", "olga", "owner"),
        ("control changed", "transferred", "owner", None, "bob"),
    ]
