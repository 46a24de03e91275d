"""What `robosignal.server.ports.Store` promises of connections' rows, kept by both stores."""

import pytest

from robosignal.protocol.ids import ConnectionId, SessionId
from robosignal.server.core.conditional_writes import Write
from robosignal.server.core.steps import ConditionFailed, Watcher, Written
from robosignal.server.core.writes import connections
from robosignal.server.ports import Store
from tests.server.aws.items import C1, C2, NOW, R1, row


def test_a_row_reads_back_whole(store: Store) -> None:
    """Every field, whether it was given or not."""
    full = row(
        name="Ann",
        groups=("drivers", "Admins"),
        kind="robot",
        dialect="v1",
        robot_id=R1,
        sessions=frozenset({SessionId("r1:x")}),
        watcher_user_id="ann",
    )
    store.add_connection(full)
    store.add_connection(row(C2))

    assert store.connection(C1) == full
    assert store.connection(C2) == row(C2)


def test_an_unknown_connection_has_no_row(store: Store) -> None:
    """Neither read finds one, and there is none to remove."""
    assert store.connection(C1) is None
    assert store.sender(C1) is None
    assert store.remove_connection(C1) is None


def test_removing_a_row_returns_it(store: Store) -> None:
    """The row as it was at its end, with what was noted on it meanwhile."""
    store.add_connection(row())
    store.write_connection(C1, connections.note_session(C1, SessionId("r1:x"), "v1"))

    assert store.remove_connection(C1) == row(sessions=frozenset({SessionId("r1:x")}))
    assert store.connection(C1) is None
    assert store.remove_connection(C1) is None


def test_a_write_to_a_row_returns_it_before_and_after(store: Store) -> None:
    """Won says what the row was and what it became."""
    store.add_connection(row())

    outcome = store.write_connection(C1, connections.switch_to_v1(C1))

    assert outcome == Written(row(), row(dialect="v1"))
    assert store.connection(C1) == row(dialect="v1")


def test_a_refused_write_to_a_row_returns_it_as_it_is(store: Store) -> None:
    """Refused explains itself, and nothing has changed."""
    busy = row(sessions=frozenset({SessionId("r1:x")}))
    store.add_connection(busy)

    assert store.write_connection(C1, connections.switch_to_v1(C1)) == ConditionFailed(busy)
    assert store.connection(C1) == busy


@pytest.mark.parametrize(
    "write",
    [
        connections.switch_to_v1(C1),
        connections.note_robot(C1, R1, "v1"),
        connections.note_session(C1, SessionId("r1:x"), "v1"),
        connections.forget_session(SessionId("r1:x")),
        connections.watch(C1, "ann"),
        connections.unwatch(),
    ],
    ids=lambda write: write.name,
)
def test_no_write_makes_a_row(store: Store, write: Write) -> None:
    """A connection that is gone stays gone, whatever arrives late."""
    assert store.write_connection(C1, write) == ConditionFailed(None)
    assert store.connection(C1) is None


def test_the_last_session_leaves_no_empty_set(store: Store) -> None:
    """A row whose sessions have ended is as if it had none: it may speak v1 still."""
    store.add_connection(row())
    store.write_connection(C1, connections.note_session(C1, SessionId("r1:x"), "v1"))
    store.write_connection(C1, connections.forget_session(SessionId("r1:x")))

    assert store.write_connection(C1, connections.switch_to_v1(C1)) == Written(
        row(), row(dialect="v1")
    )


def test_a_sender_whose_dialect_may_change_is_read_as_it_is(store: Store) -> None:
    """A seed connection that asks for v1 speaks v1 from then on."""
    store.add_connection(row())
    assert store.sender(C1) == row()

    store.write_connection(C1, connections.switch_to_v1(C1))

    assert store.sender(C1) == row(dialect="v1")


@pytest.mark.parametrize("dialect", ["seed", "v1"])
def test_a_sender_from_memory_hides_no_removal(store: Store, dialect: str) -> None:
    """However often the sender was asked for, `connection` tells that the row is gone."""
    store.add_connection(row(dialect=dialect))
    store.sender(C1)
    store.remove_connection(C1)

    assert store.connection(C1) is None
    assert store.sender(C1) is None


def test_watchers_are_listed_until_they_leave(store: Store) -> None:
    """Each list has its own; unwatching takes one off, and so does the row's end."""
    for connection in (C1, C2, ConnectionId("c3=")):
        store.add_connection(row(connection))
        store.write_connection(connection, connections.watch(connection, "ann"))
    store.write_connection(C2, connections.watch(C2, "#admins"))

    assert set(store.watchers("ann")) == {
        Watcher(C1, NOW + 1000),
        Watcher(ConnectionId("c3="), NOW + 1000),
    }
    assert store.watchers("#admins") == (Watcher(C2, NOW + 1000),)

    store.write_connection(C1, connections.unwatch())
    store.remove_connection(ConnectionId("c3="))

    assert store.watchers("ann") == ()
    assert store.watchers("stranger") == ()


def test_a_connection_that_opens_twice_stays_what_it_has_become(store: Store) -> None:
    """An event delivered again does not undo what the connection has registered since."""
    store.add_connection(row())
    store.write_connection(C1, connections.note_robot(C1, R1, "v1"))

    store.add_connection(row())

    again = store.connection(C1)
    assert again is not None
    assert again.robot_id == R1


def test_a_row_is_remembered_only_while_it_is_settled(store: Store) -> None:
    """A seed's only session settles its dialect; once the session has ended, the row is read."""
    session = SessionId("r1:x")
    store.add_connection(row(dialect="seed"))
    store.write_connection(C1, connections.note_session(C1, session, "seed"))
    noted = store.sender(C1)
    store.write_connection(C1, connections.forget_session(session))

    assert noted == row(dialect="seed", sessions=frozenset({session}))
    assert store.sender(C1) == row(dialect="seed")
