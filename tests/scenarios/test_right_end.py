"""What the robot is told of the driver's right: what it allows, and for how many seconds."""

from typing import Any

import pytest

from robosignal.protocol.errors import TryAgain
from tests.scenarios.between import Between
from tests.world import Frame, World

HOUR_S = 3600


def said(frames: list[Frame], kind: str) -> list[Any]:
    """Return what frames of this kind say of the right's seconds, None where they are silent."""
    return [frame.get("rightSeconds") for frame in frames if frame["type"] == kind]


@pytest.mark.parametrize("role", ["controller", "viewer"])
@pytest.mark.parametrize(("user", "owns"), [("owner", True), ("olga", False), ("boss", False)])
def test_an_offer_has_its_senders_right(world: World, user: str, role: str, *, owns: bool) -> None:
    """In the first one and in each that renegotiates; a claim of the sender's own is dropped."""
    robot = world.robot("r1", "owner")
    world.share("r1", "olga")
    client = world.connect(user, groups=["ADMINS"] if user == "boss" else [], ttl_s=600)
    claim = {"drive": True, "owner": True, "rightSeconds": 9000}

    client.offer(role=role, right=claim, rightSeconds=9000)
    first, seconds = robot.take(), client.seconds_left
    world.pass_seconds(100)
    client.offer(role=role, right=claim)
    second = robot.take()

    right = {"drive": True, "owner": owns}
    assert [each["right"] for each in first] == [{**right, "rightSeconds": seconds}]
    assert [each["right"] for each in second] == [{**right, "rightSeconds": seconds - 100}]
    assert said(first, "offer") == [None]


def test_other_relayed_frames_say_nothing_of_it(world: World) -> None:
    """A candidate does not, nor does what goes to the client, an offer of the robot's included."""
    robot = world.robot("r1", "owner")
    client = world.connect("owner")
    session = client.offer()["sessionId"]
    robot.take()
    client.ask(type="ice-candidate", sessionId=session, payload={"candidate": "c"})
    for kind in ("offer", "answer"):
        robot.ask(type=kind, sessionId=session, payload={"sdp": "a"})

    frames = robot.take() + client.take()

    assert [frame["type"] for frame in frames] == ["ice-candidate", "offer", "answer"]
    assert not any("right" in frame or "rightSeconds" in frame for frame in frames)


def test_a_takeover_tells_the_seconds_of_who_took_over(world: World) -> None:
    """The robot learns them, and neither the displaced driver nor a viewer does."""
    robot = world.robot("r1", "owner")
    driver, viewer = world.connect("owner"), world.connect("owner")
    driver.offer()
    viewer.offer(role="viewer")
    robot.take()
    boss = world.connect("boss", groups=["ADMIN"], ttl_s=600)

    boss.ask(type="takeover", robotId="r1")

    assert said(robot.take(), "takeover") == [boss.seconds_left]
    assert said(driver.take(), "control-lost") == said(viewer.take(), "control") == [None]


@pytest.mark.parametrize("how", ["grant-control", "request-control"])
def test_a_handover_tells_the_seconds_of_the_new_holder(world: World, how: str) -> None:
    """The robot alone learns them: by a grant, and as a viewer takes the lease that is free."""
    robot = world.robot("r1", "owner")
    driver, viewer = world.connect("owner"), world.connect("owner", ttl_s=600)
    others = [driver, viewer, world.connect("owner")]
    driver.offer()
    watching = viewer.offer(role="viewer")["sessionId"]
    others[2].offer(role="viewer")
    if how == "grant-control":
        robot.take()
        driver.ask(type=how, robotId="r1", sessionId=watching)
    else:
        driver.ask(type="release-control", robotId="r1")
        assert said(robot.take(), "control") == [None]
        viewer.send(type=how, robotId="r1")

    assert said(robot.take(), "control") == [viewer.seconds_left]
    assert {seconds for each in others for seconds in said(each.take(), "control")} == {None}


def test_a_robots_ping_and_registration_tell_the_holders_seconds(world: World) -> None:
    """They count down, stop at 0, and are left out where there is no holder."""
    robot = world.robot("r1", "owner")
    free = robot.ask(type="ping", robotId="r1")["control"]
    driver = world.connect("owner", ttl_s=100)
    had = driver.offer()
    instance = world.item().instance_id

    seconds = []
    for passed in (0, 60, 39, 2):
        world.pass_seconds(passed)
        pong = robot.ask(type="ping", robotId="r1")["control"]
        seconds.append(pong["rightSeconds"])
        registered = robot.ask(type="register", robotId="r1", instanceId=instance)
        assert registered["control"] == pong
        assert [each["rightSeconds"] for each in registered["sessions"]] == seconds[-1:]

    rest = driver.seconds_left + 101
    assert "rightSeconds" not in free
    assert (pong["epoch"], pong["sessionId"]) == (had["epoch"], had["sessionId"])
    assert seconds == [rest, rest - 60, rest - 99, 0]


def test_a_ping_and_a_registration_tell_the_seconds_of_every_session(world: World) -> None:
    """Of seed clients' too; a renewed token is told by the next of each, and no frame more."""
    robot = world.robot("r1", "owner")
    world.share("r1", "olga")
    driver = world.connect("owner", v1=False, ttl_s=600)
    driver.send(type="offer", to="r1", sdp="o")
    old = world.connect("olga", ttl_s=100)
    watching = old.offer(role="viewer")["sessionId"]
    driving = world.item().controller
    assert driving is not None
    world.pass_seconds(90)
    robot.take()
    new = world.connect("olga", ttl_s=300)

    before = robot.ask(type="ping", robotId="r1")["sessions"]
    new.ask(type="resume", sessionId=watching)
    told = robot.take()
    after = robot.ask(type="ping", robotId="r1")["sessions"]
    registered = robot.ask(type="register", robotId="r1", instanceId=world.item().instance_id)

    holds = {"sessionId": driving.session_id, "rightSeconds": driver.seconds_left}
    assert told == []
    assert before == [holds, {"sessionId": watching, "rightSeconds": old.seconds_left}]
    assert after == [holds, {"sessionId": watching, "rightSeconds": new.seconds_left}]
    assert [
        {name: each[name] for name in ("sessionId", "rightSeconds")}
        for each in registered["sessions"]
    ] == after


def test_a_user_who_may_not_drive_any_more_has_no_seconds(world: World) -> None:
    """What takes the right away ends the session, and the token of a later one renews nothing."""
    robot = world.robot("r1", "owner")
    world.share("r1", "olga")
    watching = world.connect("olga", ttl_s=100).offer(role="viewer")["sessionId"]
    boss = world.connect("boss", groups=["ADMINS"], ttl_s=100)
    looking = boss.offer(role="viewer")["sessionId"]

    world.connect("owner").ask(type="unshare", robotId="r1", userId="olga")
    former = world.connect("boss", ttl_s=900)

    assert world.connect("olga").refused(type="resume", sessionId=watching)[0] in {403, 404}
    assert former.refused(type="resume", sessionId=looking)[0] in {403, 404}
    assert robot.ask(type="ping", robotId="r1")["sessions"] == [
        {"sessionId": looking, "rightSeconds": boss.seconds_left}
    ]


def test_a_clients_pong_says_nothing_of_it(world: World) -> None:
    """The `welcome` has told the client when its token expires."""
    world.robot("r1", "owner")
    driver = world.connect("owner")
    session = driver.offer()["sessionId"]

    pong = driver.ask(type="ping", sessionId=session)

    assert not {"rightSeconds", "sessions"} & pong.keys()


def test_a_renewed_token_is_told_at_the_resume(world: World) -> None:
    """At the same epoch: the robot's next ping may come after the end that it knows."""
    robot = world.robot("r1", "owner")
    old = world.connect("owner", ttl_s=600)
    had = old.offer()
    viewer = world.connect("owner")
    viewer.offer(role="viewer")
    robot.take()
    world.pass_seconds(540)
    new = world.connect("owner", ttl_s=600)

    assert new.ask(type="resume", sessionId=had["sessionId"]) == had
    assert robot.take() == [
        {
            "type": "control",
            "robotId": "r1",
            "epoch": had["epoch"],
            "sessionId": had["sessionId"],
            "person": {"userId": "owner", "name": "Owner"},
            "rightSeconds": new.seconds_left,
        }
    ]
    pong = robot.ask(type="ping", robotId="r1")["control"]
    assert (pong["epoch"], pong["rightSeconds"]) == (had["epoch"], new.seconds_left)
    assert viewer.take() == []


def test_a_resume_with_the_same_token_is_not_told(world: World) -> None:
    """The robot knows that end; nor is a viewer's resume told, which is no holder's."""
    robot = world.robot("r1", "owner")
    session = world.connect("owner").offer()["sessionId"]
    watching = world.connect("owner").offer(role="viewer")["sessionId"]
    robot.take()

    world.connect("owner").ask(type="resume", sessionId=session)
    world.connect("owner", ttl_s=2 * HOUR_S).ask(type="resume", sessionId=watching)

    assert robot.take() == []


@pytest.mark.parametrize("cut", ["offline", "gone", "busy"])
def test_a_resume_is_kept_where_the_robot_cannot_be_told(world: World, cut: str) -> None:
    """The robot stops at the end that it knows, and its next `pong` or `registered` tells more."""
    robot = world.robot("r1", "owner")
    had = world.connect("owner", ttl_s=600).offer()
    if cut == "offline":
        robot.disconnect()
    elif cut == "gone":
        robot.vanish()
    else:
        world.outbox.faults[robot.connection_id] = TryAgain()
    new = world.connect("owner")

    assert new.ask(type="resume", sessionId=had["sessionId"]) == had
    world.outbox.faults.clear()
    again = world.connect("owner")
    instance = world.item().instance_id
    registered = again.ask(type="register", robotId="r1", instanceId=instance)
    assert registered["control"]["rightSeconds"] == new.seconds_left


def test_a_resume_on_a_connection_that_ends_meanwhile_renews_nothing(
    crossing: World, between: Between
) -> None:
    """The robot does not hear of a longer right, and the session is in grace."""
    robot = crossing.robot("r1", "owner")
    session = crossing.connect("owner", ttl_s=600).offer()["sessionId"]
    robot.take()
    new = crossing.connect("owner")
    between.before_row = new.disconnect

    assert new.refused(type="resume", sessionId=session) == (404, "no_session")
    assert robot.take() == []


def test_a_seed_robot_is_told_nothing_new(world: World) -> None:
    """Neither in its replies nor unasked: it may stop at a field that it does not know."""
    seed = world.robot("r1", "owner", v1=False)
    had = world.connect("owner", ttl_s=600).offer()
    seed.take()
    world.connect("owner").ask(type="resume", sessionId=had["sessionId"])
    registered = seed.ask(type="register", robotId="r1")
    pong = seed.ask(type="ping", robotId="r1")

    assert seed.take() == []
    assert registered["control"] == {"epoch": had["epoch"], "sessionId": had["sessionId"]}
    assert [sorted(each) for each in registered["sessions"]] == [["person", "role", "sessionId"]]
    assert pong == {"type": "pong", "replyTo": "q"}


def test_a_seed_driver_has_a_right_too(world: World) -> None:
    """A v1 robot is told of it: a seed page's token ends as another's does."""
    robot = world.robot("r1", "owner")
    seed = world.connect("owner", v1=False, ttl_s=600)
    seed.send(type="offer", to="r1", sdp="o")

    (offer,) = robot.take()

    assert offer["right"] == {"drive": True, "owner": True, "rightSeconds": seed.seconds_left}
