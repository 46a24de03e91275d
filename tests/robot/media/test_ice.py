from typing import Any

from robosignal.robot.media.ice import configure


def test_no_servers_means_none() -> None:
    """Without a list the library would ask a public server."""
    assert configure([]).iceServers == []


def test_turn_server_keeps_its_credential() -> None:
    """Each of its addresses becomes a server."""
    urls = ["turn:a.example:3478?transport=udp", "turns:a.example:443?transport=tcp"]
    servers = configure([{"urls": urls, "username": "u", "credential": "c"}]).iceServers

    assert [(one.urls, one.username, one.credential) for one in servers or []] == [
        (urls[0], "u", "c"),
        (urls[1], "u", "c"),
    ]


def test_server_that_cannot_be_read_is_left_out() -> None:
    """One bad address does not cost the peer connections the good one."""
    given: list[dict[str, Any]] = [
        {"urls": "http://a.example"},
        {"urls": 7},
        {},
        {"urls": "stun:a.example"},
    ]

    assert [one.urls for one in configure(given).iceServers or []] == ["stun:a.example"]
