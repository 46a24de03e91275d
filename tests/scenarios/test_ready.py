"""`ready`: the welcome, and the change from the seed's dialect to v1."""

from tests.scenarios.between import Between
from tests.world import ICE, World

SDP = "v=0\r\n"


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


def test_an_offer_beside_ready_is_asked_for_again_and_leaves_nothing(
    crossing: World, between: Between
) -> None:
    """The session was made in the seed's dialect, which its connection speaks no more."""
    robot = crossing.robot("r1", "owner")
    client = crossing.connect("owner", v1=False)
    between.before_row = lambda: client.send(type="ready", protocol=1)

    refused = client.refused(type="offer", robotId="r1", sdp=SDP)

    assert refused == (503, "try_again")
    assert (crossing.item().controller, robot.types()) == (None, ["offer", "peer-left"])
    robot.take()
    assert (client.offer()["role"], robot.types()) == ("controller", ["offer"])


def test_a_register_beside_ready_is_asked_for_again_and_leaves_nothing(
    crossing: World, between: Between
) -> None:
    """A robot whose item says one dialect and whose row another could not be spoken to."""
    robot = crossing.connect("owner", v1=False)
    between.before_row = lambda: robot.send(type="ready", protocol=1)

    refused = robot.refused(type="register", robotId="r1")

    assert refused == (503, "try_again")
    assert crossing.item().connection_id is None
    assert robot.ask(type="register", robotId="r1", instanceId="run1")["type"] == "registered"
    assert crossing.item().dialect == "v1"
