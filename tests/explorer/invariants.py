"""All that must be true of every schedule."""

from collections.abc import Callable, Iterator
from itertools import chain

from tests.explorer import (
    frames_rules,
    interval_rules,
    invitations_rules,
    items_rules,
    keys_rules,
)
from tests.explorer.history import History

Rule = Callable[[History], Iterator[str]]

RULES: tuple[Rule, ...] = (
    items_rules.one_holder_an_epoch,
    items_rules.rev_follows,
    items_rules.one_session_a_connection,
    items_rules.only_the_rightful_take,
    items_rules.only_the_rightful_displace,
    items_rules.only_the_owner_of_time_lengthens_it,
    items_rules.a_lost_socket_keeps_nothing,
    items_rules.sessions_are_as_their_connections,
    items_rules.newest_socket_wins,
    items_rules.nothing_outlasts_a_share,
    items_rules.only_the_user_accepts,
    items_rules.only_the_rightful_end_shares,
    keys_rules.three_keys_at_most,
    keys_rules.only_the_rightful_let_keys_in,
    keys_rules.an_enrolled_key_stays,
    keys_rules.only_usable_keys_register,
    keys_rules.a_revoked_key_never_registers,
    keys_rules.each_assertion_registers_once,
    keys_rules.a_codes_uses_are_counted,
    invitations_rules.shares_are_the_invitations,
    invitations_rules.no_use_comes_back,
    invitations_rules.a_new_owner_voids_them,
    invitations_rules.no_right_is_lessened,
    invitations_rules.what_was_acknowledged_was_there,
    frames_rules.frames_name_the_holder,
    frames_rules.only_the_holder_is_relayed_as_such,
    frames_rules.frames_reach_their_session_alone,
    frames_rules.replies_are_true,
    frames_rules.the_displaced_are_told,
    frames_rules.the_robot_is_told,
    frames_rules.rights_are_the_holders,
    frames_rules.every_sessions_right_is_told,
    frames_rules.offers_bear_their_senders_right,
    frames_rules.the_robot_hears_of_a_longer_right,
    frames_rules.watchers_hear_the_truth,
    interval_rules.intervals_are_the_sessions,
    interval_rules.drivers_never_overlap,
)


def broken_by(history: History) -> list[str]:
    """Return every way in which this history breaks a rule."""
    return list(chain.from_iterable(rule(history) for rule in RULES))
