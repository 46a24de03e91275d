"""When an issuer is asked for its keys, which of them are taken, and what happens meanwhile."""

import json
from collections.abc import Callable, Iterable
from threading import Condition, Thread

import pytest

from robosignal.server.identity.jwks import RemoteKeys
from robosignal.server.identity.tokens import Issuer, verify
from robosignal.server.ports import KeysUnavailable
from tests.tokens import CLIENT, ISSUER, NOW, Signer, signer

URL = "https://issuer.example/.well-known/jwks.json"


def document(*signers: Signer) -> bytes:
    """Return the JWK Set of these signers."""
    return json.dumps({"keys": [one.public for one in signers]}).encode()


class Server:
    """An issuer's server and the clock beside it: what it answers can be changed."""

    def __init__(self, answer: bytes | None) -> None:
        self.answer = answer
        self.asked = 0
        self.now = 1000.0

    def fetch(self, url: str) -> bytes:
        """Answer, or be out of reach while the answer is None."""
        assert url == URL
        self.asked += 1
        if self.answer is None:
            raise KeysUnavailable
        return self.answer

    def keys(self) -> RemoteKeys:
        """Return keys that come from here."""
        return RemoteKeys(URL, self.fetch, lambda: self.now)


def unavailable(keys: RemoteKeys, kid: str) -> bool:
    """Tell whether this key cannot be judged now."""
    try:
        keys.key(kid)
    except KeysUnavailable:
        return True
    return False


def test_keys_are_fetched_when_the_first_one_is_needed() -> None:
    """Making the source fetches nothing; a known key is fetched once, however often it is used."""
    server = Server(document(signer("key-1"), signer("key-2")))
    keys = server.keys()
    before = server.asked

    found = [(keys.key(kid) or {})["n"] for kid in ("key-1", "key-2", "key-1")]

    assert (before, server.asked, found) == (
        0,
        1,
        [signer(kid).public["n"] for kid in ("key-1", "key-2", "key-1")],
    )


def test_a_new_key_is_accepted_at_once() -> None:
    """An issuer that has rotated is asked again for the first token of the new key."""
    server = Server(document(signer("key-1")))
    keys = server.keys()
    keys.key("key-1")
    server.answer = document(signer("key-1"), signer("key-2"))

    assert (keys.key("key-2") is not None, server.asked) == (True, 2)


def test_a_new_key_is_accepted_ten_seconds_after_a_vain_fetch() -> None:
    """Until then it is not refused, since it has not been looked for: it cannot be judged."""
    server = Server(document(signer("key-1")))
    keys = server.keys()
    keys.key("made-up")
    server.answer = document(signer("key-1"), signer("key-2"))
    server.now += 9.999
    within = unavailable(keys, "key-2")
    server.now += 0.001

    assert (within, keys.key("key-2") is not None) == (True, True)


def test_an_id_that_was_looked_for_in_vain_is_refused() -> None:
    """To it the answer is no, for the ten seconds and after the fetch that then follows."""
    server = Server(document(signer("key-1")))
    keys = server.keys()
    found = [keys.key("made-up"), keys.key("made-up")]
    server.now += 10
    found.append(keys.key("made-up"))

    assert (found, server.asked) == ([None] * 3, 2)


def test_a_rotation_while_ids_are_made_up_refuses_no_new_key() -> None:
    """A key of ten seconds ago is accepted, however many ids strangers try before and after."""
    server = Server(document(signer("key-1")))
    keys = server.keys()
    answers: list[str] = []
    for tenth in range(400):
        if tenth == 53:
            server.answer = document(signer("key-2"))
        unavailable(keys, f"made-up-{tenth}")
        if tenth >= 53:
            answers.append(answer(keys, "key-2"))
        server.now += 0.1
    waited = answers.index("good")

    assert answers == ["unsure"] * waited + ["good"] * (400 - 53 - waited)
    assert (waited <= 100, server.asked) == (True, 4)


def answer(keys: RemoteKeys, kid: str) -> str:
    """Return what a token of this key would be told."""
    try:
        return "refused" if keys.key(kid) is None else "good"
    except KeysUnavailable:
        return "unsure"


def test_a_key_that_the_issuer_withdrew_is_forgotten_with_the_next_fetch() -> None:
    """A good document replaces what was known."""
    server = Server(document(signer("key-1")))
    keys = server.keys()
    keys.key("key-1")
    server.answer = document(signer("key-2"))
    keys.key("key-2")

    assert keys.key("key-1") is None


def test_a_withdrawn_key_is_refused_after_five_minutes() -> None:
    """No new key is needed for that: the known ones are asked for again by their age."""
    server = Server(document(signer("key-1")))
    keys = server.keys()
    keys.key("key-1")
    server.answer = document(signer("key-2"))
    server.now += 299.999
    before = (answer(keys, "key-1"), server.asked)
    server.now += 0.001

    assert (before, answer(keys, "key-1"), server.asked) == (("good", 1), "refused", 2)


def test_an_hour_of_tokens_fetches_twelve_times() -> None:
    """One fetch every five minutes, however many tokens there are."""
    server = Server(document(signer("key-1")))
    keys = server.keys()
    for _ in range(3600):
        assert answer(keys, "key-1") == "good"
        server.now += 1

    assert server.asked == 12


def test_known_keys_serve_for_an_hour_while_their_issuer_is_away() -> None:
    """It is asked every ten seconds; after the hour no token can be judged until it is back."""
    server = Server(document(signer("key-1")))
    keys = server.keys()
    keys.key("key-1")
    server.answer = None
    answers = []
    for _ in range(3600):
        answers.append(answer(keys, "key-1"))
        server.now += 1
    late = [answer(keys, "key-1")]
    server.answer = document(signer("key-1"))
    server.now += 10
    late.append(answer(keys, "key-1"))

    assert (answers, late) == (["good"] * 3600, ["unsure", "good"])
    assert server.asked == 1 + 330 + 2


@pytest.mark.parametrize("step", [-7200.0, 7200.0], ids=["back", "ahead"])
def test_a_clock_that_is_set_makes_no_key_older_or_younger(step: float) -> None:
    """The keys are asked for again, and a withdrawn one is refused as soon as ever."""
    server = Server(document(signer("key-1")))
    keys = server.keys()
    keys.key("key-1")
    server.now += step
    server.answer = document(signer("key-2"))

    assert (answer(keys, "key-1"), server.asked) == ("refused", 2)


def test_made_up_key_ids_hardly_reach_the_issuer() -> None:
    """A thousand of them in ten seconds cause at most two fetches, and disturb no known key."""
    server = Server(document(signer("key-1")))
    keys = server.keys()
    issuers = [Issuer(ISSUER, frozenset({CLIENT}), keys)]
    names = []
    for made_up in range(1000):
        assert answer(keys, f"made-up-{made_up}") == ("unsure" if made_up else "refused")
        server.now += 0.01
        names.append(
            verify(signer("key-1").access(), issuers, NOW).name if not made_up % 100 else "ada"
        )

    assert (server.asked <= 2, set(names)) == (True, {"ada"})


def test_an_issuer_out_of_reach_is_left_alone_for_ten_seconds() -> None:
    """After a failed fetch the issuer is not asked again until ten seconds have passed."""
    server = Server(None)
    keys = server.keys()
    refused = [unavailable(keys, f"key-{i}") for i in range(100)]
    asked = server.asked
    server.now += 10
    server.answer = document(signer("key-1"))

    assert (all(refused), asked, keys.key("key-1") is not None) == (True, 1, True)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        b"<html>",
        b"[]",
        b"{}",
        b'{"keys": {}}',
        b'{"keys": []}',
        b'{"keys": [{"kty": "EC", "kid": "key-1"}, 7, null]}',
        b'{"keys": [], "keys": []}',
    ],
    ids=repr,
)
def test_a_failed_refresh_evicts_no_key(answer: bytes | None) -> None:
    """What was known stays good when the next document is missing or worthless."""
    server = Server(document(signer("key-1")))
    keys = server.keys()
    keys.key("key-1")
    server.answer = answer

    assert (unavailable(keys, "key-2"), keys.key("key-1") is not None) == (True, True)


def test_an_unknown_id_is_unknown_again_once_the_issuer_is_back() -> None:
    """Out of reach and unknown are told apart by the last fetch."""
    server = Server(None)
    keys = server.keys()
    first = unavailable(keys, "made-up")
    server.answer, server.now = document(signer("key-1")), server.now + 10

    assert (first, answer(keys, "made-up"), answer(keys, "other")) == (True, "refused", "unsure")


def test_a_hundred_cold_verifications_at_once_fetch_once() -> None:
    """All that come while the keys are fetched wait for that one fetch."""
    server = Server(document(signer("key-1")))
    arrived, changed_count = [0], Condition()

    def fetch(url: str) -> bytes:
        # Not before all are under way: so a second fetch would have every chance to happen.
        with changed_count:
            changed_count.wait_for(lambda: arrived[0] == 100, timeout=5)
        return server.fetch(url)

    keys = RemoteKeys(URL, fetch, lambda: server.now)
    issuers = [Issuer(ISSUER, frozenset({CLIENT}), keys)]
    token = signer("key-1").access()
    names: list[str | None] = []

    def sign_in() -> None:
        with changed_count:
            arrived[0] += 1
            changed_count.notify_all()
        names.append(verify(token, issuers, NOW).name)

    in_parallel(sign_in for _ in range(100))

    assert (server.asked, names) == (1, ["ada"] * 100)


def in_parallel(calls: Iterable[Callable[[], None]]) -> None:
    """Run each call in a thread of its own until all have ended."""
    threads = [Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)


def test_a_known_key_does_not_wait_for_a_fetch() -> None:
    """While a made-up id has the issuer asked, those whose key is known get in."""
    server = Server(document(signer("key-1")))
    asking = Condition()
    seen: list[bool] = []

    def fetch(url: str) -> bytes:
        if server.asked:
            # Within the fetch for the made-up id: had the other thread to wait for it, it
            # would not be heard of.
            with asking:
                thread.start()
                seen.append(asking.wait_for(lambda: bool(found), timeout=5))
        return server.fetch(url)

    keys = RemoteKeys(URL, fetch, lambda: server.now)
    found: list[bool] = []

    def look_up() -> None:
        found.append(keys.key("key-1") is not None)
        with asking:
            asking.notify_all()

    thread = Thread(target=look_up)
    keys.key("key-1")
    keys.key("made-up")
    thread.join(5)

    assert (seen, found) == ([True], [True])


def test_of_two_keys_with_one_id_neither_is_taken() -> None:
    """Nothing says which one was meant, so the id is unknown."""
    twin = {**signer("key-2").public, "kid": "key-1"}
    listed = {"keys": [signer("key-1").public, twin, signer("key-3").public]}
    keys = Server(json.dumps(listed).encode()).keys()

    assert (keys.key("key-1"), keys.key("key-3") is None) == (None, False)
