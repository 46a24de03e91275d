"""Intervals made of audit lines: doubled, lost, out of order, or beginning in the middle."""

import logging
from itertools import pairwise
from random import Random

import msgspec
import pytest

from robosignal.gateway.store import LocalStore
from robosignal.server.audit import audit_log
from robosignal.server.core.conditional_writes import Write
from robosignal.server.core.intervals import REASONS, SAME_REV, Interval, Line, fold
from robosignal.server.core.writes import codes, connections
from robosignal.server.core.writes.attributes import CONTROLLER, REV
from tests.scenarios.keeping import keeping_world, read_all
from tests.server.core.conditions.every_case import CASES
from tests.tokens import NOW
from tests.world import World

WRITES = [several[0].write for several in CASES.values()]


class Kept(logging.Handler):
    """Keeps the audit's lines as a log of JSON would."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[Line] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one, by way of JSON."""
        self.lines.append(msgspec.json.decode(msgspec.json.encode(vars(record)), type=Line))


@pytest.fixture
def played(local_store: LocalStore) -> tuple[World, list[Line]]:
    """A world in which two drive and one watches, with the lines that it logged."""
    kept = Kept()
    level = audit_log.level
    audit_log.setLevel(logging.INFO)
    audit_log.addHandler(kept)
    try:
        world = keeping_world(local_store)
        world.robot("r1", "owner")
        owner, boss = world.connect("owner"), world.connect("boss", groups=["ADMINS"])
        viewer = world.connect("ann", groups=["ADMINS"])
        owner.offer()
        world.pass_seconds(5)
        viewer.offer(role="viewer")
        world.pass_seconds(5)
        boss.ask(type="takeover", robotId="r1")
        world.pass_seconds(5)
        viewer.disconnect()
        world.pass_seconds(5)
        boss.ask(type="bye", robotId="r1")
        world.pass_seconds(400)
        owner.offer()
    finally:
        audit_log.removeHandler(kept)
        audit_log.setLevel(level)
    return world, kept.lines


def facts(intervals: list[Interval], now: int) -> list[tuple[object, ...]]:
    """Return what a reader is told of each."""
    return [
        (each.user_id, each.role, each.since, each.until, each.reason, each.began_by, each.ended_by)
        for each in (one.judge(now) for one in intervals)
    ]


def test_the_log_alone_tells_the_same_as_the_file(played: tuple[World, list[Line]]) -> None:
    """What AWS has, and what one machine keeps."""
    world, lines = played

    assert facts(fold(lines), world.now) == facts(read_all(world), world.now)
    assert len(lines) == 7


def test_doubled_and_shuffled_lines_change_nothing(played: tuple[World, list[Line]]) -> None:
    """The order is that of the writes, whatever order a log returns."""
    world, lines = played
    due = facts(fold(lines), world.now)
    for seed in range(50):
        shuffled = [*lines, *lines[::2]]
        Random(seed).shuffle(shuffled)  # noqa: S311 - a test

        assert facts(fold(shuffled), world.now) == due, seed


def test_whichever_line_is_lost_nothing_is_claimed_that_was_not(
    played: tuple[World, list[Line]],
) -> None:
    """What is told of a driver is true, or marked: it began then or before, it ended by then."""
    _, lines = played
    due = {(each.session_id, each.epoch or 0): each for each in fold(lines) if each.epoch}
    for lost in range(len(lines)):
        rest = [line for number, line in enumerate(lines) if number != lost]
        drove = [each for each in fold(rest) if each.role == "controller"]
        for each in drove:
            true = due[each.session_id, each.epoch or 0]
            assert each.user_id == true.user_id
            assert each.since == true.since if each.since_known else each.since >= true.since
            if each.until is not None and true.until is not None:
                known = each.until == true.until
                assert known if each.until_known else each.until >= true.until
        for first, second in pairwise(drove):
            assert first.until is not None
            assert first.until <= second.since


def test_lines_that_begin_in_the_middle_tell_who_was_there(
    played: tuple[World, list[Line]],
) -> None:
    """The takeover's line names whom it displaced, though their beginning is not in the log."""
    _, lines = played
    takeover = next(line for line in lines if line.write.startswith("take_over"))

    first, second = fold([takeover])

    assert (first.user_id, first.since_known, first.reason) == ("owner", False, "takeover")
    assert (second.user_id, second.since_known) == ("boss", True)
    assert first.covers(NOW, NOW)


def test_a_session_without_any_line_for_long_has_ended(played: tuple[World, list[Line]]) -> None:
    """On AWS a socket's end may never be told; its connection lasts two hours at most."""
    world, lines = played
    last = fold(lines)[-1]
    later = world.now + 10 * 3600 * 1000

    assert last.judge(later).until is None
    judged = last.judge(later, longest_ms=7_500_000)
    assert (judged.until, judged.until_known) == (world.now + 7_500_000, False)


@pytest.mark.parametrize("write", WRITES, ids=lambda write: write.name)
def test_every_write_that_ends_sessions_has_a_reason(write: Write) -> None:
    """A new write that removes a driver or a viewer must say why."""
    ends = (
        write.changes(CONTROLLER)
        or write.changes(("viewers",))
        or any(each.path[0] == "viewers" and len(each.path) == 2 for each in write.then)
    )

    assert (write.name in REASONS) or not ends or write.name == "add_viewer"


@pytest.mark.parametrize("write", WRITES, ids=lambda write: write.name)
def test_every_write_that_is_logged_has_its_place_in_the_order(write: Write) -> None:
    """It raises `rev`, or is listed among those that come after the one that did."""
    of_a_row = hasattr(connections, write.name) or write.name == "speak_v1"
    of_a_code = hasattr(codes, write.name) or write.name == "create_code"
    logged = not write.renewal and not of_a_row and not of_a_code

    assert (write.name in SAME_REV) == (logged and not write.increments(REV))
