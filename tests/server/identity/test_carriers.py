"""Where a connection request may carry its token, and from which pages it may come."""

import re

import pytest

from robosignal.protocol.errors import BadMessage, Unauthorized
from robosignal.server.identity import carriers
from robosignal.server.identity.carriers import Credentials

T, U = "aaa.bbb.ccc", "ddd.eee.fff"
V1 = "robosignal.v1"
PAGE = "https://console.example"

Headers = dict[str, str]


def every(one: Headers) -> dict[str, tuple[str, ...]]:
    """Return what an event's map of all values is when each name occurs once."""
    return {name: (value,) for name, value in one.items()}


def token_from(headers: Headers, query: Headers) -> Credentials:
    """Return what is carried by names that occur once each."""
    return carriers.find_token(every(headers), every(query))


def origin_allowed(headers: Headers, allowed: frozenset[str] | None) -> bool:
    """Tell whether a request with headers that occur once each may connect."""
    return carriers.find_refused_origin(every(headers), allowed) is None


@pytest.mark.parametrize(
    ("headers", "query", "subprotocol"),
    [
        ({"Authorization": f"Bearer {T}"}, {}, None),
        ({"authorization": f"bearer {T}"}, {}, None),
        ({"AUTHORIZATION": f"BEARER   {T} "}, {}, None),
        ({"Authorization": f"Bearer {T}", "Sec-WebSocket-Protocol": V1}, {}, V1),
        ({"Sec-WebSocket-Protocol": f"{V1}, bearer.{T}"}, {}, V1),
        ({"sec-websocket-protocol": f"{V1},bearer.{T}"}, {}, V1),
        ({"Sec-Websocket-Protocol": f"  bearer.{T} ,\t{V1} "}, {}, V1),
        ({"Sec-WebSocket-Protocol": f"chat, {V1}, bearer.{T}, mqtt"}, {}, V1),
        ({}, {"token": T}, None),
        ({"Sec-WebSocket-Protocol": V1}, {"token": T}, V1),
        ({"Sec-WebSocket-Protocol": "chat"}, {"token": T}, None),
        ({"Sec-WebSocket-Protocol": "robosignal.v10, Robosignal.v1"}, {"token": T}, None),
        ({"Authorization": "Basic YTpi"}, {"token": T}, None),
        ({"Authorization": f"Bearer {T}"}, {"token": ""}, None),
        ({"Sec-WebSocket-Protocol": f"{V1}, bearer."}, {"token": T}, V1),
    ],
    ids=repr,
)
def test_a_token_is_found_in_each_carrier(
    headers: Headers, query: Headers, subprotocol: str | None
) -> None:
    """Header, subprotocol and query each carry it, in the spellings that clients use."""
    assert token_from(headers, query) == Credentials(T, subprotocol, bool(query.get("token")))


ALL = {
    "Authorization": {"Authorization": "Bearer {0}"},
    "Sec-WebSocket-Protocol": {"Sec-WebSocket-Protocol": V1 + ", bearer.{0}"},
    "token": {},
}
PAIRS = [(a, b) for a in ALL for b in ALL if a != b]


def request(tokens: dict[str, str]) -> tuple[Headers, Headers]:
    """Return the headers and the query that carry these tokens."""
    headers = {
        name: text.format(tokens[carrier])
        for carrier in tokens
        for name, text in ALL[carrier].items()
    }
    return headers, {"token": tokens["token"]} if "token" in tokens else {}


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_the_same_token_twice_is_one(one: str, other: str) -> None:
    """A client that is not sure which carrier survives its proxy may use two."""
    assert token_from(*request({one: T, other: T})).token == T


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_two_different_tokens_are_refused(one: str, other: str) -> None:
    """No user may sign in as one and be taken for another: 400, naming both, showing neither."""
    with pytest.raises(BadMessage) as refused:
        token_from(*request({one: T, other: U}))

    text = str(refused.value)
    assert (refused.value.status, one in text, other in text) == (400, True, True)
    assert T not in text
    assert U not in text


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-WebSocket-Protocol": f"{V1}, bearer.{T}, bearer.{U}"},
        {"Authorization": f"Bearer {T}", "authorization": f"Bearer {U}"},
    ],
    ids=repr,
)
def test_two_different_tokens_in_one_carrier_are_refused(headers: Headers) -> None:
    """A header that comes twice, or two bearers in one list, are no way around it."""
    with pytest.raises(BadMessage):
        token_from(headers, {})


REPEATED: dict[str, dict[str, tuple[str, ...]]] = {
    "Authorization": {"Authorization": (f"Bearer {T}", "Bearer {0}")},
    "Sec-WebSocket-Protocol": {"Sec-WebSocket-Protocol": (V1, f"bearer.{T}", "bearer.{0}")},
    "token": {"token": (T, "{0}")},
}


def repeated(carrier: str, token: str) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Return headers and query in which one name carries the usual token and this one."""
    values = {
        name: [each.format(token) for each in given] for name, given in REPEATED[carrier].items()
    }
    return ({}, values) if carrier == "token" else (values, {})


@pytest.mark.parametrize("carrier", REPEATED)
def test_two_different_tokens_under_one_name_are_refused(carrier: str) -> None:
    """Whichever came last: neither is picked."""
    with pytest.raises(BadMessage) as refused:
        carriers.find_token(*repeated(carrier, U))

    assert refused.value.field == carrier


@pytest.mark.parametrize("carrier", REPEATED)
def test_one_token_twice_under_one_name_is_one(carrier: str) -> None:
    """As in two places."""
    assert carriers.find_token(*repeated(carrier, T)).token == T


@pytest.mark.parametrize(
    "lines", [(V1, f"bearer.{T}"), (f"bearer.{T}", V1), (f"{V1}, bearer.{T}",)]
)
def test_subprotocols_may_be_split_over_several_lines(lines: tuple[str, ...]) -> None:
    """RFC 6455, section 11.3.4: that means the same as one line."""
    assert carriers.find_token({"Sec-WebSocket-Protocol": lines}, {}) == Credentials(T, V1)


def test_an_origin_under_the_same_name_again_is_judged_as_well() -> None:
    """Neither the first nor the last alone decides."""
    both = {"Origin": (PAGE, "https://evil.example")}

    reverse = {"Origin": both["Origin"][::-1]}
    assert carriers.find_refused_origin(both, frozenset({PAGE})) == "https://evil.example"
    assert carriers.find_refused_origin(reverse, frozenset({PAGE})) == "https://evil.example"


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({}, {}),
        ({}, {"token": ""}),
        ({}, {"Token": T}),
        ({"Authorization": T}, {}),
        ({"Authorization": "Bearer"}, {}),
        ({"Authorization": "Bearer  "}, {}),
        ({"Authorization": f"Basic {T}"}, {}),
        ({"Sec-WebSocket-Protocol": V1}, {}),
        ({"Sec-WebSocket-Protocol": f"{V1}, bearer."}, {}),
        ({"Sec-WebSocket-Protocol": f"{V1}, {T}"}, {}),
        ({"Sec-WebSocket-Protocol": f"{V1}, Bearer.{T}"}, {}),
        ({"X-Authorization": f"Bearer {T}"}, {}),
        ({"Cookie": f"token={T}"}, {}),
    ],
    ids=repr,
)
def test_no_token_is_unauthorized(headers: Headers, query: Headers) -> None:
    """Nothing else is taken for a carrier."""
    with pytest.raises(Unauthorized) as refused:
        token_from(headers, query)

    assert refused.value.reason == "no_token"


def test_a_bearer_without_the_protocol_is_refused() -> None:
    """With no subprotocol to select a browser would hang up without saying why."""
    with pytest.raises(BadMessage) as refused:
        token_from({"Sec-WebSocket-Protocol": f"bearer.{T}"}, {})

    assert (refused.value.field, V1 in str(refused.value)) == ("Sec-WebSocket-Protocol", True)


@pytest.mark.parametrize(
    ("carrier", "limit"),
    [("Authorization", 8192), ("Sec-WebSocket-Protocol", 8192), ("token", 4000)],
)
def test_a_token_may_be_as_long_as_its_carrier_takes(carrier: str, limit: int) -> None:
    """At the limit it is found, one character further it is refused."""
    found = token_from(*request({carrier: "x" * limit}))
    with pytest.raises(Unauthorized) as refused:
        token_from(*request({carrier: "x" * (limit + 1)}))

    assert (len(found.token), refused.value.reason) == (limit, "token_too_long")


def test_what_was_carried_never_prints_its_token() -> None:
    """A log line that shows the value shows no token."""
    assert T not in repr(token_from({}, {"token": T}))


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (None, True),
        (PAGE, True),
        ("null", False),
        ("", False),
        ("http://console.example", False),
        ("https://console.example:8443", False),
        ("https://console.example/", False),
        ("https://console.example.", False),
        ("https://evil.console.example", False),
        ("https://console.example.evil.example", False),
        ("https://CONSOLE.example", False),
        (f"{PAGE}, https://evil.example", False),
    ],
)
def test_only_the_allowed_origin_may_connect(origin: str | None, allowed: bool) -> None:  # noqa: FBT001
    """Character by character; absent means that no browser is there to be misled."""
    headers = {} if origin is None else {"origin": origin}

    assert origin_allowed(headers, frozenset({PAGE})) is allowed


@pytest.mark.parametrize("origin", ["null", "https://anybody.example"])
def test_without_a_setting_any_origin_may_connect(origin: str) -> None:
    """None, the explicit absence of a list, allows any page."""
    assert origin_allowed({"Origin": origin}, None)


def test_null_cannot_be_allowed() -> None:
    """Every sandboxed frame says `null`, so listing it would allow them all."""
    assert not origin_allowed({"Origin": "null"}, frozenset({"null"}))


def test_an_empty_list_allows_no_page() -> None:
    """A list without entries shuts browsers out."""
    assert not origin_allowed({"Origin": PAGE}, frozenset())


def test_a_second_origin_header_is_judged_as_well() -> None:
    """An allowed origin does not let another one in beside it."""
    headers = {"Origin": PAGE, "origin": "https://evil.example"}

    assert not origin_allowed(headers, frozenset({PAGE}))


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("https://Drive.Example.com/", "https://drive.example.com"),
        ("https://drive.example.com:443", "https://drive.example.com"),
        ("http://localhost:80/", "http://localhost"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("HTTPS://d.example:8443", "https://d.example:8443"),
        ("https://müller.example/", "https://xn--mller-kva.example"),
        ("https://straße.example", "https://xn--strae-oqa.example"),
        ("https://[2001:DB8:0::1]:443", "https://[2001:db8::1]"),
        ("capacitor://localhost", "capacitor://localhost"),
        ("ionic://LOCALHOST/", "ionic://localhost"),
        ("file://", "file://"),
        ("app://console", "app://console"),
    ],
)
def test_an_origin_is_kept_as_browsers_send_it(written: str, sent: str) -> None:
    """However a person writes it; and what is kept stays as it is when it is read again."""
    assert carriers.canonicalize_origin(written) == sent
    assert carriers.canonicalize_origin(sent) == sent
    assert origin_allowed({"Origin": sent}, frozenset({carriers.canonicalize_origin(written)}))


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("*", "leave it out to let any page connect"),
        ("d.example", "such as https://drive.example.com"),
        ("https:d.example", "such as https://drive.example.com"),
        ("https://d.example/drive", "such as https://drive.example.com"),
        ("https://d.example?x", "such as https://drive.example.com"),
        ("https://me@d.example", "such as https://drive.example.com"),
        ("https://*.d.example", "name each origin in full"),
        ("null", "such as https://drive.example.com"),
        ("https://", "with a host"),
        ("https://:443", "with a host"),
        ("https://d.example:0", "a port from 1 to 65535"),
        ("https://d.example:70000", "a port from 1 to 65535"),
        ("wss://d.example", "http:// or https://"),
        ("https://[::zz]", "such as https://drive.example.com"),
        ("https://-ü.example", "a host name"),
    ],
)
def test_what_no_page_sends_is_refused_with_what_to_write(written: str, told: str) -> None:
    """It would be compared with every page's origin, and never be equal."""
    with pytest.raises(ValueError, match=re.escape(told)):
        carriers.canonicalize_origin(written)


@pytest.mark.parametrize("name", ["Sec-Webso\u212aet-Protocol", "sec-webso\u212aet-protocol"])
def test_a_header_is_named_in_ascii(name: str) -> None:
    """A name that only becomes the right one in lower case carries nothing."""
    with pytest.raises(Unauthorized) as refused:
        token_from({name: f"{V1}, bearer.{T}"}, {})

    assert refused.value.reason == "no_token"
