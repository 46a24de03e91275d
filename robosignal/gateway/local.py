"""The whole backend on one machine: the Lambda's own entry over local adapters.

Owns which adapter stands where; must never know the rules. There is no way around the tokens:
the gateway signs with a key of its own, and verifies as on AWS.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from robosignal.gateway.chaos import chaos
from robosignal.gateway.dispatch import Handle
from robosignal.gateway.gateway import Gateway, Limits
from robosignal.gateway.keys import LOCAL_ALIAS, LOCAL_ISSUER, LocalKey
from robosignal.gateway.places import CONNECTIONS_PER_USER, Places
from robosignal.gateway.prefetch import Prefetch
from robosignal.gateway.sign_in import SignIns
from robosignal.gateway.sockets import Sockets
from robosignal.gateway.store import LocalStore
from robosignal.paths import web_root
from robosignal.protocol.errors import TokenExpired
from robosignal.protocol.frames import encode
from robosignal.server.clock import epoch_ms
from robosignal.server.entry import Signaling, no_hook
from robosignal.server.events import SCHEDULED
from robosignal.server.ice.static import StaticIce
from robosignal.server.ice.turn import TurnIce
from robosignal.server.identity.jwks import RemoteKeys
from robosignal.server.identity.tokens import Issuer, check_issuers
from robosignal.server.limits.limiter import Buckets, Unlimited
from robosignal.server.ports import IceSource, Pacer
from robosignal.server.replies import error_frame
from robosignal.server.settings import Options

log = logging.getLogger("robosignal.gateway")


@dataclass(frozen=True, slots=True)
class RemoteIssuer:
    """An issuer elsewhere, such as a Cognito user pool."""

    url: str
    jwks_url: str
    audiences: frozenset[str]


@dataclass(frozen=True, slots=True)
class Service:
    """What `robosignal serve` was asked for."""

    host: str = "127.0.0.1"
    port: int = 8080
    state: Path | None = None
    """Where state is kept; None: in memory alone."""
    demo: bool = False
    remote: RemoteIssuer | None = None
    limits: Limits = Limits()  # noqa: RUF009 - it is frozen
    connections_per_user: int = CONNECTIONS_PER_USER
    chaos_seed: int | None = None
    seed_keepalive_seconds: float | None = None
    """How often seed connections get a frame, so that they are not idle; None: never."""
    unlimited: bool = False
    """Neither rate limits nor `connections_per_user`."""


class Local:
    """One running backend: its gateway, its state and the key that signs people in."""

    def __init__(self, service: Service, options: Options) -> None:
        """Open the state and wire everything. Raise StateInUse, StateUnreadable or KeyRefused."""
        self.key = _key(service)
        self.sign_ins = SignIns()
        self._store = LocalStore(service.state)
        self._sockets = Sockets()
        self._keepalive_seconds = service.seed_keepalive_seconds
        self._in_threads = service.chaos_seed is not None
        try:
            self._issuers = _issuers(service, self.key)
            limited = options.limited and not service.unlimited
            self._signaling = self._wired(service, options, limited=limited)
            handle = self._handle(service, limited=limited)
            self.gateway = self._gateway(service, handle, _limiter(limited=limited))
        except BaseException:
            self._store.close()
            raise

    def _wired(self, service: Service, options: Options, *, limited: bool) -> Signaling:
        return Signaling(
            store=self._store,
            poster=self._sockets,
            ice=_ice(options),
            limiter=_limiter(limited=limited),
            issuers=self._issuers,
            rules=options.rules,
            origins=options.origins,
            clock=epoch_ms,
            hook=chaos(service.chaos_seed) if service.chaos_seed is not None else no_hook,
        )

    def _handle(self, service: Service, *, limited: bool) -> Handle:
        handle = self._signaling.handle
        return Places(handle, self._store, service.connections_per_user) if limited else handle

    def _gateway(self, service: Service, handle: Handle, controls: Pacer) -> Gateway:
        return Gateway(
            handle,
            self._sockets,
            host=service.host,
            port=service.port,
            web=web_root(),
            jwks=self.key.jwks,
            limits=service.limits,
            controls=controls,
            prepare=Prefetch(self._issuers) if service.remote else None,
            in_threads=self._in_threads,
            sign_ins=self.sign_ins,
        )

    async def __aenter__(self) -> Self:
        try:
            await self.gateway.start()
        except BaseException:
            # Nobody else will: what fails to be entered is not left either.
            self._store.close()
            raise
        self._timers = [asyncio.create_task(_every(1, self._close_expired))]
        if self._keepalive_seconds is not None:
            keeping = _every(self._keepalive_seconds, self._keep_alive)
            self._timers.append(asyncio.create_task(keeping))
        return self

    async def __aexit__(self, *_: object) -> None:
        for timer in self._timers:
            timer.cancel()
        try:
            await self.gateway.stop()
        finally:
            self._store.close()

    async def _close_expired(self) -> None:
        """Close the connections whose tokens have ended, and say why.

        Also send the push that is due. On AWS no timer runs: the next message does both.
        """
        ended = encode(error_frame(TokenExpired()))
        for row in self._store.expired(epoch_ms()):
            if row.dialect == "v1":
                self._sockets.post(row.connection_id, ended)
            self._sockets.close(row.connection_id)
        self._signaling.push_deferred()

    async def _keep_alive(self) -> None:
        """Send the event of a schedule, as EventBridge does on AWS."""
        if self._in_threads:
            await asyncio.to_thread(self._signaling.handle, dict(SCHEDULED))
        else:
            # As all events are: the store is used by one thread at a time.
            self._signaling.handle(dict(SCHEDULED))


async def _every(seconds: float, act: Callable[[], Awaitable[None]]) -> None:
    """Call `act` at this interval. A call that fails is logged, and the next one still comes."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await act()
        except Exception:
            log.exception("timer failed")


def _key(service: Service) -> LocalKey:
    """Return the key on disk; with another issuer, one that nobody else can sign with."""
    if service.state is None or service.remote is not None:
        return LocalKey.ephemeral()
    return LocalKey.load(service.state)


def _limiter(*, limited: bool) -> Buckets | Unlimited:
    return Buckets() if limited else Unlimited()


def _ice(options: Options) -> IceSource:
    secret = options.turn_secret
    if secret is None:
        return StaticIce(options.ice_servers)
    return TurnIce(options.turn_urls, lambda _now: secret, options.ice_servers)


def _issuers(service: Service, key: LocalKey) -> tuple[Issuer, ...]:
    audiences = frozenset({LOCAL_ISSUER})
    remote = service.remote
    if remote is None:
        return (Issuer(LOCAL_ISSUER, audiences, key.source()),)
    first = Issuer(remote.url, remote.audiences, RemoteKeys(remote.jwks_url))
    if not service.demo:
        return (first,)
    # In a namespace of its own, where neither a user nor a group is the other issuer's.
    return check_issuers(first, Issuer(LOCAL_ISSUER, audiences, key.source(), alias=LOCAL_ALIAS))
