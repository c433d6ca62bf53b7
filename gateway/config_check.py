"""Rules between keys: what types alone cannot say."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import SplitResult, unquote, unquote_to_bytes, urlsplit, urlunsplit

import msgspec

from gateway import config_policies, config_security
from gateway.config import ROLES, Config, RouteConfig, Upstream
from gateway.config_source import Node, Problems, join, suggestion
from translators.options import Options

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
_REDIS_SCHEMES = frozenset({"redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel"})
_TAKEN = frozenset({"session"})
"""Names of the journal's own consumer groups."""

TRANSLATE_ONLY = {
    "deauthorise": "use deauthorise of the route",
    "post_boot": "a running gateway always does the post-boot tasks",
    "registered": "a running gateway learns it from the charger",
    "upstream_down_policy": "use primary_down of the route",
}
"""Translation options that mean nothing to a running gateway, and what to do instead."""


def check(config: Config, root: Node, roles: frozenset[str], problems: Problems) -> Config:
    """`config` with its URLs and routes brought into one form; everything wrong goes to `problems`."""
    upstreams = _upstreams(config, root, problems)
    _redis(config, root, roles, problems)
    _listeners(config, root, problems)
    for name, upstream in config.upstreams.items():
        if upstream.authentication == "passthrough" and roles != ROLES and not config.vault.key:
            what = "passthrough needs both roles in one process, or vault.key to seal what one passes to the other"
            problems.add(_where(root, "upstreams", name, "credentials"), f"upstreams.{name}.credentials", what)
        if upstream.authentication == "vault" and not config.vault.key:
            what = "vault needs vault.key; ocpp-gateway vault key makes one"
            problems.add(_where(root, "upstreams", name, "credentials"), f"upstreams.{name}.credentials", what)
    for key, message in config_security.of_vault(config.vault):
        problems.add(_where(root, "vault", key), f"vault.{key}", message)
    if config.tracing.endpoint and not re.match(r"https?://[^/]", config.tracing.endpoint):
        what = "must be an http:// or https:// address, such as http://collector:4318"
        problems.add(_where(root, "tracing", "endpoint"), "tracing.endpoint", what)
    routes = _routes(config, root, problems)
    return msgspec.structs.replace(config, upstreams=upstreams, routes=routes)


def _listeners(config: Config, root: Node, problems: Problems) -> None:
    if not config.listen:
        problems.add(_where(root, "listen"), "listen", "must have at least one listener")
    many = isinstance(_find(root, ("listen",))[0].value, list)
    for index, listen in enumerate(config.listen):
        steps: tuple[str | int, ...] = ("listen", index) if many else ("listen",)
        path = f"listen[{index}]" if many else "listen"
        for key, message in config_security.of_listener(listen, config.registry):
            problems.add(_where(root, *steps, *key.split(".")), join(path, key), message)
        place = (listen.host, listen.port)
        if listen.port and place in [(other.host, other.port) for other in config.listen[:index]]:
            problems.add(_where(root, *steps, "port"), f"{path}.port", "is the port of another listener already")
        if listen.port and place == (config.admin.host, config.admin.port):
            problems.add(
                _where(root, "admin", "port"), "admin.port", f"is {path}.port too; give one of them another port"
            )
    for key, message in config_security.of_tokens(config.admin.tokens):
        problems.add(_where(root, "admin", "tokens"), f"admin.{key}", message)
    for name, profile in config.quirks.items():
        for key in ("vendor", "model", "firmware"):
            try:
                re.compile(getattr(profile, key))
            except re.error as error:
                problems.add(
                    _where(root, "quirks", name, key),
                    join(join("quirks", name), key),
                    f"no regular expression: {error}",
                )
    for key, message in config_security.of_registry(config.registry):
        problems.add(_where(root, "registry", key), f"registry.{key}", message)


def _find(root: Node, path: tuple[str | int, ...]) -> tuple[Node, bool]:
    """The node of a key or its nearest written ancestor, and whether it is the key itself."""
    here = root
    for part in path:
        child: Node | None = None
        if isinstance(here.value, dict):
            child = here.value.get(str(part))
        elif isinstance(here.value, list) and isinstance(part, int) and part < len(here.value):
            child = here.value[part]
        if child is None:
            return here, False
        here = child
    return here, True


def _where(root: Node, *path: str | int) -> str:
    return _find(root, path)[0].where


def _upstreams(config: Config, root: Node, problems: Problems) -> dict[str, Upstream]:
    if not config.upstreams:
        problems.add(
            _where(root, "upstreams"),
            "upstreams",
            "must name at least one CSMS, such as main: {url: ..., version: ...}",
        )
    seen: dict[str, str] = {}
    checked: dict[str, Upstream] = {}
    for name, upstream in config.upstreams.items():
        path = join("upstreams", name)
        where = _where(root, "upstreams", name)
        if not _NAME.fullmatch(name):
            problems.add(where, path, "a name has up to 40 letters, digits, - and _, and begins with a letter or digit")
        elif name.casefold() in _TAKEN:
            problems.add(where, path, "this name is taken by the gateway itself; choose another")
        folded = name.casefold().replace("-", "_")
        if folded in seen:
            problems.add(where, path, f"too much like {seen[folded]}: names must differ by more than case, - and _")
        seen.setdefault(folded, name)
        if upstream.reconnect_max < upstream.reconnect_min:
            problems.add(
                _where(root, "upstreams", name, "reconnect_max"),
                join(path, "reconnect_max"),
                "is shorter than reconnect_min",
            )
        _options(upstream.options, root, name, problems)
        upstream = _without_userinfo(upstream, root, name, problems)
        for key, message in config_policies.of_upstream(upstream):
            problems.add(_where(root, "upstreams", name, *key.split(".")), join(path, key), message)
        checked[name] = msgspec.structs.replace(
            upstream,
            charger_ids={charger.casefold(): id for charger, id in upstream.charger_ids.items()},
            passwords={charger.casefold(): password for charger, password in upstream.passwords.items()},
        )
        for file in (upstream.client_cert, upstream.client_key, upstream.ca_file):
            if file:
                problems.files.add(Path(file))
    return checked


def _without_userinfo(upstream: Upstream, root: Node, name: str, problems: Problems) -> Upstream:
    """Credentials of the URL become username and password, so that the URL can be shown."""
    if not upstream.url:
        return upstream
    where, path = _where(root, "upstreams", name, "url"), f"upstreams.{name}.url"
    try:
        parts = urlsplit(upstream.url)
        port = parts.port
    except ValueError as error:
        problems.add(where, path, f"is no URL: {error}")
        return upstream
    if parts.scheme not in ("ws", "wss") or not parts.hostname or port == 0:
        problems.add(where, path, "must be a ws:// or wss:// address with a host, such as ws://127.0.0.1:9100/ocpp")
        return upstream
    if parts.query or parts.fragment:
        problems.add(where, path, "must not have ? or #: the charger id is appended as last path segment")
        return upstream
    end = parts.path if "{id}" in parts.path else parts.path.rstrip("/")  # some CSMSs insist on a slash after the id
    clean = urlunsplit(SplitResult(parts.scheme, parts.netloc.rpartition("@")[2], end, "", ""))
    if parts.username is None:
        return msgspec.structs.replace(upstream, url=clean)
    if upstream.username or upstream.password:
        problems.add(where, path, "has credentials, and username or password is given too; keep one of them")
    return msgspec.structs.replace(
        upstream, url=clean, username=unquote(parts.username), password=_unquoted(parts.password or "")
    )


def _unquoted(password: str) -> str:
    """As `password` has it: bytes that are no text become `hex:` and digits."""
    raw = unquote_to_bytes(password)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return "hex:" + raw.hex()


def _options(options: Options, root: Node, name: str, problems: Problems) -> None:
    path = f"upstreams.{name}.options"
    where = _where(root, "upstreams", name, "options")
    for key, instead in TRANSLATE_ONLY.items():
        node, written = _find(root, ("upstreams", name, "options", key))
        if written:
            problems.add(node.where, join(path, key), f"is for `ocpp-gateway translate` only; {instead}")
    targets: dict[tuple[int, int], str] = {}
    for connector, target in options.topology.items():
        topology = join(path, f"topology.{connector}")
        if not connector.isdecimal() or int(connector) < 1:
            problems.add(where, topology, "a 1.6 connectorId is a whole number of at least 1")
        if min(target) < 1:
            problems.add(where, topology, "evseId and connectorId are at least 1")
        if target in targets:
            problems.add(where, topology, f"connector {targets[target]} is mapped to the same place")
        targets[target] = connector


def _redis(config: Config, root: Node, roles: frozenset[str], problems: Problems) -> None:
    where, url = _where(root, "redis", "url"), config.redis.url
    if url == "embedded":
        if roles != ROLES:
            role = ", ".join(sorted(roles))
            problems.add(
                where,
                "redis.url",
                f"embedded serves one process with both roles; role {role} alone needs a server: redis://host:6379/0",
            )
        if not config.redis.data_dir:
            problems.add(_where(root, "redis", "data_dir"), "redis.data_dir", "must name a directory")
        for key in ("replicas", "cluster"):
            if getattr(config.redis, key):
                problems.add(
                    _where(root, "redis", key), f"redis.{key}", "is for a store of yours; the embedded one is alone"
                )
        return
    scheme = url.partition("://")[0]
    if "://" not in url or scheme not in _REDIS_SCHEMES:
        problems.add(
            where, "redis.url", "must be embedded or begin with redis://, rediss://, redis+sentinel:// or unix://"
        )
    elif config.redis.cluster and scheme not in ("redis", "rediss"):
        problems.add(
            _where(root, "redis", "cluster"), "redis.cluster", "needs a redis:// or rediss:// address of its nodes"
        )


def _routes(config: Config, root: Node, problems: Problems) -> tuple[RouteConfig, ...]:
    names = list(config.upstreams)
    if not config.routes:
        if len(names) == 1:
            return (RouteConfig(primary=names[0]),)
        if names:
            example = f'routes: [{{match: "*", primary: {names[0]}, mirrors: [{", ".join(names[1:])}]}}]'
            problems.add(_where(root, "routes"), "routes", f"several upstreams need a route; for example {example}")
        return ()
    for index, route in enumerate(config.routes):
        path = f"routes[{index}]"
        if names and route.primary and route.primary not in config.upstreams:
            known = f"no upstream has the name {route.primary}{suggestion(route.primary, names)}"
            problems.add(_where(root, "routes", index, "primary"), f"{path}.primary", known)
        where = _where(root, "routes", index, "mirrors")
        for position, mirror in enumerate(route.mirrors):
            if names and mirror not in config.upstreams:
                known = f"no upstream has the name {mirror}{suggestion(mirror, names)}"
                problems.add(where, f"{path}.mirrors[{position}]", known)
            elif mirror == route.primary:
                problems.add(where, f"{path}.mirrors[{position}]", f"{mirror} is the primary of this route already")
            elif mirror in route.mirrors[:position]:
                problems.add(where, f"{path}.mirrors[{position}]", f"{mirror} is named twice")
        if route.name and route.name in [other.name for other in config.routes[:index]]:
            problems.add(_where(root, "routes", index, "name"), f"{path}.name", "is the name of another route already")
        for key in ("name", "groups"):
            if getattr(route, key) and config.registry.source == "open":
                what = "is for chargers of a registry: give registry.source file or redis"
                problems.add(_where(root, "routes", index, key), f"{path}.{key}", what)
        narrow = route.when or route.groups
        if "*" in route.patterns and not narrow and not _all_named(config.routes[index + 1 :]):
            problems.add(
                _where(root, "routes", index, "match"),
                f"{path}.match",
                "fits every charger; move this route to the end",
            )
        if set(route.upstreams) <= set(names):
            for key, message in config_policies.of_route(route, config.upstreams, config.subprotocols):
                problems.add(_where(root, "routes", index, *key.split(".")), f"{path}.{key}", message)
    if all(route.when for route in config.routes):
        problems.add(
            _where(root, "routes", len(config.routes) - 1, "when"),
            f"routes[{len(config.routes) - 1}].when",
            "every route has it, but what a charger is is known only after its first boot: end with a route without",
        )
    _shadows(config, root, problems)
    return config.routes


def _all_named(routes: tuple[RouteConfig, ...]) -> bool:
    """Whether these routes are reached by their names, so that one before them may fit every charger."""
    return all(route.name for route in routes)


def _shadows(config: Config, root: Node, problems: Problems) -> None:
    """A mirror of some chargers may be the primary of others; a primary that is nobody's mirror has no answers to compare."""
    mirrors = {name for route in config.routes for name in (*route.mirrors, route.canary.upstream)}
    for name in dict.fromkeys(route.primary for route in config.routes):
        if name in config.upstreams and config.upstreams[name].shadow and name not in mirrors:
            message = "is for a mirror: the answers of a primary are those that others are compared with"
            problems.add(_where(root, "upstreams", name, "shadow"), f"upstreams.{name}.shadow", message)
