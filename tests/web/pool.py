"""A user pool's sign-in pages as far as a console needs them: a real HTTP server on loopback.

It checks what RFC 7636 makes it check, and knows one person; it knows nothing of the console.
"""

import base64
import hashlib
import json
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

CLIENT = "client-1"
Fields = dict[str, str]


def jwt(claims: dict[str, Any]) -> str:
    """Return what looks like a JWT to a browser."""
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()) for part in ({}, claims))
    return ".".join([*(part.decode().rstrip("=") for part in parts), "c2ln"])


def challenge_of(verifier: str) -> str:
    """Return the S256 challenge of a verifier (RFC 7636, section 4.2)."""
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


@dataclass
class Pool:
    """The pool: it signs Dana in without asking, unless `denies`."""

    origin: str = ""
    ttl_s: int = 3600
    denies: bool = False
    issued: int = 0
    revoked: list[str] = field(default_factory=list)
    signed_out: list[str] = field(default_factory=list)
    exchanges: list[Fields] = field(default_factory=list)
    codes: dict[str, Fields] = field(default_factory=dict)

    def config(self, port: int) -> dict[str, str]:
        """Return the console's `config.json` that names this pool, and a server on that port."""
        return {
            "webSocketUrl": f"ws://127.0.0.1:{port}/prod",
            "region": "eu-west-1",
            "userPoolId": "eu-west-1_Example",
            "userPoolClientId": CLIENT,
            "signInDomain": self.origin,
        }

    async def authorize(self, request: web.Request) -> web.Response:
        """Send the visitor back with a code, as after a password."""
        asked = dict(request.query)
        home = asked["redirect_uri"]
        if self.denies:
            raise web.HTTPFound(f"{home}?error=access_denied&state={asked['state']}")
        code = secrets.token_urlsafe(8)
        self.codes[code] = asked
        raise web.HTTPFound(f"{home}?code={code}&state={asked['state']}")

    async def token(self, request: web.Request) -> web.Response:
        """Exchange a code, or refresh; a code serves once, and only with its verifier."""
        fields = {name: str(value) for name, value in (await request.post()).items()}
        self.exchanges.append(fields)
        if fields["grant_type"] == "refresh_token":
            good = fields["refresh_token"] not in self.revoked
            return self._answer(self._tokens(None) if good else None)
        asked = self.codes.pop(fields["code"], None)
        if asked is None or asked["code_challenge"] != challenge_of(fields["code_verifier"]):
            return self._answer(None)
        proof = {**self._tokens(asked["nonce"]), "refresh_token": "refresh-1"}
        return self._answer(proof if asked["redirect_uri"] == fields["redirect_uri"] else None)

    async def revoke(self, request: web.Request) -> web.Response:
        """End a refresh token."""
        self.revoked.append(str((await request.post())["token"]))
        return self._answer({})

    async def logout(self, request: web.Request) -> web.Response:
        """End the visit here, and send the visitor back."""
        self.signed_out.append(request.query["client_id"])
        raise web.HTTPFound(request.query["logout_uri"])

    def _tokens(self, nonce: str | None) -> dict[str, Any]:
        self.issued += 1
        claims = {"sub": "u-demo", "exp": int(time.time()) + self.ttl_s, "jti": str(self.issued)}
        proof = {"nonce": nonce} if nonce else {}
        return {
            "access_token": jwt({**claims, "token_use": "access"}),
            "id_token": jwt({**claims, **proof, "token_use": "id", "name": "Dana"}),
            "expires_in": self.ttl_s,
        }

    def _answer(self, body: dict[str, Any] | None) -> web.Response:
        headers = {"Access-Control-Allow-Origin": "*"}
        if body is None:
            return web.json_response({"error": "invalid_grant"}, status=400, headers=headers)
        return web.json_response(body, headers=headers)


@asynccontextmanager
async def serving() -> AsyncIterator[Pool]:
    """Serve a pool on a port of loopback."""
    pool = Pool()
    app = web.Application()
    app.add_routes(
        [
            web.get("/oauth2/authorize", pool.authorize),
            web.post("/oauth2/token", pool.token),
            web.post("/oauth2/revoke", pool.revoke),
            web.get("/logout", pool.logout),
        ]
    )
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        pool.origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield pool
    finally:
        await runner.cleanup()
