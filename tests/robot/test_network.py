"""By which way a robot and a probe get out to their server."""

import pytest

from robosignal.network import proxy

PROXY = "http://proxy.invalid:3128"


@pytest.fixture(autouse=True)
def _behind_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network from which only the proxy leads out."""
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, PROXY)
    for name in ("no_proxy", "NO_PROXY", "all_proxy", "ws_proxy", "wss_proxy", "socks_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("url", ["ws://example.org/prod", "wss://10.0.0.7/prod"])
def test_server_on_the_network_is_reached_by_the_systems_proxy(url: str) -> None:
    """With TLS and without it."""
    assert proxy(url) == PROXY


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "[::1]", "localhost", "a.localhost"])
def test_server_on_this_machine_is_reached_directly(host: str) -> None:
    """The proxy would look for it on its own machine."""
    assert proxy(f"ws://{host}:8080/prod") is None


def test_name_that_only_looks_local_is_on_the_network() -> None:
    """What decides is where the name ends."""
    assert proxy("ws://localhost.example.org/prod") == PROXY
