"""The seed conversation, in every spelling: a seed robot and a seed client understand each other.

Frames are compared whole: a seed library may stop at the first thing that it does not know.
"""

from typing import Any

import pytest

from tests.world import ICE, Frame, Peer, World

SDP = "v=0\r\n"


@pytest.fixture
def robot(local_world: World) -> Peer:
    """A robot of the seed's."""
    return local_world.robot("r1", "owner", v1=False)


@pytest.fixture
def client(local_world: World, robot: Peer) -> Peer:
    """A client of the seed's, connected after the robot."""
    peer = local_world.connect("owner", v1=False)
    assert robot.frames == []
    return peer


def as_robot_reads(client: Peer, kind: str, **body: Any) -> Frame:
    """Return a client's message as the seed would have sent it to the robot."""
    return {
        "type": kind,
        "robotId": "r1",
        "from": client.connection_id,
        "to": "r1",
        "clientConnectionId": client.connection_id,
        "payload": body,
        **body,
    }


def as_client_reads(client: Peer, kind: str, **body: Any) -> Frame:
    """Return the robot's message as the seed would have sent it to the client."""
    return {
        "type": kind,
        "robotId": "r1",
        "from": "r1",
        "to": client.connection_id,
        "clientConnectionId": client.connection_id,
        "payload": body,
        **body,
    }


@pytest.mark.parametrize("name", [{"robotId": "r1"}, {"from": "r1"}], ids=str)
@pytest.mark.parametrize("kind", ["register", "REGISTER", "Register"])
def test_a_seed_robot_registers_without_a_word(local_world: World, name: Frame, kind: str) -> None:
    """In either spelling, and in any case of letters; nothing is replied without an id."""
    robot = local_world.connect("owner", v1=False)

    reply = robot.send(type=kind, **name)

    assert (reply, robot.status, robot.frames) == (None, 200, [])
    assert local_world.item().connection_id == robot.connection_id


OFFERS: list[Frame] = [
    {"type": kind, **where, **body, **target}
    for kind in ("offer", "OFFER")
    for where in ({"to": "r1"}, {"robotId": "r1"})
    for body in ({"payload": {"sdp": SDP}}, {"sdp": SDP})
    for target in ({}, {"target": "robot"})
]


@pytest.mark.parametrize("offer", OFFERS, ids=str)
def test_an_offer_in_any_spelling_reaches_the_robot_in_both(
    robot: Peer, client: Peer, offer: Frame
) -> None:
    """`from` is the return address; the payload stands wrapped and at top level."""
    reply = client.send(**offer)

    assert (reply, client.status) == (None, 200)
    assert robot.take() == [as_robot_reads(client, "offer", sdp=SDP)]
    assert client.frames == []


@pytest.mark.parametrize("body", [{"payload": {"sdp": SDP}}, {"sdp": SDP}], ids=["wrapped", "top"])
@pytest.mark.parametrize("address", ["to", "clientConnectionId"])
@pytest.mark.parametrize("more", [{}, {"target": "client"}, {"robotId": "r1"}], ids=str)
def test_an_answer_in_any_spelling_comes_back_to_the_client(
    robot: Peer, client: Peer, body: Frame, address: str, more: Frame
) -> None:
    """The robot names the connection that the offer came from."""
    client.send(type="offer", robotId="r1", sdp=SDP)
    (offer,) = robot.take()

    reply = robot.send(type="Answer", **{address: offer["from"]}, **body, **more)

    assert (reply, robot.status) == (None, 200)
    assert client.take() == [as_client_reads(client, "answer", sdp=SDP)]
    assert robot.frames == []


CANDIDATES: list[Any] = [
    "candidate:1 1 udp 1 192.0.2.1 1 typ host",
    {"candidate": "candidate:1", "sdpMid": "0", "sdpMLineIndex": 0},
    None,
    "",
]


@pytest.mark.parametrize("candidate", CANDIDATES, ids=["text", "object", "null", "empty"])
@pytest.mark.parametrize("kind", ["candidate", "ice-candidate", "ICE-Candidate"])
@pytest.mark.parametrize("wrapped", [True, False])
def test_a_candidate_in_any_spelling_passes_as_it_came(
    robot: Peer, client: Peer, candidate: Any, kind: str, *, wrapped: bool
) -> None:
    """Both ways, with the word that its sender used, in lower case; the last one too."""
    body: Frame = {"payload": {"candidate": candidate}} if wrapped else {"candidate": candidate}
    client.send(type="offer", robotId="r1", sdp=SDP)
    robot.take()

    client.send(type=kind, to="r1", **body)
    robot.send(type=kind, to=client.connection_id, **body)

    word = kind.lower()
    assert robot.take() == [as_robot_reads(client, word, candidate=candidate)]
    assert client.take() == [as_client_reads(client, word, candidate=candidate)]


def test_a_payload_passes_untouched(robot: Peer, client: Peer) -> None:
    """Whatever else it holds is relayed; what stands beside it is not."""
    body = {"sdp": SDP, "type": "offer", "restart": [1, None, {"x": 1.5}]}

    client.send(type="offer", robotId="r1", payload=body, junk="x", userId="boss")

    (frame,) = robot.take()
    assert frame == {**as_robot_reads(client, "offer", sdp=SDP), "payload": body}


def test_a_candidate_that_overtakes_its_offer_is_relayed(robot: Peer, client: Peer) -> None:
    """A seed client cannot hold its candidates: the robot keeps them by their sender."""
    client.send(type="candidate", to="r1", candidate="c")
    client.send(type="offer", to="r1", sdp=SDP)

    assert robot.take() == [
        as_robot_reads(client, "candidate", candidate="c"),
        as_robot_reads(client, "offer", sdp=SDP),
    ]


def test_an_early_candidate_opens_no_session(local_world: World, robot: Peer, client: Peer) -> None:
    """It changes nothing: the lease stays free."""
    before = local_world.stored()

    client.send(type="candidate", to="r1", candidate="c")

    assert robot.types() == ["candidate"]
    assert local_world.stored() == before


def test_an_early_candidate_to_a_v1_robot_bears_the_session_that_will_open(
    local_world: World,
) -> None:
    """The robot finds it again when the offer comes, and obeys nobody by it: no epoch."""
    robot = local_world.robot("r1", "owner")
    client = local_world.connect("owner", v1=False)
    client.send(type="candidate", to="r1", candidate="c")
    client.send(type="offer", to="r1", sdp=SDP)

    early, offer = robot.take()

    assert early == {
        "type": "ice-candidate",
        "robotId": "r1",
        "sessionId": offer["sessionId"],
        "person": {"userId": "owner", "name": "Owner"},
        "role": "controller",
        "payload": {"candidate": "c"},
    }


def test_an_early_candidate_of_one_who_could_not_drive_now_is_refused(
    local_world: World, robot: Peer
) -> None:
    """Somebody else holds; or the sender is a stranger; or a robot; or speaks v1."""
    holder = local_world.connect("owner", v1=False)
    holder.send(type="offer", to="r1", sdp=SDP)
    robot.take()
    busy = local_world.connect("owner", v1=False)
    stranger = local_world.connect("stranger", v1=False)

    assert busy.refused(type="candidate", to="r1", candidate="c") == (404, "no_session")
    assert stranger.refused(type="candidate", to="r1", candidate="c") == (403, "forbidden")
    assert robot.frames == []


def test_an_early_candidate_of_a_robots_is_refused(local_world: World, robot: Peer) -> None:
    """A robot's connection cannot drive, so no offer of its will follow."""
    other = local_world.robot("r2", "owner", v1=False)

    refused = other.refused(type="candidate", robotId="r1", candidate="c")

    assert refused == (404, "no_session")
    assert robot.frames == []


def test_an_early_candidate_of_a_v1_clients_is_refused(local_world: World, robot: Peer) -> None:
    """A v1 client holds its candidates until its offer's `ack`."""
    client = local_world.connect("owner")

    refused = client.refused(type="ice-candidate", robotId="r1", candidate="c")

    assert refused == (404, "no_session")
    assert robot.frames == []


def test_a_seed_takeover_sends_the_robot_its_notice(local_world: World, robot: Peer) -> None:
    """And nobody else anything: neither the taker nor the displaced seed holder."""
    holder = local_world.connect("owner", v1=False)
    holder.send(type="offer", to="r1", sdp=SDP)
    robot.take()
    admin = local_world.connect("boss", groups=["ADMIN"], v1=False)

    reply = admin.send(type="takeover", robotId="r1")

    assert (reply, admin.status) == (None, 200)
    assert robot.take() == [{"type": "admin-takeover", "robotId": "r1", "by": "boss"}]
    assert (holder.frames, admin.frames) == ([], [])


def test_a_seed_driver_who_took_over_negotiates_with_its_next_offer(
    local_world: World, robot: Peer
) -> None:
    """The offer after a takeover is in the taker's own session."""
    local_world.connect("owner", v1=False).send(type="offer", to="r1", sdp=SDP)
    admin = local_world.connect("boss", groups=["ADMIN"], v1=False)
    admin.send(type="takeover", robotId="r1")
    robot.take()

    admin.send(type="offer", to="r1", sdp=SDP)

    assert robot.take() == [as_robot_reads(admin, "offer", sdp=SDP)]


def test_nothing_unasked_reaches_a_seed_connection(local_world: World, robot: Peer) -> None:
    """Release, bye, restart, redial, a changed lease: no seed end hears of any."""
    world = local_world
    client = world.connect("owner", v1=False)
    client.send(type="offer", to="r1", sdp=SDP)
    client.send(type="bye", robotId="r1")
    client.send(type="offer", to="r1", sdp=SDP)
    robot.send(type="bye", to=client.connection_id)
    client.send(type="offer", to="r1", sdp=SDP)
    robot.send(type="unregister", robotId="r1")
    world.robot("r1", "owner", v1=False)

    assert client.frames == []
    assert set(robot.types()) == {"offer"}


ERRORS: list[Frame] = [
    {"type": "offer", "robotId": "r1"},
    {"type": "offer", "robotId": "r9", "sdp": SDP},
    {"type": "answer", "robotId": "r1", "sdp": SDP},
    {"type": "nonsense"},
    {"type": "register", "robotId": "no such id"},
]


@pytest.mark.parametrize("message", ERRORS, ids=str)
def test_a_seed_connection_is_told_of_an_error_only_if_it_gave_an_id(
    robot: Peer, client: Peer, message: Frame
) -> None:
    """Silence, with the status for the log; with an id, one error frame as the reply."""
    silent = client.send(**message)
    status = client.status
    told = client.ask(**message)

    assert silent is None
    assert status == client.status >= 400
    assert told["type"] == "error"
    assert (client.frames, robot.frames) == ([], [])


def test_a_seed_connection_gets_the_replies_that_it_asks_for(local_world: World) -> None:
    """`ready`, `ping`, `ice-servers` and `robots` are answered even without an id."""
    client = local_world.connect("owner", v1=False)

    replies = [client.send(type=kind) for kind in ("ready", "ping", "ice-servers", "robots")]

    assert [reply and reply["type"] for reply in replies] == [
        "welcome",
        "pong",
        "ice-servers",
        "robots",
    ]


def test_a_seed_register_with_an_id_is_answered(local_world: World) -> None:
    """Whoever gives an id knows what `registered` is."""
    robot = local_world.connect("owner", v1=False)

    reply = robot.ask(type="register", robotId="r1")

    assert (reply["type"], reply["control"]) == ("registered", {"epoch": 1})


def test_a_seed_client_drives_a_v1_robot(local_world: World) -> None:
    """The offer comes in v1, with session and epoch; the answer goes back as the seed's."""
    robot = local_world.robot("r1", "owner")
    client = local_world.connect("owner", v1=False)
    client.send(type="offer", to="r1", sdp=SDP)
    (offer,) = robot.take()

    robot.ask(type="answer", sessionId=offer["sessionId"], payload={"sdp": SDP})
    robot.ask(type="ice-candidate", sessionId=offer["sessionId"], payload={"candidate": "c"})

    assert offer == {
        "type": "offer",
        "robotId": "r1",
        "sessionId": offer["sessionId"],
        "person": {"userId": "owner", "name": "Owner"},
        "role": "controller",
        "epoch": 2,
        "payload": {"sdp": SDP},
    }
    assert client.take() == [
        as_client_reads(client, "answer", sdp=SDP),
        as_client_reads(client, "ice-candidate", candidate="c"),
    ]


def test_a_v1_client_drives_a_seed_robot(local_world: World, robot: Peer) -> None:
    """The offer comes as the seed's; the answer goes back in v1, in the session."""
    client = local_world.connect("owner")
    had = client.offer(payload={"sdp": SDP}, pcId="pc1", seq=1)

    robot.send(type="answer", to=client.connection_id, sdp=SDP)

    assert robot.take() == [as_robot_reads(client, "offer", sdp=SDP)]
    assert client.take() == [
        {
            "type": "answer",
            "robotId": "r1",
            "sessionId": had["sessionId"],
            "role": "controller",
            "epoch": had["epoch"],
            "payload": {"sdp": SDP},
        }
    ]


def test_a_v1_senders_candidate_is_an_ice_candidate_to_a_seed(
    local_world: World, robot: Peer
) -> None:
    """However a v1 sender spells it."""
    client = local_world.connect("owner")
    client.offer()
    robot.take()

    client.send(type="candidate", robotId="r1", candidate="c")

    assert robot.take() == [as_robot_reads(client, "ice-candidate", candidate="c")]


def test_a_seed_robot_still_reaches_a_client_that_has_redialed(
    local_world: World, robot: Peer
) -> None:
    """It goes on naming the connection that the offer came from."""
    old = local_world.connect("owner")
    session = old.offer()["sessionId"]
    new = local_world.connect("owner")
    new.ask(type="resume", sessionId=session)

    robot.send(type="candidate", to=old.connection_id, candidate="c")

    assert (old.frames, new.types()) == ([], ["ice-candidate"])


def test_ready_upgrades_a_seed_connection_to_v1(local_world: World) -> None:
    """The whole welcome, and frames in v1 from then on."""
    robot = local_world.connect("owner", v1=False)

    welcome = robot.send(type="ready", protocol=1)
    robot.send(type="register", robotId="r1")
    local_world.connect("owner").offer()

    assert welcome == {
        "type": "welcome",
        "connectionId": robot.connection_id,
        "userId": "owner",
        "name": "Owner",
        "protocol": 1,
        "iceServers": ICE,
        "heartbeatSeconds": 120,
        "expiresAt": robot.expires_at,
        "limits": {
            "frameBytes": 32768,
            "messageBytes": 131072,
            "sdpBytes": 49152,
            "viewers": 10,
        },
    }
    (offer,) = robot.take()
    assert offer["epoch"] == 2


def test_ready_without_a_protocol_stays_with_the_seeds(local_world: World) -> None:
    """Asking for nothing changes nothing."""
    client = local_world.connect("owner", v1=False)

    welcome = client.send(type="ready")

    assert welcome is not None
    assert welcome["protocol"] == 0
    assert local_world.stored()[client.connection_id].dialect == "seed"  # type: ignore[union-attr]


def test_ready_does_not_upgrade_a_registered_robot(world: World) -> None:
    """Others rely on its dialect by then."""
    robot = world.robot("r1", "owner", v1=False)
    before = world.stored()

    assert robot.refused(type="ready", protocol=1) == (403, "forbidden")
    assert world.stored() == before


def test_ready_does_not_upgrade_a_client_in_a_session(world: World) -> None:
    """Nor a driver's."""
    world.robot("r1", "owner")
    client = world.connect("owner", v1=False)
    client.send(type="offer", robotId="r1", sdp=SDP)
    before = world.stored()

    assert client.refused(type="ready", protocol=1) == (403, "forbidden")
    assert world.stored() == before


def test_a_seed_viewer_of_a_v1_robot_is_told_nothing_but_relays(local_world: World) -> None:
    """A takeover beside it sends it no `control`."""
    world = local_world
    robot = world.robot("r1", "owner")
    viewer = world.connect("owner", v1=False)
    session = viewer.offer(role="viewer")["sessionId"]
    world.connect("boss", groups=["ADMIN"]).ask(type="takeover", robotId="r1")

    robot.ask(type="answer", sessionId=session, payload={"sdp": SDP})

    assert viewer.take() == [as_client_reads(viewer, "answer", sdp=SDP)]
