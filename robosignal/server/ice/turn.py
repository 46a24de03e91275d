"""TURN servers with a password for each user that expires by itself.

Passwords follow the TURN REST API's convention, which coturn checks with `use-auth-secret`.
"""

import hmac
from base64 import b64encode
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from robosignal.protocol.ids import UserId
from robosignal.server.core.steps import IceServers

TTL_SECONDS = 3600
"""How long a password can open relays at most. A relay that is open outlives it."""

WITHOUT_SECONDS = 60
"""When to ask again if the secret could not be read."""

PLAIN = "!#$&()*+,/:;<=>?@[]^`{|}"
"""Characters that need no percent-encoding in a user name, besides letters, digits and `_.-~`.

coturn does not answer a name with a blank, a quotation mark or a backslash in it.
"""

Secret = Callable[[int], str | None]
"""Returns the shared secret at a time (epoch ms); None if it cannot be read now."""


class TurnServers:
    """Implements `robosignal.server.ports.IceSource`: a fixed list, and TURN servers.

    `urls` are turn: and turns: URLs (RFC 7065) of servers that share the secret.
    """

    def __init__(self, urls: tuple[str, ...], secret: Secret, fixed: list[dict[str, Any]]) -> None:
        self._urls = urls
        self._secret = secret
        self._fixed = fixed

    def servers(self, user: UserId | None, now: int, until: int) -> IceServers:
        """Return the list, and the TURN servers with a password for this user.

        The password is valid for an hour, or until `until` (epoch ms) if that is sooner. Without a
        user, return the list alone; also if the secret cannot be read, but valid for a minute only,
        because peers on one network need no relay.
        """
        if user is None:
            return IceServers(self._fixed, TTL_SECONDS, turn=True)
        secret = self._secret(now)
        if secret is None:
            return IceServers(self._fixed, WITHOUT_SECONDS, turn=True)
        ttl_seconds = min(TTL_SECONDS, until // 1000 - now // 1000)
        username = f"{now // 1000 + ttl_seconds}:{quote(user, PLAIN)}"
        turn = {
            "urls": list(self._urls),
            "username": username,
            "credential": make_credential(secret, username),
        }
        return IceServers([*self._fixed, turn], ttl_seconds)


def make_credential(secret: str, username: str) -> str:
    """Return the password for a user name.

    The name is `<expiry in epoch seconds>:<user>` (draft-uberti-behave-turn-rest-00, section 2.2).
    coturn reads the time up to the first colon, so a user's id may contain colons.
    """
    # The convention is SHA-1, which is still safe in an HMAC (RFC 6194, section 3.3).
    digest = hmac.digest(secret.encode(), username.encode(), "sha1")
    return b64encode(digest).decode()
