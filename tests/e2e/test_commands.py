"""The commands as a person at a terminal meets them."""

import json
import urllib.request
from pathlib import Path

from tests.e2e.processes import Process, run


def test_the_demo_prints_links_and_its_robot_is_online(tmp_path: Path) -> None:
    """`serve --demo` is healthy, prints a link for the owner and one for an admin."""
    process = Process("serve", "--demo", "--port", "0", "--state", str(tmp_path))
    page = process.wait_for(r"is up at (http://\S+)")[1]

    process.wait_for(r"demo, .* (http://\S+/#code=\S+)")
    process.wait_for(r"admin, .* (http://\S+/#code=\S+)")
    process.wait_for("^demo: online")

    with urllib.request.urlopen(f"{page}health") as answer:
        assert answer.status == 200
    with urllib.request.urlopen(f"{page}.well-known/jwks.json") as answer:
        assert [key["alg"] for key in json.load(answer)["keys"]] == ["RS256"]
    assert process.stop() == 0


def test_a_taken_port_is_one_sentence_with_the_way_out(tmp_path: Path) -> None:
    """The second one says which port is taken, and how to choose another."""
    first = Process("serve", "--port", "0", "--state", str(tmp_path / "a"))
    port = first.wait_for(r"is up at http://127.0.0.1:(\d+)/")[1]

    second = Process(
        *("serve", "--port", port, "--state", str(tmp_path / "b")),
        environment={"MAKELEVEL": ""},  # that of the tests' own make
    )

    second.wait_for(rf"^robosignal: port {port} .* taken .*: stop it, or choose another with")
    assert second.ended() == 1
    assert first.stop() == 0


def test_a_second_process_on_the_same_state_is_refused(tmp_path: Path) -> None:
    """Two processes never share a state directory; the sentence names it."""
    first = Process("serve", "--port", "0", "--state", str(tmp_path))
    first.wait_for("is up at")

    second = Process("serve", "--port", "0", "--state", str(tmp_path))

    second.wait_for(f"^robosignal: another robosignal uses {tmp_path}: ")
    assert second.ended() == 1
    assert first.stop() == 0


def test_a_token_is_printed_alone(tmp_path: Path) -> None:
    """`robosignal token` prints one JWT and nothing else, so that a shell can use it."""
    token = run("token", "ann", "--group", "ADMINS", "--state", str(tmp_path))

    assert len(token.split(".")) == 3
    assert "\n" not in token


def test_a_robot_whose_token_is_refused_says_what_to_do(tmp_path: Path) -> None:
    """A token of another key: one sentence, exit code 1, no redial."""
    gateway = Process("serve", "--port", "0", "--state", str(tmp_path / "a"))
    url = gateway.wait_for(r"connect to (ws\S+)")[1]
    foreign = run("token", "ann", "--state", str(tmp_path / "b"))

    robot = Process("robot", "--url", url, "--robot-id", "r1", "--token", foreign)

    robot.wait_for("token is refused or expired")
    assert robot.ended() == 1
    assert gateway.stop() == 0


def test_another_users_robot_id_is_refused_with_what_to_do(tmp_path: Path) -> None:
    """A robot id that somebody else owns: one sentence, exit code 1."""
    gateway = Process("serve", "--port", "0", "--state", str(tmp_path))
    url = gateway.wait_for(r"connect to (ws\S+)")[1]
    first, second = (run("token", user, "--state", str(tmp_path)) for user in ("ann", "bob"))
    owned = Process("robot", "--url", url, "--robot-id", "r1", "--token", first)
    owned.wait_for("^r1: online")

    robot = Process("robot", "--url", url, "--robot-id", "r1", "--token", second)

    robot.wait_for("choose another")
    assert robot.ended() == 1
    owned.stop()
    gateway.stop()


def test_the_demo_robot_ends_with_a_gateway_that_was_killed(tmp_path: Path) -> None:
    """No robot is left behind when `serve` ends without a chance to stop it."""
    process = Process("serve", "--demo", "--port", "0", "--state", str(tmp_path))
    process.wait_for("^demo: online")

    process.kill()

    # The robot shares the gateway's output; the last end of that pipe closes with the robot.
    assert process.has_closed_its_output()
