"""The whole backend on one machine: the Lambda's own entry over local adapters.

Tokens are verified as on AWS; the gateway signs them with a key of its own.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from robosignal.gateway.chaos import add_chaos
from robosignal.gateway.connection_quota import CONNECTIONS_PER_USER, ConnectionQuota
from robosignal.gateway.connections import OpenConnections
from robosignal.gateway.gateway import Gateway
from robosignal.gateway.history import Bounds, KeptHistory
from robosignal.gateway.integration import Handle
from robosignal.gateway.keys import LOCAL_ALIAS, LOCAL_ISSUER, LocalKey
from robosignal.gateway.limits import Limits
from robosignal.gateway.names import find_hosts
from robosignal.gateway.prefetch import Prefetch
from robosignal.gateway.sign_in import SignIns
from robosignal.gateway.store import LocalStore
from robosignal.gateway.tls import Tls, TlsFiles, TlsRefused
from robosignal.paths import web_root
from robosignal.protocol.errors import TokenExpired
from robosignal.protocol.frames import encode
from robosignal.server.clock import epoch_ms
from robosignal.server.entry import Signaling, no_hook
from robosignal.server.events import SCHEDULED
from robosignal.server.history import NotKept
from robosignal.server.ice.static import StaticServers
from robosignal.server.ice.turn import TurnServers
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
class BackendSettings:
    """What the backend is started with, besides the rules' options from the environment."""

    host: str = "127.0.0.1"
    port: int = 8080
    state: Path | None = None
    """The state directory; None keeps state in memory alone."""
    demo: bool = False
    remote: RemoteIssuer | None = None
    limits: Limits = Limits()  # noqa: RUF009 - it is frozen
    connections_per_user: int = CONNECTIONS_PER_USER
    chaos_seed: int | None = None
    seed_keepalive_seconds: float | None = None
    """How often seed connections get a frame, so that they are not idle; None sends none."""
    public_urls: tuple[str, ...] = ()
    """Under which other addresses clients connect, such as `wss://robots.example.org/prod`."""
    history: Bounds = Bounds()  # noqa: RUF009 - it is frozen
    """How long, and how much, the history keeps."""
    tls: TlsFiles | Literal["self-signed"] | None = None
    """The certificate to serve with, or that one is made; None serves without TLS."""
    unlimited: bool = False
    """No rate limits, and no limit on a user's connections."""


TLS_CHECK_SECONDS = 3600
"""How often the certificate is read again: another program may have renewed it."""


class Backend:
    """One running backend: its gateway, its state and its signing key."""

    def __init__(self, settings: BackendSettings, options: Options) -> None:
        """Open the state and build all parts.

        Raise StateInUse, StateUnreadable, KeyRefused or TlsRefused.
        """
        self.key = _load_key(settings)
        self.sign_ins = SignIns()
        self._store = LocalStore(settings.state)
        self._connections = OpenConnections()
        self._keepalive_seconds = settings.seed_keepalive_seconds
        self._in_threads = settings.chaos_seed is not None
        self._history: KeptHistory | None = None
        try:
            self._tls = _open_tls(settings)
            self._history = _open_history(settings, self._store)
            self._issuers = _make_issuers(settings, self.key)
            limited = options.limited and not settings.unlimited
            self._signaling = self._make_signaling(settings, options, limited=limited)
            handle = self._make_handler(settings, limited=limited)
            self.gateway = self._make_gateway(settings, handle, _make_limiter(limited=limited))
        except BaseException:
            self._close_state()
            raise

    def _close_state(self) -> None:
        try:
            if self._history is not None:
                self._history.stop(epoch_ms())
        finally:
            self._store.close()

    def _make_signaling(
        self, settings: BackendSettings, options: Options, *, limited: bool
    ) -> Signaling:
        return Signaling(
            store=self._store,
            poster=self._connections,
            ice=_make_ice(options),
            limiter=_make_limiter(limited=limited),
            issuers=self._issuers,
            rules=options.rules,
            origins=options.origins,
            device_audiences=lambda: self._find_addresses(settings, options),
            clock=epoch_ms,
            history=self._history or NotKept(),
            hook=add_chaos(settings.chaos_seed) if settings.chaos_seed is not None else no_hook,
        )

    def _find_addresses(self, settings: BackendSettings, options: Options) -> frozenset[str]:
        """Return the addresses of this gateway, for one of which a robot's assertion is."""
        own = self.gateway.websocket_urls
        return options.device_audiences | own | {*settings.public_urls}

    def _make_handler(self, settings: BackendSettings, *, limited: bool) -> Handle:
        handle = self._signaling.handle
        return (
            ConnectionQuota(
                handle,
                self._store,
                settings.connections_per_user,
                settings.limits.connections,
            )
            if limited
            else handle
        )

    def _make_gateway(
        self, settings: BackendSettings, handle: Handle, control_frames: Pacer
    ) -> Gateway:
        return Gateway(
            handle,
            self._connections,
            host=settings.host,
            port=settings.port,
            web=web_root(),
            jwks=self.key.jwks,
            limits=settings.limits,
            control_frames=control_frames,
            prepare=Prefetch(self._issuers) if settings.remote else None,
            in_threads=self._in_threads,
            sign_ins=self.sign_ins,
            tls=self._tls,
        )

    async def __aenter__(self) -> Self:
        try:
            await self.gateway.start()
        except BaseException:
            # __aexit__ is not called if __aenter__ raises.
            self._close_state()
            raise
        self._timers = [asyncio.create_task(_repeat(1, self._close_expired))]
        if self._keepalive_seconds is not None:
            keepalive = _repeat(self._keepalive_seconds, self._keep_alive)
            self._timers.append(asyncio.create_task(keepalive))
        if self._tls is not None:
            renewing = _repeat(TLS_CHECK_SECONDS, self._refresh_tls)
            self._timers.append(asyncio.create_task(renewing))
        return self

    async def __aexit__(self, *_: object) -> None:
        for timer in self._timers:
            timer.cancel()
        try:
            await self.gateway.stop()
        finally:
            self._close_state()

    async def _close_expired(self) -> None:
        """Close the connections whose tokens have expired, and tell clients why.

        Also send pushes that are due, which on AWS, without timers, the next message does; and
        note in the history that the server runs.
        """
        ended = encode(error_frame(TokenExpired()))
        for row in self._store.expired_connections(epoch_ms()):
            if row.dialect == "v1":
                self._connections.post(row.connection_id, ended)
            self._connections.close(row.connection_id)
        self._signaling.push_deferred()
        if self._history is not None:
            self._history.tick(epoch_ms())

    async def _refresh_tls(self) -> None:
        """Serve new connections with the certificate that is due now."""
        if self._tls is None:
            return
        try:
            if await asyncio.to_thread(self._tls.refresh):
                log.info("new connections get the certificate %s", self._tls.fingerprint)
        except (TlsRefused, OSError) as error:
            log.error("the certificate stays as it is: %s", error)  # noqa: TRY400 - it says why

    async def _keep_alive(self) -> None:
        """Handle the event of a schedule, as EventBridge sends it on AWS."""
        if self._in_threads:
            await asyncio.to_thread(self._signaling.handle, dict(SCHEDULED))
        else:
            # As with all events: one thread at a time uses the store.
            self._signaling.handle(dict(SCHEDULED))


async def _repeat(seconds: float, act: Callable[[], Awaitable[None]]) -> None:
    """Call `act` at this interval. A call that fails is logged, and the next is still made."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await act()
        except Exception:
            log.exception("timer failed")


def _load_key(settings: BackendSettings) -> LocalKey:
    """Return the key on disk; with another issuer, a new one that only this process has."""
    if settings.state is None or settings.remote is not None:
        return LocalKey.ephemeral()
    return LocalKey.load(settings.state)


def _open_tls(settings: BackendSettings) -> Tls | None:
    def hosts() -> tuple[str, ...]:
        return find_hosts(settings.host)

    match settings.tls:
        case None:
            return None
        case "self-signed":
            return Tls.make(settings.state, hosts)
        case files:
            return Tls.load(files, hosts)


def _open_history(settings: BackendSettings, store: LocalStore) -> KeptHistory | None:
    """Return the history, which goes on from what the store found; None if none is to be kept."""
    if settings.history.days == 0:
        return None
    history = KeptHistory(settings.state, settings.history, store.opened_at)
    return history.start(store.all_robots(), store.opened_at)


def _make_limiter(*, limited: bool) -> Buckets | Unlimited:
    return Buckets() if limited else Unlimited()


def _make_ice(options: Options) -> IceSource:
    secret = options.turn_secret
    if secret is None:
        return StaticServers(options.ice_servers)
    return TurnServers(options.turn_urls, lambda _now: secret, options.ice_servers)


def _make_issuers(settings: BackendSettings, key: LocalKey) -> tuple[Issuer, ...]:
    audiences = frozenset({LOCAL_ISSUER})
    remote = settings.remote
    if remote is None:
        return (Issuer(LOCAL_ISSUER, audiences, key.source()),)
    first = Issuer(remote.url, remote.audiences, RemoteKeys(remote.jwks_url))
    if not settings.demo:
        return (first,)
    # In a namespace of its own, so that no user or group is mistaken for the other issuer's.
    return check_issuers(first, Issuer(LOCAL_ISSUER, audiences, key.source(), alias=LOCAL_ALIAS))
