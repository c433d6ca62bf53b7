"""Where the store is: the forms of `redis.url`."""

from __future__ import annotations

import ssl
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from gateway.journal.errors import UnsafeStore

FORMS = "embedded, redis://, rediss:// or unix://"


class Address(msgspec.Struct, frozen=True):
    """A parsed `redis.url`. Its text form never shows the password."""

    host: str = ""
    port: int = 6379
    path: str = ""
    """Unix socket; empty: TCP."""
    tls: ssl.SSLContext | None = None
    username: str = ""
    password: str = ""
    db: int = 0

    def __str__(self) -> str:
        where = f"unix socket {self.path}" if self.path else f"{self.host}:{self.port}"
        return where + (f" database {self.db}" if self.db else "")

    __repr__ = __str__


def parse(url: str) -> Address:
    """Reads `redis://[[user]:password@]host[:port][/db]`, the same with `rediss`, or `unix://[[user]:password@]/path[?db=n]`.

    `rediss` takes the query parameters `ssl_ca_certs`, `ssl_certfile`, `ssl_keyfile` (paths) and `ssl_cert_reqs`
    (`required` or `none`). Raises UnsafeStore for any other form; its text never repeats the URL and so no password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or 6379
        query = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
        db = int(query.pop("db", "") or (parts.path.strip("/") if parts.scheme != "unix" else "") or 0)
    except ValueError as error:
        raise UnsafeStore(f"redis.url is not a URL: use {FORMS}") from error
    username, password = unquote(parts.username or ""), unquote(parts.password or "")
    if parts.scheme == "unix" and parts.path:
        return Address(path=unquote(parts.path), username=username, password=password, db=db)
    if parts.scheme in ("redis", "rediss"):
        tls = _tls(query) if parts.scheme == "rediss" else None
        return Address(parts.hostname or "127.0.0.1", port, "", tls, username, password, db)
    if parts.scheme.startswith("redis+sentinel"):
        raise UnsafeStore(f"redis.url: redis+sentinel:// is not yet supported: use {FORMS}")
    raise UnsafeStore(f"redis.url has an unknown form: use {FORMS}")


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
