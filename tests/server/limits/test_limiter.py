"""The token bucket: how fast a connection may send, and when a strike counts."""

import pytest
from msgspec import structs

from robosignal.protocol.frames import Ack
from robosignal.protocol.ids import ConnectionId, SessionId, UserId
from robosignal.protocol.limits import PEERS
from robosignal.protocol.messages import Answer, IceCandidate, Offer, Robots
from robosignal.server.limits.limiter import KEPT, Buckets, Unlimited
from tests.server.aws.items import row

ME, OTHER = ConnectionId("me="), ConnectionId("other=")
NOW = 1_800_000_000_000


def strikes(buckets: Buckets, messages: int, at: int) -> list[int]:
    """Return what so many messages at one moment count as."""
    return [buckets.strike(ME, at) for _ in range(messages)]


def test_a_burst_is_within_the_limits() -> None:
    """A hundred at once; the next one is a strike."""
    buckets = Buckets()

    assert strikes(buckets, 100, NOW) == [0] * 100
    assert buckets.strike(ME, NOW) == 1


@pytest.mark.parametrize("every_ms", [20, 100])
def test_fifty_a_second_are_within_the_limits_for_ever(every_ms: int) -> None:
    """At that pace, or slower, nothing ever counts."""
    buckets = Buckets()

    assert not any(buckets.strike(ME, NOW + every_ms * number) for number in range(2000))


def test_twice_the_pace_ends_in_strikes() -> None:
    """A hundred a second use up the burst in two seconds, and go on counting."""
    buckets = Buckets()

    counted = [buckets.strike(ME, NOW + 10 * number) for number in range(600)]

    assert not any(counted[:199])
    assert max(counted) >= 3


def test_a_second_over_the_limit_is_one_strike() -> None:
    """However many messages it brought; the next second's is another."""
    buckets = Buckets(per_second=0)
    strikes(buckets, 100, NOW)

    assert strikes(buckets, 50, NOW) == [1] * 50
    assert buckets.strike(ME, NOW + 999) == 1
    assert buckets.strike(ME, NOW + 1000) == 2
    assert buckets.strike(ME, NOW + 2000) == 3


def test_strikes_are_forgotten_once_the_bucket_is_half_full() -> None:
    """A second's rest does not do; a little more does."""
    buckets = Buckets()
    strikes(buckets, 101, NOW)

    assert strikes(buckets, 60, NOW + 1000)[-1] == 2
    assert strikes(buckets, 60, NOW + 2000)[-1] == 3
    assert strikes(buckets, 60, NOW + 3100)[-1] == 1


@pytest.mark.parametrize("back_ms", [1, 5_000, 600_000])
def test_a_clock_that_is_set_back_costs_no_message(back_ms: int) -> None:
    """What was left is left, fills up at its pace again, and a strike is one for each second."""
    buckets = Buckets()
    strikes(buckets, 60, NOW)
    then = NOW - back_ms

    assert strikes(buckets, 41, then) == [0] * 40 + [1]
    assert strikes(buckets, 51, then + 1000) == [0] * 50 + [2]


def test_a_refused_message_costs_no_token() -> None:
    """A client that keeps hammering is let in again as soon as its bucket has one."""
    buckets = Buckets(per_second=1)
    strikes(buckets, 150, NOW)

    assert buckets.strike(ME, NOW + 999) != 0
    assert buckets.strike(ME, NOW + 1000) == 0


def test_each_connection_has_its_own_bucket() -> None:
    """One that sends too much takes nothing from another."""
    buckets = Buckets()
    strikes(buckets, 101, NOW)

    assert buckets.strike(OTHER, NOW) == 0


def test_a_connection_that_ended_is_forgotten() -> None:
    """Nothing is kept of it; to forget it twice is no error."""
    buckets = Buckets()
    strikes(buckets, 101, NOW)

    buckets.forget(ME)
    buckets.forget(ME)

    assert buckets.strike(ME, NOW) == 0


def test_memory_is_bounded() -> None:
    """The oldest bucket gives way once there are ten thousand."""
    buckets = Buckets(burst=1)
    assert [buckets.strike(ME, NOW), buckets.strike(ME, NOW)] == [0, 1]

    for number in range(KEPT):
        buckets.strike(ConnectionId(f"c{number}="), NOW)

    assert buckets.strike(ME, NOW) == 0


def asking_for_lists(buckets: Buckets, user: str) -> int:
    """Return which strike a list is, of a user who asks on a connection of its own each time."""
    by = structs.replace(row(ConnectionId(f"{user}=")), user_id=UserId(user))
    return buckets.judge(by, Robots(), NOW)


def test_memory_of_users_is_bounded() -> None:
    """So many users may come, and the bucket of the oldest gives way."""
    buckets = Buckets()
    while not asking_for_lists(buckets, "mallory"):
        buckets.forget(ConnectionId("mallory="))

    for number in range(KEPT):
        asking_for_lists(buckets, f"u{number}")

    assert asking_for_lists(buckets, "mallory") == 0


def test_peers_in_memory_are_bounded() -> None:
    """A robot whose viewers come and go all day has room for its newest ones."""
    buckets = Buckets()
    robot = row(ME)
    for number in range(10 * PEERS):
        offer = Answer(session_id=SessionId(f"r1:{number}"), payload={})
        buckets.judge(robot, offer, NOW + 20 * number)
        buckets.note(robot, offer, Ack(), NOW + 20 * number)
    then = NOW + 20 * 10 * PEERS
    for number in range(10 * PEERS - PEERS // 2, 10 * PEERS):
        candidate = IceCandidate(session_id=SessionId(f"r1:{number}"), payload={})
        assert [buckets.judge(robot, candidate, then) for _ in range(50)] == [0] * 50

    assert len(buckets._senders.get(ME).peers) <= PEERS  # type: ignore[union-attr]  # noqa: SLF001


def test_without_limits_nothing_counts() -> None:
    """For benchmarks."""
    unlimited = Unlimited()
    unlimited.note(row(ME), Offer(payload={}), Ack(), NOW)
    unlimited.refuse(row(ME), Offer(payload={}))
    unlimited.forget(ME)

    assert not any(unlimited.strike(ME, NOW) for _ in range(1000))
    assert not any(unlimited.judge(row(ME), Robots(), NOW) for _ in range(1000))
