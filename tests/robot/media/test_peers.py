"""Whose offer is taken next, and how many at once: with peer connections that are played."""

import asyncio
from collections.abc import Callable

import pytest

from robosignal.protocol.ids import SessionId
from robosignal.robot.frames import Candidate, PcId
from robosignal.robot.media import peers
from robosignal.robot.media.peer import Peer
from robosignal.robot.media.peers import OfferLimit, Peers
from robosignal.robot.media.sdp import MAX_SDP_BYTES
from robosignal.robot.session.events import Answered, Event, Failed, Refused
from tests.robot.server import PATIENCE

DRIVER = SessionId("r:driver")
OFFER = "v=0\r\n"


class Played:
    """A peer connection that answers when it is told to, and is closed when it is told to."""

    def __init__(self, key: tuple[SessionId, PcId], tell: Callable[[Event], None]) -> None:
        self.key = key
        self.tell = tell
        self.taken: list[str | Candidate] = []
        self.said: list[str | bytes] = []
        self.is_closing = asyncio.Event()
        self.may_close = asyncio.Event()

    def offer(self, sdp: str) -> None:
        """Take an offer."""
        self.taken.append(sdp)

    def add(self, candidate: Candidate) -> None:
        """Take a candidate."""
        self.taken.append(candidate)

    def say(self, data: str | bytes) -> None:
        """Take what is to be said."""
        self.said.append(data)

    def answer(self) -> None:
        """Have the answer to its offer."""
        self.tell(Answered(*self.key, "v=0"))

    async def close(self) -> None:
        """End, once it may."""
        self.is_closing.set()
        await self.may_close.wait()


class Robot:
    """Sessions that offer, and the peer connections that are made for them."""

    def __init__(self) -> None:
        self.made: list[Played] = []
        self.told: list[Event] = []
        self._news = asyncio.Event()
        self.failures = 0
        self.peers = Peers(self._make, lambda session: session == DRIVER, self.told.append)

    def _make(self, session: SessionId, pc: PcId, tell: Callable[[Event], None]) -> Peer:
        if self.failures:
            self.failures -= 1
            raise OSError
        self.made.append(Played((session, pc), tell))
        self._news.set()
        return self.made[-1]  # type: ignore[return-value]

    async def wait_for_the_next(self) -> None:
        """Return when one more has been made."""
        self._news.clear()
        await asyncio.wait_for(self._news.wait(), PATIENCE)

    def offer(self, who: str, number: int = 1, sdp: str = OFFER) -> None:
        """Have an offer of this session's come."""
        self.peers.offer(SessionId(who), PcId(f"pc-{number}"), sdp)

    def shut(self, who: str, number: int = 1) -> None:
        """Have a peer connection closed."""
        self.peers.shut(SessionId(who), PcId(f"pc-{number}"))

    @property
    def begun(self) -> list[tuple[str, str]]:
        """Which have been made so far, in order."""
        return [made.key for made in self.made]


@pytest.fixture
async def robot() -> Robot:
    """A robot that has made no peer connection."""
    return Robot()


async def turn() -> None:
    """Let what has been called back run."""
    for _ in range(3):
        await asyncio.sleep(0)


async def test_of_a_session_one_offer_is_worked_on_and_the_newest_waits(robot: Robot) -> None:
    """Those in between are dropped, and cost nothing."""
    robot.offer("a", 1)
    for number in range(2, 50):
        robot.shut("a", number - 1)
        robot.offer("a", number)
    await turn()
    for made in robot.made:
        made.may_close.set()
    await turn()

    assert robot.begun == [("a", "pc-1"), ("a", "pc-2"), ("a", "pc-49")]


async def test_an_offer_that_came_last_is_the_one_that_is_answered(robot: Robot) -> None:
    """The one before it is cancelled; it begins once that is on its way out."""
    robot.offer("a", 1)
    robot.shut("a", 1)
    robot.offer("a", 2)
    robot.made[-1].answer()

    assert robot.begun == [("a", "pc-1"), ("a", "pc-2")]
    assert robot.told == [Answered(SessionId("a"), PcId("pc-2"), "v=0")]


async def test_while_two_of_a_session_are_being_closed_no_third_is_made(robot: Robot) -> None:
    """Closing may take ten seconds, and what is being closed still has its sockets."""
    for number in (1, 2):
        robot.offer("a", number)
        robot.shut("a", number)
    robot.offer("a", 3)
    await turn()
    before = list(robot.begun)
    robot.made[0].may_close.set()
    await turn()

    assert before == [("a", "pc-1"), ("a", "pc-2")]
    assert robot.begun[2:] == [("a", "pc-3")]


async def test_what_does_not_close_holds_up_no_other_for_long(
    robot: Robot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As over TCP, by a TURN server that is out of reach: the driver is let in all the same."""
    monkeypatch.setattr(peers, "CLOSING_SECONDS", 0.01)
    for number in (1, 2):
        robot.offer(DRIVER, number)
        robot.shut(DRIVER, number)
    robot.offer(DRIVER, 3)
    await robot.wait_for_the_next()

    assert robot.begun[-1] == (DRIVER, "pc-3")
    assert not any(made.may_close.is_set() for made in robot.made)


async def test_a_drivers_offer_waits_behind_no_viewers(robot: Robot) -> None:
    """Viewers have taken all that they get at once; the driver's is begun in the same turn."""
    for number in range(40):
        robot.offer(f"viewer-{number}")
    viewers = len(robot.made)
    robot.offer(DRIVER)

    assert viewers == 10
    assert robot.begun[-1] == (DRIVER, "pc-1")


async def test_a_stream_of_new_sessions_delays_no_session_that_offers_again(
    robot: Robot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is new, and has never had a turn; more come than can be taken."""
    loop = asyncio.get_running_loop()
    robot.offer("honest")
    robot.made[0].answer()
    for number in range(9):
        robot.offer(f"before-{number}")
        robot.made[-1].answer()
    robot.offer("honest", sdp="again")
    for second in range(20):
        for number in range(4):
            robot.offer(f"new-{second}-{number}")
        monkeypatch.setattr(loop, "time", lambda now=loop.time: now() + 1)
        robot.shut("another")
        for made in robot.made:
            made.answer()

    assert robot.made[0].taken == [OFFER, "again"]


async def test_who_offers_all_the_time_delays_no_one_else(
    robot: Robot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session whose last turn is longest ago comes first."""
    for number in range(1, 11):
        robot.offer("flood", number)
        robot.made[-1].answer()
    robot.offer("flood", 11)
    robot.offer("honest")
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "time", lambda now=loop.time: now() + 0.6)
    robot.shut("another")

    assert robot.begun[-1] == ("honest", "pc-1")
    assert len(robot.made) == 11


async def test_an_offer_that_waits_for_the_rate_is_taken_in_its_time(robot: Robot) -> None:
    """Nothing has to happen for it."""
    for number in range(1, 12):
        robot.offer("a", number)
        robot.made[-1].answer()
    early = len(robot.made)
    await robot.wait_for_the_next()

    assert (early, robot.begun[-1]) == (10, ("a", "pc-11"))


async def test_candidates_follow_the_offer_that_they_came_after(robot: Robot) -> None:
    """Those of an offer that waits wait with it, the newest of them."""
    robot.offer("a")
    robot.peers.add(SessionId("a"), PcId("pc-1"), Candidate("0"))
    robot.offer("a", sdp="v=1\r\n")
    many = [Candidate(str(number)) for number in range(1, 100)]
    for candidate in many:
        robot.peers.add(SessionId("a"), PcId("pc-1"), candidate)
    (made,) = robot.made
    before = list(made.taken)
    made.answer()

    assert before == [OFFER, Candidate("0")]
    assert made.taken[2:] == ["v=1\r\n", *many[-peers.CANDIDATES_PER_OFFER :]]


async def test_candidates_wait_on_when_another_offer_for_their_peer_connection_comes(
    robot: Robot,
) -> None:
    """They may be named in neither."""
    robot.offer("a")
    robot.offer("a", sdp="second")
    candidate = Candidate("candidate:1")
    robot.peers.add(SessionId("a"), PcId("pc-1"), candidate)
    robot.offer("a", sdp="third")
    robot.made[0].answer()

    assert robot.made[0].taken == [OFFER, "third", candidate]


async def test_an_offer_that_is_too_large_makes_no_peer_connection(robot: Robot) -> None:
    """Its client is told; the same offer to an open peer connection leaves that as it is."""
    large = "a=x\r\n" * MAX_SDP_BYTES
    robot.offer("a", sdp=large)
    robot.offer("b")
    robot.made[0].answer()
    robot.offer("b", sdp=large)
    first, answered, second = robot.told

    assert (robot.begun, robot.made[0].taken) == ([("b", "pc-1")], [OFFER])
    assert isinstance(answered, Answered)
    assert isinstance(first, Refused)
    assert isinstance(second, Refused)
    assert (first.code, first.peer_continues, second.peer_continues) == ("too_large", False, True)


@pytest.mark.parametrize(
    "end", [Failed, lambda session, pc: Refused(session, pc, "not_acceptable", "no")]
)
async def test_one_that_ends_without_an_answer_makes_room_too(
    robot: Robot, end: Callable[..., Event]
) -> None:
    """Whatever it ends with."""
    robot.offer("a")
    robot.offer("a", sdp="v=1\r\n")
    robot.made[0].tell(end(*robot.made[0].key))

    assert robot.made[0].taken == [OFFER, "v=1\r\n"]


async def test_one_that_cannot_be_made_is_told_and_holds_up_nothing(robot: Robot) -> None:
    """Neither its own session's next offer nor another's."""
    robot.failures = 1
    robot.offer("a", 1)
    robot.offer("a", 2)
    robot.offer("b")
    (refusal,) = robot.told

    assert isinstance(refusal, Refused)
    assert (refusal.pc_id, refusal.code) == ("pc-1", "unavailable")
    assert robot.begun == [("a", "pc-2"), ("b", "pc-1")]


async def test_the_end_closes_all_and_takes_no_offer_any_more(robot: Robot) -> None:
    """Those that cannot be closed in time are left."""
    for who in ("a", "b"):
        robot.offer(who)
    robot.offer("a", sdp="v=1\r\n")
    robot.made[0].may_close.set()
    await robot.peers.close(0.05)

    assert all(made.is_closing.is_set() for made in robot.made)
    assert robot.made[0].taken == [OFFER]


def test_a_lane_gives_a_burst_and_then_its_rate() -> None:
    """A sender that has waited long has the burst again, and no more than that."""
    lane = OfferLimit(at_once=1, a_second=2, burst=3)

    def begin(now: float) -> int:
        count = 0
        while lane.seconds(now) == 0:
            lane.count(now)
            count += 1
        return count

    assert [begin(now) for now in (0.0, 0.25, 0.5, 1.0, 100.0)] == [3, 0, 1, 1, 3]
