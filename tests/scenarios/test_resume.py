"""Resume: a session moves to the same user's newer connection. On both stores."""

from tests.world import World


def test_a_holder_resumes_with_the_same_epoch(world: World) -> None:
    """After a redial the session drives on: same id, role and epoch, and no frame is sent."""
    robot = world.robot("r1", "owner")
    old = world.connect("owner")
    had = old.offer()
    robot.take()
    new = world.connect("owner")

    ack = new.ask(type="resume", sessionId=had["sessionId"])

    assert ack == had
    assert robot.take() == []
    robot.ask(type="answer", sessionId=had["sessionId"], payload={"sdp": "a"})
    assert (new.types(), old.types()) == (["answer"], [])


def test_a_viewer_resumes_as_a_viewer(world: World) -> None:
    """A viewer's place moves with its session."""
    robot = world.robot("r1", "owner")
    old = world.connect("owner")
    session = old.offer(role="viewer")["sessionId"]
    new = world.connect("owner")

    ack = new.ask(type="resume", sessionId=session)

    assert (ack["sessionId"], ack["role"], ack["epoch"]) == (session, "viewer", 1)
    robot.ask(type="answer", sessionId=session, payload={"sdp": "a"})
    assert (new.types(), old.types()) == (["answer"], [])


def test_a_resume_ends_grace(world: World) -> None:
    """A holder who comes back in grace holds as before."""
    world.robot("r1", "owner")
    old = world.connect("owner")
    session = old.offer()["sessionId"]
    old.disconnect()
    world.connect("owner").ask(type="resume", sessionId=session)
    world.pass_seconds(31)

    late = world.connect("boss", groups=["ADMIN"])

    assert late.refused(type="offer", robotId="r1", sdp="o") == (409, "robot_busy")


def test_the_older_sockets_disconnect_does_not_end_a_resumed_session(world: World) -> None:
    """`$disconnect` of the connection that the session left changes nothing."""
    world.robot("r1", "owner")
    old = world.connect("owner")
    session = old.offer()["sessionId"]
    world.connect("owner").ask(type="resume", sessionId=session)
    before = world.item()

    old.disconnect()

    assert world.item() == before


def test_a_resumed_sessions_own_disconnect_begins_grace(world: World) -> None:
    """The session is noted on the newer connection's item as well."""
    world.robot("r1", "owner")
    session = world.connect("owner").offer()["sessionId"]
    new = world.connect("owner")
    new.ask(type="resume", sessionId=session)

    new.disconnect()

    holder = world.item().controller
    assert holder is not None
    assert holder.lost == world.now


def test_a_lapsed_lease_can_be_resumed_while_no_one_has_taken_it(world: World) -> None:
    """The robot has obeyed no one else since, so even the epoch stays."""
    world.robot("r1", "owner")
    old = world.connect("owner")
    had = old.offer()
    old.disconnect()
    world.pass_seconds(600)
    world.connect("owner")

    ack = world.connect("owner").ask(type="resume", sessionId=had["sessionId"])

    assert ack == had


def test_a_session_that_another_has_displaced_cannot_be_resumed(world: World) -> None:
    """Once the lease has moved, the older session is over."""
    world.robot("r1", "owner")
    old = world.connect("owner")
    session = old.offer()["sessionId"]
    old.disconnect()
    world.connect("boss", groups=["ADMIN"]).ask(type="takeover", robotId="r1")
    new = world.connect("owner")
    before = world.stored()

    assert new.refused(type="resume", sessionId=session) == (404, "no_session")
    assert world.stored() == before


def test_no_user_resumes_another_ones_session(world: World) -> None:
    """Not even an admin, who takes over instead."""
    world.robot("r1", "owner")
    driver = world.connect("owner")
    driving = driver.offer()["sessionId"]
    watching = world.connect("owner").offer(role="viewer")["sessionId"]
    world.share("r1", "olga")
    others = [world.connect("boss", groups=["ADMIN"]), world.connect("olga")]
    before = world.stored()

    refused = [
        other.refused(type="resume", sessionId=session)
        for other in others
        for session in (driving, watching)
    ]

    assert refused == [(404, "no_session")] * 4
    assert world.stored() == before


def test_an_older_connection_cannot_resume(world: World) -> None:
    """A message that was under way on the older socket does not pull the session back."""
    world.robot("r1", "owner")
    old = world.connect("owner")
    driving = old.offer()["sessionId"]
    new = world.connect("owner")
    new.ask(type="resume", sessionId=driving)

    assert old.refused(type="resume", sessionId=driving) == (404, "no_session")


def test_a_restarted_robot_has_no_session_to_resume(world: World) -> None:
    """A new process of the robot's ended every session."""
    world.robot("r1", "owner")
    driver = world.connect("owner")
    driving = driver.offer()["sessionId"]
    world.robot("r1", "owner")

    refused = world.connect("owner").refused(type="resume", sessionId=driving)

    assert refused == (404, "no_session")


def test_a_session_can_be_resumed_while_the_robot_is_away(world: World) -> None:
    """Both ends may lose their sockets; the first to redial has its session all the same."""
    robot = world.robot("r1", "owner")
    old = world.connect("owner")
    had = old.offer()
    robot.disconnect()
    old.disconnect()

    assert world.connect("owner").ask(type="resume", sessionId=had["sessionId"]) == had


def test_a_seed_client_that_resumes_on_v1_is_spoken_to_in_v1(local_world: World) -> None:
    """A session takes its connection's dialect with it."""
    world = local_world
    robot = world.robot("r1", "owner")
    session = world.connect("owner", v1=False).offer()["sessionId"]
    new = world.connect("owner")
    new.ask(type="resume", sessionId=session)

    robot.ask(type="answer", sessionId=session, payload={"sdp": "a"})

    assert new.take() == [
        {
            "type": "answer",
            "robotId": "r1",
            "sessionId": session,
            "role": "controller",
            "epoch": 2,
            "payload": {"sdp": "a"},
        }
    ]


def test_a_connection_that_has_a_session_resumes_no_other(world: World) -> None:
    """A connection has at most one session with a robot; nothing changes."""
    world.robot("r1", "owner")
    old = world.connect("owner")
    driving = old.offer()["sessionId"]
    new = world.connect("owner")
    new.offer(role="viewer")
    before = world.stored()

    assert new.refused(type="resume", sessionId=driving) == (403, "forbidden")
    assert world.stored() == before


def test_a_connection_whose_session_has_ended_may_resume_another(world: World) -> None:
    """Only sessions that stand count."""
    world.robot("r1", "owner")
    driving = world.connect("owner").offer()
    new = world.connect("owner")
    new.offer(role="viewer")
    new.ask(type="bye", robotId="r1")

    assert new.ask(type="resume", sessionId=driving["sessionId"]) == driving


def test_a_connection_whose_session_has_moved_on_opens_no_second_of_its_id(world: World) -> None:
    """A session's id is made from the connection that opened it, so it must stand once."""
    world.robot("r1", "owner")
    old = world.connect("owner")
    session = old.offer()["sessionId"]
    new = world.connect("owner")
    new.ask(type="resume", sessionId=session)
    before = world.stored()

    refused = old.refused(type="offer", robotId="r1", sdp="o", role="viewer")

    assert refused == (403, "forbidden")
    assert world.stored() == before


def test_a_connection_has_one_session_of_an_id_after_it_resumes_its_own(world: World) -> None:
    """Resuming on the connection that has the session already changes no role."""
    world.robot("r1", "owner")
    driver = world.connect("owner")
    had = driver.offer()

    assert driver.ask(type="resume", sessionId=had["sessionId"]) == had
