"""Who drives by replies and pushes that overtake each other, without a network."""

from typing import Any

import pytest

from robosignal.operator.control import Control
from robosignal.operator.errors import OperatorError
from robosignal.operator.events import ControlGained, ControlLost, DriverChanged
from robosignal.protocol.frames import Person
from robosignal.protocol.ids import UserId

BOB = Person(UserId("bob"), "Bob")
BOB_FRAME = {"userId": "bob", "name": "Bob"}


@pytest.fixture
def events() -> list[object]:
    """Return what is told."""
    return []


@pytest.fixture
def control(events: list[object]) -> Control:
    """Return a session that drives at epoch 5."""
    made = Control(events.append)
    made.adopt_ack({"sessionId": "s1", "role": "controller", "epoch": 5}, 0, "controller")
    return made


def lost(epoch: int, session_id: str = "s1") -> dict[str, Any]:
    """Return the push of a loss."""
    return {"type": "control-lost", "sessionId": session_id, "by": BOB_FRAME, "epoch": epoch}


def test_a_granted_offer_drives(control: Control, events: list[object]) -> None:
    """At the epoch of the ack."""
    assert (control.role, control.epoch, control.want) == ("controller", 5, "controller")
    assert events == [ControlGained(5)]


def test_a_takeover_ends_the_session(control: Control, events: list[object]) -> None:
    """It views from then on, and its next offer asks for no more."""
    assert control.hear_lost(lost(6), now=1)
    assert (control.role, control.want, control.session_id) == ("viewer", "viewer", None)
    assert (control.driver, control.lost_to, control.is_stale) == (BOB, BOB, False)
    assert events[1:] == [ControlLost(BOB, 6)]


def test_a_loss_of_the_past_or_of_another_session_changes_nothing(control: Control) -> None:
    """Pushes are late when they have an epoch below the highest seen."""
    assert not control.hear_lost(lost(4), now=1)
    assert not control.hear_lost(lost(6, "s0"), now=1)
    assert control.role == "controller"


def test_an_ack_that_a_push_has_overtaken_gives_no_control(control: Control) -> None:
    """It was asked for at epoch 5, and the push of epoch 7 came before the reply of epoch 6."""
    control.hear_lost(lost(7), now=1)
    control.adopt_ack({"sessionId": "s2", "role": "controller", "epoch": 6}, 5, "controller")

    assert (control.role, control.epoch) == ("viewer", 7)


def test_an_ack_of_a_robot_that_counts_from_1_again_is_believed(control: Control) -> None:
    """The server was asked after the highest epoch was seen, so the lower one is newer."""
    control.adopt_ack({"sessionId": "s3", "role": "controller", "epoch": 1}, 5, "controller")

    assert (control.role, control.epoch, control.session_id) == ("controller", 1, "s3")


def test_a_release_by_the_driver_frees_control(control: Control, events: list[object]) -> None:
    """Those who view learn it from the push `control` without a person."""
    control.hear_control({"epoch": 6, "sessionId": "s9", "person": BOB_FRAME}, 1)
    control.hear_control({"epoch": 7}, 2)

    assert (control.role, control.driver, control.is_stale) == ("viewer", None, False)
    assert control.lost_to is None
    assert events[1:] == [ControlLost(BOB, 6), DriverChanged(None, 7)]


def test_control_is_granted_by_a_push(control: Control, events: list[object]) -> None:
    """It names this session."""
    control.hear_control({"epoch": 6, "sessionId": "s9", "person": BOB_FRAME}, 1)
    control.hear_control({"epoch": 7, "sessionId": "s1"}, 2)

    assert control.role == "controller"
    assert events[-1] == ControlGained(7)


def test_a_listing_that_is_older_than_a_push_is_ignored(control: Control) -> None:
    """It was asked for before the driver had released."""
    control.hear_control({"epoch": 6}, 10)
    control.adopt_listing({"controlledBy": BOB_FRAME}, asked_at=9)
    before = control.driver
    control.adopt_listing({"controlledBy": BOB_FRAME}, asked_at=11)

    assert (before, control.driver) == (None, BOB)


def test_a_listing_is_no_answer_to_a_call_that_wants_to_drive(control: Control) -> None:
    """Its offer still asks for control."""
    control.hear_control({"epoch": 6}, 1)
    control.want = "controller"
    control.adopt_listing({"controlledBy": BOB_FRAME}, asked_at=2)

    assert control.want == "controller"


def test_the_reply_to_a_renewal_makes_good_for_a_lost_push(control: Control) -> None:
    """Who drives is then unknown until a listing says so."""
    control.adopt_pong({"sessionId": "s1", "role": "viewer", "epoch": 6})

    assert (control.role, control.epoch, control.is_stale) == ("viewer", 6, True)


def test_a_driver_whose_robot_goes_away_asks_to_drive_again(control: Control) -> None:
    """And if another user drives by then, it views."""
    assert control.hear_left({"sessionId": "s1", "reason": "unregistered", "epoch": 6}, 1)
    assert (control.role, control.want) == ("viewer", "controller")
    control.view_instead(OperatorError("robot_busy", "taken", driver=BOB))
    assert (control.want, control.driver) == ("viewer", BOB)


def test_after_an_eviction_epochs_may_start_over(control: Control) -> None:
    """So what the next ack says is believed, whatever was pushed before."""
    control.hear_left({"sessionId": "s1", "reason": "evicted"}, 1)
    control.hear_control({"epoch": 9}, 2)
    control.adopt_ack({"sessionId": "s2", "role": "viewer", "epoch": 1}, 0, "viewer")

    assert control.epoch == 1


def test_what_this_session_gives_up_is_lost_to_no_one(
    control: Control, events: list[object]
) -> None:
    """A release is free control; after a grant another user drives, and a listing will say who."""
    control.give_up({"epoch": 6}, None)
    after_release = control.is_stale
    control.adopt_ack({"epoch": 7}, 6, "controller")
    control.give_up({"epoch": 8}, "s9")

    assert (after_release, control.is_stale) == (False, True)
    assert events[-1] == ControlLost(None, 8)
