import json
from collections.abc import Iterator
from typing import Any

import pytest

from robosignal.gateway.store import LocalStore
from robosignal.protocol.errors import TryAgain
from robosignal.protocol.ids import ConnectionId, RobotId
from robosignal.server.aws.metrics import DIRECTIVES, EmbeddedMetrics, metric_line
from robosignal.server.core.conditional_writes import Write
from robosignal.server.core.records import Connection, Robot
from robosignal.server.core.request import Rules
from robosignal.server.core.steps import ConditionFailed, Written
from robosignal.server.entry import Signaling
from robosignal.server.ice.static import StaticServers
from robosignal.server.limits.limiter import Unlimited
from robosignal.server.metering import EventMeter
from robosignal.server.ports import EventMetrics, KeysUnavailable
from robosignal.server.settings import BadEnvironment, read_settings
from tests.tokens import signer
from tests.world import World

ENVIRONMENT = {
    "CONN_TABLE": "c",
    "ROBOT_PRESENCE_TABLE": "r",
    "WS_MGMT_ENDPOINT": "https://api.example/prod",
    "TOKEN_ISSUER": "https://issuer.example",
    "TOKEN_AUDIENCES": "app",
}


class MeteredWorld(World):
    """A backend whose metrics are kept as a log would."""

    def __init__(self, store: LocalStore) -> None:
        self.lines: list[str] = []
        self.behind_ms = 0
        super().__init__(store, signer())
        self.signaling = Signaling(
            store=store,
            poster=self.outbox,
            ice=StaticServers([]),
            limiter=Unlimited(),
            issuers=(signer().issuer(),),
            rules=Rules(),
            origins=None,
            clock=lambda: self.now + self.behind_ms,
            meter=EmbeddedMetrics("test", self.lines.append),
        )

    def documents(self) -> list[dict[str, Any]]:
        """Return every document so far."""
        return [json.loads(text) for text in self.lines]

    @property
    def last(self) -> dict[str, Any]:
        """The last event's document."""
        found: dict[str, Any] = json.loads(self.lines[-1])
        return found


@pytest.fixture
def metered(local_store: LocalStore) -> MeteredWorld:
    """A backend whose metrics are kept."""
    return MeteredWorld(local_store)


def happened(**changes: Any) -> EventMetrics:
    """Return a tally of nothing special, with these changes."""
    plain: dict[str, Any] = {
        "kind": "ping",
        "outcome": "ok",
        "reason": None,
        "took_ms": 7,
        "gone": 0,
        "undelivered": 0,
        "took_over": False,
        "at": 1_800_000_000_000,
    }
    return EventMetrics(**{**plain, **changes})


def test_a_line_is_a_document_as_cloudwatch_specifies_it() -> None:
    """Every metric and dimension that the metadata names is a member of the root."""
    every = happened(outcome="try_again", took_over=True, gone=2, undelivered=1)
    refused = happened(kind="$connect", outcome="unauthorized", reason="expired")
    relayed = happened(kind="answer")
    failed = happened(outcome="internal")

    named = set()
    for each in (every, refused, relayed, failed):
        document = json.loads(metric_line("dev", each))
        meta = document["_aws"]
        assert set(meta) == {"Timestamp", "CloudWatchMetrics"}
        assert meta["Timestamp"] == 1_800_000_000_000
        for directive in meta["CloudWatchMetrics"]:
            assert directive["Namespace"] == "robosignal"
            for metric in directive["Metrics"]:
                assert isinstance(document[metric["Name"]], int)
                assert metric["Unit"] in ("Count", "Milliseconds")
                named.add(metric["Name"])
            for dimensions in directive["Dimensions"]:
                assert all(isinstance(document[name], str) for name in dimensions)
    assert named == set(DIRECTIVES)


def test_a_line_has_no_line_end_inside() -> None:
    """The log takes one event a line, whatever a reason would hold."""
    assert "\n" not in metric_line(
        "dev", happened(kind="$connect", outcome="unauthorized", reason="a\nb")
    )


def test_every_event_is_one_line(metered: MeteredWorld) -> None:
    """Opening, a message and closing are counted by type and outcome."""
    peer = metered.connect("ann")
    peer.send(type="ping")
    peer.send_text("{")
    peer.disconnect()

    assert [(each["Type"], each["Outcome"], each["Messages"]) for each in metered.documents()] == [
        ("$connect", "ok", 1),
        ("ping", "ok", 1),
        ("invalid", "bad_message", 1),
        ("$disconnect", "ok", 1),
    ]


def test_relays_are_timed_from_api_gateways_receipt(metered: MeteredWorld) -> None:
    """Offer, answer and candidate have a latency; a message that goes nowhere has none."""
    robot, driver = metered.robot(), metered.connect("owner")
    metered.behind_ms = 40
    session = driver.offer()["sessionId"]
    robot.send(type="answer", sessionId=session, payload={"sdp": "a"})
    driver.send(type="candidate", sessionId=session, payload={"candidate": "c"})
    driver.send(type="ping")

    timed = [(each["Type"], each.get("RelayLatency")) for each in metered.documents()[-4:]]
    assert timed == [("offer", 40), ("answer", 40), ("ice-candidate", 40), ("ping", None)]


def test_a_refused_relay_is_not_timed(metered: MeteredWorld) -> None:
    """What was not relayed says nothing of how long relaying takes."""
    metered.connect("ann").offer("nowhere")

    assert metered.last["Outcome"] == "forbidden"
    assert "RelayLatency" not in metered.last


def test_a_clock_that_is_behind_api_gateways_gives_no_negative_latency(
    metered: MeteredWorld,
) -> None:
    """Two machines' clocks differ; a latency below nothing would spoil the average."""
    metered.robot()
    driver = metered.connect("owner")
    metered.behind_ms = -40
    driver.offer()

    assert metered.last["RelayLatency"] == 0


def test_gone_connections_are_counted_once_for_each(metered: MeteredWorld) -> None:
    """A post that found its receiver gone counts, in a relay and among several notices."""
    robot, driver = metered.robot(), metered.connect("owner")
    viewers = [metered.connect("owner") for _ in range(2)]
    driver.offer()
    for viewer in viewers:
        viewer.offer(role="viewer")
        viewer.vanish()
    driver.send(type="release-control", robotId="r1")
    gone_viewers = metered.last["GoneConnections"]
    robot.vanish()
    driver.offer()

    assert gone_viewers == 2
    assert metered.last["GoneConnections"] == 1


def test_a_takeover_counts_only_when_the_lease_moved(metered: MeteredWorld) -> None:
    """The holder's own repetition changes nothing, and is none."""
    metered.robot()
    metered.connect("owner").offer()
    other = metered.connect("boss", groups=["ADMINS"])
    for _ in range(2):
        other.ask(type="takeover", robotId="r1")

    documents = [each for each in metered.documents() if each["Type"] == "takeover"]
    assert [each["Outcome"] for each in documents] == ["ok", "ok"]
    assert [each.get("Takeovers") for each in documents] == [1, None]


def test_a_takeover_of_a_robot_that_is_gone_is_none(metered: MeteredWorld) -> None:
    """The lease moved and was given back: no driver was displaced."""
    robot = metered.robot()
    metered.connect("owner").offer()
    robot.vanish()
    metered.connect("boss", groups=["ADMINS"]).refused(type="takeover", robotId="r1")

    assert (metered.last["Outcome"], "Takeovers" in metered.last) == ("robot_offline", False)


def test_a_conflict_is_a_refusal_because_somebody_else_wants_the_same(
    metered: MeteredWorld,
) -> None:
    """A busy robot and an id that another owns are conflicts; a stranger's offer is none."""
    metered.robot()
    metered.connect("owner").offer()
    metered.connect("boss", groups=["ADMINS"]).offer()
    busy = metered.last
    metered.connect("eve").offer()
    stranger = metered.last
    metered.connect("eve").refused(type="register", robotId="r1")
    taken = metered.last

    assert (busy["Outcome"], busy["Conflicts"]) == ("robot_busy", 1)
    assert (stranger["Outcome"], "Conflicts" in stranger) == ("forbidden", False)
    assert (taken["Outcome"], taken["Conflicts"]) == ("owned_by_another", 1)


def test_a_refused_token_is_counted_by_its_reason(metered: MeteredWorld) -> None:
    """Both with and without the reason: an alarm watches the sum, a person reads the parts."""
    metered.event("CONNECT", metered.dial(), headers={"Authorization": "Bearer nonsense"})
    (directive,) = [
        each
        for each in metered.last["_aws"]["CloudWatchMetrics"]
        if each["Metrics"][0]["Name"] == "TokensRefused"
    ]

    assert (metered.last["TokensRefused"], metered.last["Reason"]) == (1, "malformed")
    assert directive["Dimensions"] == [["Stage"], ["Stage", "Reason"]]


def test_a_token_that_cannot_be_judged_is_counted_as_well() -> None:
    """Made-up key ids are answered 503, and an alarm watches for them all the same."""
    meter = EventMeter("$connect")
    unsure = TryAgain()
    unsure.__cause__ = KeysUnavailable()
    meter.fail(unsure)

    counted = json.loads(metric_line("dev", meter.summarise(0, 1)))

    assert (counted["TokensRefused"], counted["Reason"]) == (1, "keys")


def test_an_unknown_connections_message_is_no_refused_token(metered: MeteredWorld) -> None:
    """It had none."""
    metered.dial().send(type="ping")

    assert (metered.last["Outcome"], "TokensRefused" in metered.last) == ("unauthorized", False)


class Broken(LocalStore):
    """A store with a fault of ours."""

    def write_robot(self, robot: RobotId, write: Write) -> Written[Robot] | ConditionFailed[Robot]:
        """Fail."""
        raise RuntimeError(robot, write)

    def remove_connection(self, connection: ConnectionId) -> Connection | None:
        """Fail."""
        raise RuntimeError(connection)


@pytest.fixture
def broken() -> Iterator[MeteredWorld]:
    """A backend on a store with a fault."""
    store = Broken(None)
    yield MeteredWorld(store)
    store.close()


def test_our_own_fault_in_a_message_is_counted(broken: MeteredWorld) -> None:
    """The sender is answered, and an alarm can ring."""
    broken.connect("owner").offer()

    assert (broken.last["Outcome"], broken.last["InternalErrors"]) == ("internal", 1)


def test_an_event_that_raises_is_counted_all_the_same(broken: MeteredWorld) -> None:
    """What fails outside of messages fails the invocation; its line is written nevertheless."""
    peer = broken.connect("owner")
    with pytest.raises(RuntimeError):
        peer.disconnect()

    assert (broken.last["Type"], broken.last["InternalErrors"]) == ("$disconnect", 1)


def test_no_line_tells_whom_it_concerned(metered: MeteredWorld) -> None:
    """No user, robot, connection, token or payload is in a metric."""
    robot, driver = metered.robot("rover-7", "owner"), metered.connect("owner")
    session = driver.ask(type="offer", robotId="rover-7", payload={"sdp": "v=0 secret"})
    robot.send(type="answer", sessionId=session["sessionId"], payload={"sdp": "v=0 secret"})
    metered.connect("boss", groups=["ADMINS"]).ask(type="takeover", robotId="rover-7")
    metered.event("CONNECT", metered.dial(), headers={"Authorization": "Bearer ey.secret.x"})

    told = "\n".join(metered.lines)
    for private in ("rover-7", "owner", "Owner", "boss", "secret", driver.connection_id):
        assert private not in told


def test_lines_go_to_the_functions_log(
    metered: MeteredWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    """By default a line is printed, whole."""
    assert metered.lines == []
    EmbeddedMetrics("prod").record(happened())

    printed = capsys.readouterr().out
    assert printed.endswith("}\n")
    assert json.loads(printed)["Stage"] == "prod"


def test_the_stage_is_dev_unless_the_environment_names_it() -> None:
    """`STAGE` is optional."""
    assert read_settings(ENVIRONMENT).stage == "dev"
    assert read_settings({**ENVIRONMENT, "STAGE": "prod"}).stage == "prod"


def test_a_stage_that_is_no_name_is_refused() -> None:
    """It becomes a dimension of every metric, so it must be short and plain."""
    with pytest.raises(BadEnvironment) as refused:
        read_settings({**ENVIRONMENT, "STAGE": "my stage"})

    assert refused.value.problems == ["STAGE must be 1 to 64 of the characters A-Z a-z 0-9 _ . -"]


def test_a_post_that_aws_was_too_busy_for_is_counted(metered: MeteredWorld) -> None:
    """The request succeeds all the same, so nothing else would tell."""
    robot = metered.robot("r1", "owner")
    driver, viewer = metered.connect("owner"), metered.connect("owner")
    driver.offer()
    viewer.offer(role="viewer")
    metered.outbox.busy_for = {robot.connection_id, viewer.connection_id}

    driver.ask(type="release-control", robotId="r1")

    assert (metered.last["Outcome"], metered.last["Undelivered"]) == ("ok", 2)
