"""Pushed presence: a watcher hears of each change, and of nothing else."""

from typing import Any

import pytest

from robosignal.gateway.store import LocalStore
from robosignal.protocol import limits
from robosignal.server.core.steps import Watcher
from tests.tokens import signer
from tests.world import Peer, World

SDP = {"sdp": "o"}


def presence(peer: Peer) -> list[dict[str, Any]]:
    """Return the presence frames since the last look, without the rest."""
    return [frame for frame in peer.take() if frame["type"] == "presence"]


def test_watch_answers_with_how_things_stand(world: World) -> None:
    """The reply lists the robots; only changes are pushed after it."""
    world.robot("r1", "owner")
    watcher = world.connect("owner")

    reply = watcher.ask(type="watch")

    assert (reply["type"], reply["robots"][0]["robotId"]) == ("robots", "r1")
    assert watcher.take() == []


def test_a_robot_that_comes_and_goes_is_told(world: World) -> None:
    """Online when it registers, offline when its socket is lost, each with a higher rev."""
    watcher = world.connect("owner")
    watcher.ask(type="watch")

    robot = world.robot("r1", "owner")
    (came,) = presence(watcher)
    rev = world.item().rev
    robot.disconnect()
    (went,) = presence(watcher)

    assert came == {
        "type": "presence",
        "robotId": "r1",
        "rev": rev,
        "online": True,
        "validForSeconds": 300,
    }
    assert went == {
        "type": "presence",
        "robotId": "r1",
        "rev": rev + 1,
        "online": False,
        "validForSeconds": 0,
    }


def test_a_change_of_driver_is_told_to_owner_and_admins(world: World) -> None:
    """Who drives is pushed to the owner's page and to admins who watch every robot."""
    world.robot("r1", "owner")
    owner, admin = world.connect("owner"), world.connect("boss", groups=["ADMINS"])
    owner.ask(type="watch")
    admin.ask(type="watch", all=True)

    world.connect("owner").ask(type="offer", robotId="r1", payload=SDP)

    for watcher in (owner, admin):
        (told,) = presence(watcher)
        assert told["controlledBy"] == {"userId": "owner", "name": "Owner"}
        assert told["validForSeconds"] == 60


def test_a_redial_after_a_lapse_says_who_may_still_be_obeyed(world: World) -> None:
    """The robot obeys the last driver until the right ends: its push says so, as a list does."""
    world.connect("owner").ask(type="register", robotId="r1", instanceId="run1")
    world.connect("owner", ttl_s=120).offer()
    admin = world.connect("boss", groups=["ADMINS"])
    admin.ask(type="watch", all=True)

    def redial() -> dict[str, Any]:
        world.connect("owner").ask(type="register", robotId="r1", instanceId="run1")
        (told,) = presence(admin)
        (listed,) = admin.ask(type="robots", robotIds=["r1"])["robots"]
        fields = ("rev", "online", "validForSeconds", "controlledBy", "notRenewed")
        assert [told.get(name) for name in fields] == [listed.get(name) for name in fields]
        return {name: told.get(name) for name in ("controlledBy", "notRenewed")}

    driving = redial()
    world.pass_seconds(61)
    lapsed = redial()
    world.pass_seconds(60)
    ended = redial()

    person = {"userId": "owner", "name": "Owner"}
    assert driving == {"controlledBy": person, "notRenewed": None}
    assert lapsed == {"controlledBy": None, "notRenewed": person}
    assert ended == {"controlledBy": None, "notRenewed": None}


@pytest.mark.parametrize("v1", [True, False], ids=["v1", "seed"])
def test_a_loss_after_a_lapse_says_who_may_still_be_obeyed(world: World, *, v1: bool) -> None:
    """A robot of either dialect that only signaling has lost still hears the last driver."""
    robot = world.robot("r1", "owner", v1=v1)
    world.connect("owner").offer()
    watcher = world.connect("owner")
    watcher.ask(type="watch")
    world.pass_seconds(61)

    robot.disconnect()

    (told,) = presence(watcher)
    assert told["online"] is False
    assert told["notRenewed"] == {"userId": "owner", "name": "Owner"}


def test_strangers_and_those_who_do_not_watch_hear_nothing(world: World) -> None:
    """Presence goes to users who may see the robot and asked, and to no others."""
    idle, stranger = world.connect("owner"), world.connect("eve")
    stranger.ask(type="watch")

    world.robot("r1", "owner")

    assert idle.take() == []
    assert stranger.take() == []


def test_unwatch_ends_it(world: World) -> None:
    """After unwatch nothing is pushed."""
    watcher = world.connect("owner")
    watcher.ask(type="watch")
    watcher.ask(type="unwatch")

    world.robot("r1", "owner")

    assert watcher.take() == []


def test_a_renewal_is_no_news(world: World) -> None:
    """Pings renew presence and the lease without a push."""
    robot = world.robot("r1", "owner")
    driver = world.connect("owner")
    session = driver.ask(type="offer", robotId="r1", payload=SDP)["sessionId"]
    watcher = world.connect("owner")
    watcher.ask(type="watch")

    robot.ask(type="ping", robotId="r1")
    driver.ask(type="ping", sessionId=session)

    assert watcher.take() == []


def test_a_watcher_that_is_gone_is_removed(world: World) -> None:
    """One post finds it gone; after that there is no post to it."""
    watcher = world.connect("owner")
    watcher.ask(type="watch")
    watcher.vanish()
    robot = world.robot("r1", "owner")
    before = world.outbox.posts

    robot.ask(type="unregister", robotId="r1")

    assert world.outbox.posts == before
    row = world.store.connection(watcher.connection_id)
    assert row is not None
    assert row.watcher_user_id is None


def test_a_robot_found_gone_by_a_refused_offer_is_told(world: World) -> None:
    """A refusal that had to clean up is news as well."""
    robot = world.robot("r1", "owner")
    watcher, driver = world.connect("owner"), world.connect("owner")
    watcher.ask(type="watch")
    robot.vanish()

    refused = driver.ask(type="offer", robotId="r1", payload=SDP)

    assert refused["code"] == "robot_offline"
    (told,) = presence(watcher)
    assert told["online"] is False


def test_only_an_admin_watches_every_robot(local_world: World) -> None:
    """`all` from anyone else is forbidden, and nothing is noted."""
    user = local_world.connect("owner")

    refused = user.ask(type="watch", all=True)

    assert (user.status, refused["code"]) == (403, "forbidden")


def test_a_seed_connection_is_sent_nothing_unasked(local_world: World) -> None:
    """A seed client cannot watch: it would be sent frames that it does not know."""
    user = local_world.connect("owner", v1=False)

    refused = user.ask(type="watch")

    assert refused["code"] == "forbidden"


def test_watchers_that_cannot_be_told_do_not_refuse_the_message(local_world: World) -> None:
    """The change is kept, so its sender is told that it was carried out."""
    local_world.connect("owner").ask(type="watch")
    local_world.outbox.busy = True

    robot = local_world.connect("owner")
    reply = robot.ask(type="register", robotId="r1")

    assert (robot.status, reply["type"]) == (200, "registered")


def test_one_users_many_pages_do_not_keep_the_others_from_hearing(local_world: World) -> None:
    """Of those who watch, one of each user is told in turn, until all places are taken."""
    local_world.robot("r1", "owner")
    for _ in range(limits.WATCHERS + 5):
        local_world.connect("owner").ask(type="watch")
    admin = local_world.connect("boss", groups=["ADMINS"])
    admin.ask(type="watch", all=True)

    local_world.connect("owner").offer()

    assert [frame["type"] for frame in admin.take()] == ["presence"]


class Lagging(LocalStore):
    """A store whose index of watchers knows nothing yet of those who have just begun."""

    lags = True

    def watchers(self, watcher: str) -> tuple[Watcher, ...]:
        """Return no watcher as long as it lags."""
        return () if self.lags else super().watchers(watcher)


def test_a_change_that_the_index_of_watchers_has_missed_is_in_the_second_list() -> None:
    """Neither the reply to `watch` nor a push tells of it; what changes later is pushed."""
    store = Lagging(None)
    world = World(store, signer())
    world.robot("r1", "owner").disconnect()
    page = world.connect("owner")
    before = page.ask(type="watch")["robots"]
    world.pass_seconds(0.3)
    robot = world.robot("r1", "owner")
    pushed = page.take()
    store.lags = False
    world.pass_seconds(limits.SECOND_LOOK_SECONDS)

    after = page.ask(type="robots")["robots"]
    robot.disconnect()

    assert ([each["online"] for each in before], pushed) == ([False], [])
    assert [each["online"] for each in after] == [True]
    assert [frame["online"] for frame in page.take()] == [False]
