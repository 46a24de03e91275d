"""ICE servers that a deployment may configure: each is one that a browser takes."""

from typing import Any

import pytest
from playwright.async_api import Browser

from robosignal.server.ice.static import check_servers

Server = dict[str, Any]

PASSWORD = {"username": "u", "credential": "c"}

TAKEN: list[Server] = [
    {"urls": "stun:stun.example.org"},
    {"urls": ["stun:stun.example.org:3478", "stuns:stun.example.org:5349"]},
    {"urls": "stun:[2001:db8::1]:3478"},
    {"urls": "stun:192.0.2.1"},
    {"urls": "stun:a_b.example"},
    {"urls": "stun:h", "note": "an unknown key is passed over"},
    {"urls": "stun:h", "username": None},
    {"urls": "turn:h", **PASSWORD},
    {"urls": "turn:h:65535?transport=udp", **PASSWORD},
    {"urls": ["stun:h", "turns:h:443?transport=tcp"], **PASSWORD, "credentialType": "password"},
    {"urls": "turn:h", "username": "u" * 508, "credential": "c"},
]

REFUSED: list[tuple[Server, str]] = [
    ({}, "needs urls"),
    ({"urls": []}, "needs urls"),
    ({"urls": 7}, "needs urls"),
    ({"urls": ["stun:h", ""]}, "'' is not a URL"),
    ({"urls": "http://h"}, "is not a URL"),
    ({"urls": "stun:"}, "is not a URL"),
    ({"urls": "stun://h"}, "is not a URL"),
    ({"urls": "stun:h/"}, "is not a URL"),
    ({"urls": "stun: h"}, "is not a URL"),
    ({"urls": "stun:h:"}, "is not a URL"),
    ({"urls": "stun:::1"}, "is not a URL"),
    ({"urls": "stun:h:3478?transport=udp"}, "must not name a transport"),
    ({"urls": "turn:u@h", **PASSWORD}, "is not a URL"),
    ({"urls": "turn:h?transport=tls", **PASSWORD}, "is not a URL"),
    ({"urls": "turn:h:99999", **PASSWORD}, "a port from 1 to 65535"),
    ({"urls": "turn:h:0", **PASSWORD}, "a port from 1 to 65535"),
    ({"urls": "turn:t.example.org"}, "needs username"),
    ({"urls": "turn:h", "username": "u"}, "needs credential"),
    ({"urls": "turn:h", "username": "", "credential": "c"}, "needs username"),
    ({"urls": "turn:h", "username": "u", "credential": ""}, "needs credential"),
    ({"urls": "turn:h", "username": "\u00fc" * 300, "credential": "c"}, "at most 508 bytes"),
]

CONSTRUCT = """servers => servers.map((server) => {
  try {
    new RTCPeerConnection({ iceServers: [server] }).close();
    return true;
  } catch {
    return false;
  }
})"""


@pytest.mark.asyncio(loop_scope="module")
async def test_what_is_taken_and_what_is_refused_is_as_in_a_browser(browser: Browser) -> None:
    """Either way: a server that the browser refuses would keep every page from driving."""
    page = await browser.new_page()
    verdicts = await page.evaluate(CONSTRUCT, [*TAKEN, *(server for server, _ in REFUSED)])
    await page.close()

    check_servers(TAKEN)
    assert verdicts == [True] * len(TAKEN) + [False] * len(REFUSED)


@pytest.mark.parametrize(("server", "told"), REFUSED)
def test_a_refused_server_is_told_with_its_place(server: Server, told: str) -> None:
    """It may be one of many."""
    with pytest.raises(ValueError, match=r"^entry 2: ") as refused:
        check_servers([TAKEN[0], server])

    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("server", "told"),
    [
        ({"urls": "stun:h", "username": 7}, "username must be a text"),
        ({"urls": "turn:h", "username": "u", "credential": {"macKey": "k"}}, "must be a text"),
        ({"urls": "turn:h", **PASSWORD, "credentialType": "oauth"}, "must be password"),
        ({"urls": "stun:[1:2]"}, "At least 3 parts"),
        ({"url": "stun:h"}, "needs urls"),
    ],
)
def test_what_only_some_browsers_or_robots_refuse_is_refused_too(server: Server, told: str) -> None:
    """A server is for every peer."""
    with pytest.raises(ValueError, match=r"^entry 1: ") as refused:
        check_servers([server])

    assert told in str(refused.value)
