"""One driver at a time, through the whole backend, on both stores."""

from tests.world import World


def test_an_offer_takes_the_lease_and_reaches_the_robot(world: World) -> None:
    """The first offer opens a session as controller, with a new epoch."""
    robot = world.robot("r1", "owner")
    driver = world.connect("owner")

    ack = driver.ask(type="offer", robotId="r1", pcId="pc1", payload={"sdp": "o"})

    assert ack["type"] == "ack"
    assert (ack["role"], ack["epoch"]) == ("controller", 2)
    (offer,) = robot.take()
    assert offer == {
        "type": "offer",
        "robotId": "r1",
        "sessionId": ack["sessionId"],
        "person": {"userId": "owner", "name": "Owner"},
        "role": "controller",
        "epoch": 2,
        "right": {"drive": True, "owner": True, "rightSeconds": driver.seconds_left},
        "pcId": "pc1",
        "payload": {"sdp": "o"},
    }


def test_an_answer_comes_back_to_the_driver(world: World) -> None:
    """The robot's answer goes to the session's client, and the candidates both ways."""
    robot = world.robot("r1", "owner")
    driver = world.connect("owner")
    session = driver.ask(type="offer", robotId="r1", payload={"sdp": "o"})["sessionId"]

    robot.ask(type="answer", sessionId=session, payload={"sdp": "a"})
    robot.ask(type="ice-candidate", sessionId=session, payload={"candidate": "c1"})
    driver.ask(type="candidate", sessionId=session, payload={"candidate": "c2"})

    assert driver.types() == ["answer", "ice-candidate"]
    assert robot.types() == ["offer", "ice-candidate"]


def test_a_second_driver_is_refused_and_told_who_drives(world: World) -> None:
    """A held lease answers robot_busy with the holder, and changes nothing."""
    robot = world.robot("r1", "owner")
    world.connect("owner").ask(type="offer", robotId="r1", payload={"sdp": "o"})
    robot.take()
    other = world.connect("boss", groups=["Admins"])

    refused = other.ask(type="offer", robotId="r1", payload={"sdp": "o"})

    assert (other.status, refused["code"]) == (409, "robot_busy")
    assert refused["controlledBy"] == {"userId": "owner", "name": "Owner"}
    assert robot.take() == []


def test_a_takeover_moves_the_lease_and_tells_both(world: World) -> None:
    """An admin takes over: the robot learns by whom, the displaced holder that control is lost."""
    robot = world.robot("r1", "owner")
    first = world.connect("owner")
    lost = first.ask(type="offer", robotId="r1", payload={"sdp": "o"})
    robot.take()
    boss = world.connect("boss", groups=["Admins"])

    won = boss.ask(type="takeover", robotId="r1")

    assert won["epoch"] == lost["epoch"] + 1
    assert robot.take() == [
        {
            "type": "takeover",
            "robotId": "r1",
            "by": {"userId": "boss", "name": "Boss"},
            "reason": "admin",
            "sessionId": won["sessionId"],
            "epoch": won["epoch"],
            "rightSeconds": boss.seconds_left,
        }
    ]
    assert first.take() == [
        {
            "type": "control-lost",
            "robotId": "r1",
            "sessionId": lost["sessionId"],
            "by": {"userId": "boss", "name": "Boss"},
            "epoch": won["epoch"],
        }
    ]
