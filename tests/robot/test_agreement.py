"""Whom the robot obeys and whom the server names, over a network that keeps no order.

What is proven, of the robot's shipped logic against the shipped backend, for the seeds played:
the robot is never ahead of the server, and at the server's epoch it obeys whom the server names,
or none. Once everything has come, it has the server's driver, and no peer of a session that has
ended. If frames are lost on top, one heartbeat brings the driver right, and the next registration
the peers. If it is forgotten as well, as often as people like, two heartbeats do: by the first it
registers again, and by the second it tells frames of its former life. What is not: two devices of
one id, and clocks.
"""

import os
from collections.abc import Callable, Iterator

from tests.robot.simulation import Simulation

SEEDS = 5000 if os.environ.get("ROBOSIGNAL_SOAK") else 120
ACTS = 40


Record = Callable[[str, object], None]


def figure(what: str) -> tuple[str, str]:
    """Return what is printed of a property that has held."""
    return what, f"{SEEDS} runs of up to {ACTS} acts, 0 disagreements"


def played(simulation: Simulation) -> Iterator[None]:
    """Have the simulation do some dozens of things; yield after each."""
    for _ in range(simulation.random.randrange(5, ACTS)):
        simulation.act()
        yield


def server(simulation: Simulation) -> tuple[int, str | None]:
    """Return the epoch, and whom it names, as the server has them."""
    item = simulation.world.item()
    return item.epoch, item.controller.session_id if item.controller else None


def obeyed(simulation: Simulation) -> tuple[int, str | None]:
    """Return the epoch, and whom it names, as the robot has them."""
    return simulation.robot.control.fence.epoch, simulation.robot.control.fence.holder


def test_robot_is_never_ahead_of_the_server(record_property: Record) -> None:
    """No epoch is higher than the server's, and at that one only its holder drives."""
    record_property(*figure("robot is never ahead of the server"))
    for seed in range(SEEDS):
        simulation = Simulation(seed, lossy=seed % 2 == 0)
        for _ in played(simulation):
            (epoch, holder), (seen, driver) = server(simulation), obeyed(simulation)

            assert seen <= epoch, seed
            assert seen < epoch or driver in {holder, None}, seed


def test_robot_agrees_with_the_server_once_everything_has_come(record_property: Record) -> None:
    """In whatever order: the server's driver drives, and who has left is shown nothing."""
    record_property(*figure("robot agrees with the server once everything has come"))
    for seed in range(SEEDS):
        simulation = Simulation(seed)
        for _ in played(simulation):
            pass
        simulation.settle()

        assert obeyed(simulation) == server(simulation), seed
        assert set(simulation.robot.peers) <= simulation.sessions(), seed


def play_and_settle(simulation: Simulation) -> None:
    """Play to the end; from then on no frame is lost, and every one arrives."""
    for _ in played(simulation):
        pass
    simulation.network.lossy = False
    simulation.settle()


def test_robot_agrees_with_the_server_one_heartbeat_after_frames_were_lost(
    record_property: Record,
) -> None:
    """Posts that AWS was too busy for, frames that never came, or came twice."""
    record_property(*figure("robot agrees with the server one heartbeat after frames were lost"))
    for seed in range(SEEDS):
        simulation = Simulation(seed, lossy=True)
        play_and_settle(simulation)
        simulation.beat()

        assert obeyed(simulation) == server(simulation), seed


def test_robot_agrees_with_the_server_two_heartbeats_after_it_was_forgotten(
    record_property: Record,
) -> None:
    """Frames of a life that is over come late, and name sessions at the new life's epochs."""
    record_property(*figure("robot agrees with the server two heartbeats after it was forgotten"))
    for seed in range(SEEDS):
        simulation = Simulation(seed, lossy=seed % 2 == 0, forgotten=True)
        play_and_settle(simulation)
        simulation.beat()
        simulation.beat()

        assert obeyed(simulation) == server(simulation), seed


def test_redial_closes_the_peers_whose_end_was_lost(record_property: Record) -> None:
    """Whatever was lost before: at the latest then no session that has left is a viewer."""
    record_property(*figure("redial closes the peers whose end was lost"))
    for seed in range(SEEDS):
        simulation = Simulation(seed, lossy=True)
        play_and_settle(simulation)
        simulation.redial()
        simulation.settle()

        assert set(simulation.robot.peers) <= simulation.sessions(), seed


def test_robot_asks_nothing_needlessly_while_order_is_kept(record_property: Record) -> None:
    """Where every frame comes as it was sent, it registers once on each connection."""
    record_property(*figure("robot asks nothing needlessly while order is kept"))
    for seed in range(SEEDS):
        simulation = Simulation(seed, orderly=True)
        for _ in played(simulation):
            simulation.settle()

        assert simulation.registers == simulation.dials, seed
