"""Shares by role, with an end, and with a group. On both stores."""

import pytest

from tests.scenarios.shares import accepts, listed, shares
from tests.world import Frame, Peer, World

SDP = {"sdp": "o"}
HOUR = 3_600_000


def shares_viewing(owner: Peer, user: str, **more: object) -> None:
    """Share r1 with a user who may only view, and accepts that."""
    assert owner.ask(type="share", robotId="r1", userId=user, role="viewer", **more)
    accepts(owner.world, user)


def kinds(frames: list[Frame]) -> list[str]:
    """Return the types of frames."""
    return [frame["type"] for frame in frames]


@pytest.mark.usefixtures("robot")
def test_a_viewer_by_right_views_and_never_drives(world: World, owner: Peer) -> None:
    """Whatever takes the lease is forbidden; a viewer's session is as anybody's."""
    shares_viewing(owner, "vic")
    vic = world.connect("vic")

    assert listed(vic) == [("r1", "viewer")]
    assert vic.refused(type="offer", robotId="r1", payload=SDP) == (403, "forbidden")
    assert vic.refused(type="takeover", robotId="r1") == (403, "forbidden")
    opened = vic.offer(role="viewer")
    assert opened["role"] == "viewer"
    refused = [vic.refused(type=kind, robotId="r1") for kind in ("request-control", "takeover")] + [
        vic.refused(type="offer", robotId="r1", role="controller", payload=SDP)
    ]
    assert refused == [(403, "forbidden")] * 3
    assert vic.ask(type="ice-candidate", robotId="r1", candidate="c")["type"] == "ack"
    again = world.connect("vic")
    assert again.ask(type="resume", sessionId=opened["sessionId"])["role"] == "viewer"
    assert again.ask(type="bye", robotId="r1")["type"] == "ack"
    assert world.item().controller is None


def test_a_viewer_by_right_is_granted_no_control(world: World, robot: Peer, owner: Peer) -> None:
    """The holder is told so; the robot is told of no right to drive."""
    shares_viewing(owner, "vic")
    owner.offer()
    vic = world.connect("vic")
    session = vic.offer(role="viewer")["sessionId"]

    assert owner.refused(type="grant-control", robotId="r1", sessionId=session) == (
        403,
        "forbidden",
    )
    assert [frame["right"]["drive"] for frame in robot.take() if "right" in frame] == [True, False]
    holder = world.item().controller
    assert holder is not None
    assert holder.user_id == "owner"


def test_an_operator_who_may_only_view_by_now_loses_the_lease(
    world: World, robot: Peer, owner: Peer
) -> None:
    """In the same write; a session that only views stays."""
    shares(owner, "olga")
    olga, watching = world.connect("olga"), world.connect("olga")
    session = olga.offer()["sessionId"]
    watching.offer(role="viewer")
    robot.take()

    ack = owner.ask(type="share", robotId="r1", userId="olga", role="viewer")

    item = world.item()
    assert ack["operators"] == []
    assert ack["shares"] == [{"userId": "olga", "role": "viewer"}]
    assert (item.controller, item.epoch, len(item.viewers)) == (None, 3, 1)
    left = {
        "type": "peer-left",
        "robotId": "r1",
        "sessionId": session,
        "reason": "evicted",
        "epoch": 3,
    }
    assert (olga.take(), robot.take()) == ([left], [left])
    assert kinds(watching.take()) == ["control"]
    assert watching.refused(type="request-control", robotId="r1") == (403, "forbidden")


@pytest.mark.usefixtures("robot")
def test_a_viewer_who_may_drive_by_now_needs_no_acceptance(world: World, owner: Peer) -> None:
    """The share is accepted already; the next offer as controller is carried out."""
    shares_viewing(owner, "vic")

    ack = owner.ask(type="share", robotId="r1", userId="vic")

    assert ack["operators"] == ["vic"]
    assert world.connect("vic").offer()["role"] == "controller"


@pytest.mark.parametrize("role", ["controller", "viewer"])
def test_after_its_end_a_share_gives_no_right(world: World, owner: Peer, role: str) -> None:
    """Nothing runs at that time: session, relays, lists and TURN are judged by the clock."""
    robot = world.robot("r1", "owner")
    until = world.now + 30_000
    owner.ask(type="share", robotId="r1", userId="olga", until=until)
    accepts(world, "olga")
    olga = world.connect("olga")
    session = olga.offer(role=role)["sessionId"]
    robot.take()
    (entry,) = olga.ask(type="robots")["robots"]

    world.pass_seconds(20)
    assert olga.ask(type="ping", sessionId=session)["role"] == role
    held = world.item().session(session)
    assert held is not None
    assert (entry["until"], held[0].until, held[0].right_until) == (until, until, until)
    world.pass_seconds(11)

    assert olga.ask(type="ping", sessionId=session)["code"] == "no_session"
    assert olga.refused(type="ice-candidate", sessionId=session, candidate="c")[0] == 403
    assert olga.refused(type="offer", robotId="r1", payload=SDP) == (403, "forbidden")
    assert robot.refused(type="answer", sessionId=session, payload=SDP) == (404, "no_session")
    assert listed(olga) == []
    assert robot.take() == []
    assert owner.offer()["role"] == "controller"
    assert "control" not in kinds(olga.take())


def test_the_robot_is_told_of_the_sooner_end(world: World, robot: Peer, owner: Peer) -> None:
    """Of token and share; when the share goes on, it is told at the renewal before the end."""
    owner.ask(type="share", robotId="r1", userId="olga", until=world.now + 30_000)
    accepts(world, "olga")
    olga = world.connect("olga")
    session = olga.offer()["sessionId"]
    (offered,) = robot.take()
    assert 28 <= offered["right"]["rightSeconds"] <= 30

    owner.ask(type="share", robotId="r1", userId="olga", until=world.now + HOUR // 2)
    world.pass_seconds(20)
    assert olga.ask(type="ping", sessionId=session)["role"] == "controller"

    (told,) = robot.take()
    assert 1770 <= told["rightSeconds"] <= 1800
    world.pass_seconds(59)
    assert world.item().holder(world.now) is not None


@pytest.mark.usefixtures("robot")
def test_a_sooner_end_ends_sessions_that_it_does_not_cover(world: World, owner: Peer) -> None:
    """They were to last longer; the user opens others, which end in time."""
    shares(owner, "olga")
    olga = world.connect("olga")
    olga.offer()
    until = world.now + 40_000

    owner.ask(type="share", robotId="r1", userId="olga", until=until)

    assert kinds(olga.take()) == ["peer-left"]
    assert world.item().controller is None
    olga.offer()
    holder = world.item().controller
    assert holder is not None
    assert holder.until == until


@pytest.mark.parametrize("seconds", [0, -1, 366 * 24 * 3600 + 1])
@pytest.mark.usefixtures("robot")
def test_an_end_is_in_the_future_and_within_a_year(world: World, owner: Peer, seconds: int) -> None:
    """The error names the field and the limit."""
    until = world.now + seconds * 1000
    reply = owner.ask(type="share", robotId="r1", userId="olga", until=until)

    assert reply["message"] == "until: must be in the future, and at most 366 days from now"


@pytest.mark.usefixtures("robot")
def test_a_share_that_has_ended_is_removed_by_the_next(world: World, owner: Peer) -> None:
    """And one made again after its end is an offer."""
    owner.ask(type="share", robotId="r1", userId="olga", until=world.now + 1000)
    accepts(world, "olga")
    world.pass_seconds(2)

    ack = owner.ask(type="share", robotId="r1", userId="bob")

    assert [each["userId"] for each in ack["shares"]] == ["bob"]
    assert world.item().ends == {}
    ack = owner.ask(type="share", robotId="r1", userId="olga")
    assert {each["userId"]: each.get("offered") for each in ack["shares"]} == {
        "bob": True,
        "olga": True,
    }


def test_a_groups_members_have_its_share(world: World, owner: Peer, robot: Peer) -> None:
    """By their tokens, without an acceptance; others do not, and a member cannot end it."""
    boss = world.connect("boss", groups=["ADMINS"])
    until = world.now + HOUR
    ack = boss.ask(type="share", robotId="r1", group="crew", until=until)
    olga = world.connect("olga", groups=["staff", "crew"])
    eve = world.connect("eve", groups=["staff"])

    assert ack["operators"] == []
    assert ack["shares"] == [{"group": "crew", "role": "operator", "until": until}]
    (entry,) = olga.ask(type="robots")["robots"]
    assert (entry["relation"], entry["group"]) == ("operator", "crew")
    assert listed(eve) == []
    assert olga.offer()["role"] == "controller"
    assert eve.refused(type="offer", robotId="r1", payload=SDP) == (403, "forbidden")
    assert olga.refused(type="leave-share", robotId="r1") == (403, "forbidden")
    assert world.connect("olga").refused(type="offer", robotId="r1", payload=SDP)[0] == 403
    robot.take()

    boss.ask(type="unshare", robotId="r1", group="crew")

    assert kinds(olga.take()) == ["peer-left"]
    assert kinds(robot.take()) == ["peer-left"]
    assert listed(olga) == []
    assert owner.offer()["role"] == "controller"


@pytest.mark.usefixtures("robot")
def test_the_end_of_a_groups_share_leaves_other_rights(world: World, owner: Peer) -> None:
    """A session by the user's own share, or another group's, is not the group's."""
    boss = world.connect("boss", groups=["ADMINS"])
    for group in ("crew", "staff"):
        boss.ask(type="share", robotId="r1", group=group)
    shares(owner, "olga")
    olga = world.connect("olga", groups=["crew"])
    olga.offer()
    sam = world.connect("sam", groups=["staff"])
    sam.offer(role="viewer")

    boss.ask(type="unshare", robotId="r1", group="crew")
    boss.ask(type="unshare", robotId="r1", userId="olga")

    assert (kinds(olga.take()), kinds(sam.take())) == (["peer-left"], ["control"])


@pytest.mark.usefixtures("robot")
def test_an_owner_shares_with_own_groups_only(world: World, owner: Peer) -> None:
    """Members are not asked, so a stranger must not fill their lists; an admin may."""
    reply = owner.ask(type="share", robotId="r1", group="crew")
    member = world.connect("owner", groups=["crew"])

    assert reply["code"] == "bad_message"
    assert reply["message"].startswith("group: must be a group of your token")
    assert member.ask(type="share", robotId="r1", group="crew")["type"] == "ack"


@pytest.mark.usefixtures("robot")
def test_members_who_watch_are_told_of_changes(world: World, owner: Peer) -> None:
    """Once for each connection, however many shares it has the robot by; then no more."""
    boss = world.connect("boss", groups=["ADMINS"])
    boss.ask(type="share", robotId="r1", group="crew", role="viewer")
    boss.ask(type="share", robotId="r1", group="staff")
    shares(owner, "olga")
    olga = world.connect("olga", groups=["staff", "crew"])
    sam = world.connect("sam", groups=["crew"])
    for peer in (olga, sam):
        peer.ask(type="watch")

    owner.offer()
    assert (kinds(olga.take()), kinds(sam.take())) == (["presence"], ["presence"])
    sam.ask(type="unwatch")
    olga.disconnect()
    owner.ask(type="bye", robotId="r1")

    assert (olga.take(), sam.take()) == ([], [])


@pytest.mark.usefixtures("robot")
def test_the_first_twenty_groups_count(world: World) -> None:
    """How many are left out is told; an admin stays one."""
    boss = world.connect("boss", groups=["ADMINS"])
    for group in ("g19", "g20"):
        boss.ask(type="share", robotId="r1", group=group)
    many = [f"g{number}" for number in range(25)]
    late = world.connect("late", groups=[*many[:19], *many[20:], "Admins"])
    olga = world.connect("olga", groups=many)

    assert olga.ask(type="ready", protocol=1)["groupsLeftOut"] == 5
    assert listed(olga) == [("r1", "operator")]
    assert late.ask(type="robots", all=True)["type"] == "robots"
    assert olga.ask(type="robots")["robots"][0]["group"] == "g19"


@pytest.mark.usefixtures("robot")
def test_an_item_of_before_has_shares_that_are_accepted(world: World) -> None:
    """As the former version wrote it, without ends."""
    world.share("r1", "olga")

    assert world.item().ends is None
    assert world.connect("olga").offer()["role"] == "controller"
