"""Where the store is: the forms of `redis.url`."""

from __future__ import annotations

import ssl
from typing import TypeAlias
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec
from msgspec.structs import replace

from gateway.journal.errors import UnsafeStore

FORMS = "embedded, redis://, rediss://, redis+sentinel:// or unix://"

Place: TypeAlias = tuple[str, int]
"""Host and TCP port."""

_PORT, _SENTINEL_PORT = 6379, 26379


class Address(msgspec.Struct, frozen=True):
    """A parsed `redis.url`. Its text form never shows the password."""

    host: str = ""
    port: int = _PORT
    path: str = ""
    """Unix socket; empty: TCP."""
    tls: ssl.SSLContext | None = None
    username: str = ""
    password: str = ""
    db: int = 0
    seeds: tuple[Place, ...] = ()
    """All hosts of the URL: the Sentinels, or nodes of a Cluster; the first one is `host` and `port` too."""
    service: str = ""
    """Name under which the Sentinels know the primary; empty: no Sentinel."""
    sentinel_login: tuple[str, str] = ("", "")
    """User and password of the Sentinels themselves."""

    def at(self, place: Place) -> Address:
        """A server found by discovery: the same credentials, TLS and database."""
        return replace(self, host=place[0], port=place[1], seeds=(), service="", sentinel_login=("", ""))

    def sentinel(self, place: Place) -> Address:
        """One of the Sentinels, which have credentials of their own and no databases."""
        username, password = self.sentinel_login
        return replace(self.at(place), username=username, password=password, db=0)

    def __str__(self) -> str:
        if self.service:
            return f"{self.service} by Sentinel " + ", ".join(f"{host}:{port}" for host, port in self.seeds)
        where = f"unix socket {self.path}" if self.path else f"{self.host}:{self.port}"
        return where + (f" database {self.db}" if self.db else "")

    __repr__ = __str__


def parse(url: str) -> Address:
    """Reads one of

    * `redis://[[user]:password@]host[:port][/db]`, with `rediss` by TLS; several `host:port,host:port` for a Cluster
    * `redis+sentinel://[[user]:password@]host[:port],.../service[/db]`, with `rediss+sentinel` by TLS; the Sentinels' own
      credentials are the query parameters `sentinel_username` and `sentinel_password`
    * `unix://[[user]:password@]/path[?db=n]`

    TLS takes the query parameters `ssl_ca_certs`, `ssl_certfile`, `ssl_keyfile` (paths) and `ssl_cert_reqs`
    (`required` or `none`). Raises UnsafeStore for any other form; its text never repeats the URL and so no password.
    """
    try:
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
        login, _, hosts = parts.netloc.rpartition("@")
        scheme, sentinel = parts.scheme.removesuffix("+sentinel"), parts.scheme.endswith("+sentinel")
        steps = [unquote(step) for step in parts.path.strip("/").split("/")] if scheme != "unix" else [""]
        service = steps.pop(0) if sentinel else ""
        db = int(query.pop("db", "") or (steps[0] if steps else "") or 0)
        seeds = tuple(_place(each, _SENTINEL_PORT if sentinel else _PORT) for each in hosts.split(","))
    except ValueError as error:
        raise UnsafeStore(f"redis.url is not a URL: use {FORMS}") from error
    user, _, secret = login.partition(":")
    username, password = unquote(user), unquote(secret)
    if scheme == "unix" and parts.path:
        return Address(path=unquote(parts.path), username=username, password=password, db=db)
    if scheme not in ("redis", "rediss") or (sentinel and not service):
        raise UnsafeStore(
            f"redis.url has an unknown form: use {FORMS}"
            if not sentinel
            else "redis.url lacks the name under which the Sentinels know the primary: redis+sentinel://host:port/name"
        )
    tls = _tls(query) if scheme == "rediss" else None
    own = (query.get("sentinel_username", ""), query.get("sentinel_password", ""))
    host, port = seeds[0]
    return Address(host, port, "", tls, username, password, db, seeds, service, own)


def _place(text: str, port: int) -> Place:
    """Raises ValueError."""
    parts = urlsplit(f"//{text}")
    return parts.hostname or "127.0.0.1", parts.port or port


def _tls(query: dict[str, str]) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=query.get("ssl_ca_certs"))
        if query.get("ssl_cert_reqs") == "none":
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if "ssl_certfile" in query:
            context.load_cert_chain(query["ssl_certfile"], query.get("ssl_keyfile"))
    except OSError as error:
        raise UnsafeStore(f"redis.url: cannot load its TLS certificates: {error}") from error
    return context
