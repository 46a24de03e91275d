"""AWS too busy to take a frame: the write is kept, and a client that missed it learns by a ping."""

from robosignal.gateway.store import LocalStore
from robosignal.protocol.errors import TryAgain
from robosignal.protocol.ids import ConnectionId
from robosignal.server.core.conditional_writes import Write
from robosignal.server.core.records import Connection
from robosignal.server.core.steps import ConditionFailed, Written
from tests.tokens import signer
from tests.world import World


def test_a_lease_whose_robot_cannot_be_told_is_given_back(world: World) -> None:
    """Else the robot would obey no one, or the driver before, while the taker held."""
    robot = world.robot("r1", "owner")
    first = world.connect("owner")
    first.offer()
    robot.take()
    boss = world.connect("boss", groups=["ADMIN"])
    world.outbox.busy = True

    refused = boss.refused(type="takeover", robotId="r1")

    assert refused == (503, "try_again")
    assert world.item().controller is None
    world.outbox.busy = False
    assert boss.ask(type="takeover", robotId="r1")["epoch"] == 5
    assert [frame["epoch"] for frame in robot.take()] == [5]


def test_a_viewer_whose_lease_is_given_back_views_again(world: World) -> None:
    """What it asked for failed; what it had is not lost by that."""
    world.robot("r1", "owner")
    viewer = world.connect("owner")
    session = viewer.offer(role="viewer")["sessionId"]
    world.outbox.busy = True

    refused = viewer.refused(type="request-control", robotId="r1")

    world.outbox.busy = False
    assert refused == (503, "try_again")
    assert world.item().controller is None
    assert viewer.ask(type="ping", sessionId=session)["role"] == "viewer"


def test_a_grant_that_no_one_could_be_told_of_is_granted(world: World) -> None:
    """The reply tells the truth; robot and grantee learn it by their next ping."""
    robot = world.robot("r1", "owner")
    holder, viewer = world.connect("owner"), world.connect("owner")
    holder.offer()
    session = viewer.offer(role="viewer")["sessionId"]
    world.outbox.busy = True

    ack = holder.ask(type="grant-control", robotId="r1", sessionId=session)

    world.outbox.busy = False
    assert ack["epoch"] == 3
    pong = robot.ask(type="ping", robotId="r1")
    left = viewer.seconds_left
    assert pong["control"] == {"epoch": 3, "sessionId": session, "rightSeconds": left}
    pong = viewer.ask(type="ping", sessionId=session)
    assert (pong["role"], pong["epoch"]) == ("controller", 3)


def test_a_ping_tells_a_robot_that_control_is_free(world: World) -> None:
    """Without a session id there is no holder."""
    robot = world.robot("r1", "owner")
    driver = world.connect("owner")
    driver.offer()
    driver.ask(type="bye", robotId="r1")

    assert robot.ask(type="ping", robotId="r1")["control"] == {"epoch": 3}


def test_a_seeds_ping_is_answered_as_ever(world: World) -> None:
    """A seed library knows no more than the bare frame."""
    robot = world.robot("r1", "owner", v1=False)

    assert robot.ask(type="ping", robotId="r1") == {"type": "pong", "replyTo": "q"}


def test_one_who_cannot_be_told_costs_the_others_nothing(local_world: World) -> None:
    """Every notice is tried, whatever becomes of the one before it."""
    robot = local_world.robot("r1", "owner")
    holder = local_world.connect("owner")
    holder.offer()
    viewers = [local_world.connect("owner") for _ in range(3)]
    for viewer in viewers:
        viewer.offer(role="viewer")
        viewer.take()
    robot.take()
    local_world.outbox.busy_for = {robot.connection_id, viewers[0].connection_id}

    holder.ask(type="release-control", robotId="r1")

    told = [viewer.types() for viewer in viewers]
    assert (robot.types(), told) == ([], [[], ["control"], ["control"]])


class BusyFor(LocalStore):
    """A store that is throttled for one kind of write to a row."""

    def __init__(self, name: str) -> None:
        super().__init__(None)
        self._name = name
        self.is_busy = False

    def write_connection(
        self, connection: ConnectionId, write: Write
    ) -> Written[Connection] | ConditionFailed[Connection]:
        """Refuse that kind while busy."""
        if self.is_busy and write.name == self._name:
            raise TryAgain
        return super().write_connection(connection, write)


def test_a_bye_is_told_whatever_becomes_of_the_note_on_its_own_row() -> None:
    """The session has ended, so the robot hears it."""
    store = BusyFor("forget_session")
    local_world = World(store, signer())
    robot = local_world.robot("r1", "owner")
    driver = local_world.connect("owner")
    driver.offer()
    robot.take()
    store.is_busy = True

    ack = driver.ask(type="bye", robotId="r1")

    assert (ack["type"], robot.types()) == ("ack", ["peer-left"])


def test_a_restart_is_told_though_the_older_socket_cannot_be(local_world: World) -> None:
    """The new process is registered, and its sessions' clients hear of it."""
    old = local_world.robot("r1", "owner")
    driver = local_world.connect("owner")
    driver.offer()
    local_world.outbox.busy_for = {old.connection_id}
    new = local_world.connect("owner")

    reply = new.ask(type="register", robotId="r1", instanceId="another")

    assert (reply["type"], driver.types()) == ("registered", ["peer-left"])


def test_a_robot_that_cannot_be_noted_is_asked_to_register_again() -> None:
    """Nothing would be cleaned up when its connection ends; its ended sessions are told."""
    store = BusyFor("note_robot")
    local_world = World(store, signer())
    local_world.robot("r1", "owner")
    driver = local_world.connect("owner")
    driver.offer()
    store.is_busy = True
    new = local_world.connect("owner")

    refused = new.refused(type="register", robotId="r1", instanceId="another")

    assert (refused, driver.types()) == ((503, "try_again"), ["peer-left"])
    store.is_busy = False
    assert new.ask(type="register", robotId="r1", instanceId="another")["type"] == "registered"
    new.disconnect()
    assert local_world.item().connection_id is None
