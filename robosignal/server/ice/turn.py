"""TURN servers with a password for each user, which ends by itself.

Owns how passwords are made: the TURN REST API's convention, which coturn's `use-auth-secret`
checks. Must never know where the shared secret is kept, nor AWS.
"""

import hmac
from base64 import b64encode
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from robosignal.protocol.ids import UserId
from robosignal.server.core.steps import IceServers

TTL_SECONDS = 3600
"""How long a password opens relays at most; a relay that was opened outlives it."""

WITHOUT_SECONDS = 60
"""How soon to ask again when the secret could not be read."""

PLAIN = "!#$&()*+,/:;<=>?@[]^`{|}"
"""Besides letters, digits and `_.-~`, what stands in a name as it is.

coturn answers nothing at all to a name with a blank, a quotation mark or a backslash in it;
a `%` is written out because it writes these.
"""

Secret = Callable[[int], str | None]
"""Returns the shared secret at a time (epoch ms), or None when it cannot be had now."""


class TurnIce:
    """Implements `robosignal.server.ports.IceSource`: a fixed list, and TURN servers besides.

    `urls` are turn: and turns: URLs (RFC 7065) of servers that share the secret.
    """

    def __init__(self, urls: tuple[str, ...], secret: Secret, fixed: list[dict[str, Any]]) -> None:
        self._urls = urls
        self._secret = secret
        self._fixed = fixed

    def servers(self, user: UserId | None, now: int, until: int) -> IceServers:
        """Return the list, and the TURN servers with this user's password: an hour's, at most.

        It ends with the user's token, at `until`. Without a user, the list alone. The
        same if the secret is missing, to be asked for again after a minute: peers on one network
        need no relay, so a refusal would only harm them.
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
            "credential": credential(secret, username),
        }
        return IceServers([*self._fixed, turn], ttl_seconds)


def credential(secret: str, username: str) -> str:
    """Return the password of a user name that says until when it serves, and whose it is.

    The name is `<epoch seconds>:<user>` (draft-uberti-behave-turn-rest-00, section 2.2). coturn
    takes what stands before the first colon for the time, so a user's id may hold colons.
    """
    # SHA-1 is the convention's; what breaks it elsewhere breaks no HMAC (RFC 6194, section 3.3).
    digest = hmac.digest(secret.encode(), username.encode(), "sha1")
    return b64encode(digest).decode()
