"""The store of a configuration, for commands that look into it or change it while the gateway runs."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from gateway.cli.options import CONFIG_VARIABLE, fail

if TYPE_CHECKING:
    from gateway.config import Config
    from gateway.journal import Journal

T = TypeVar("T")

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", envvar=CONFIG_VARIABLE, help="Configuration file. Default: gateway.yaml, if it exists."
    ),
]


def with_journal(
    file: Path | None,
    use: Callable[[Journal, Config], Awaitable[T]],
    *,
    deed: str = "",
    change: dict[str, Any] | None = None,
) -> T:
    """What `use` gives for the store of a configuration; prints what went wrong and exits with 2 (refused) or 1 (no store).

    `deed`: the command, if it changes something; the audit keeps it, with `change` as `use` may have filled it.
    """
    import asyncio

    from gateway.config_file import ConfigError, load
    from gateway.journal import StoreDown, UnsafeStore

    quiet()
    default = Path("gateway.yaml")
    path = file if file is not None else default if default.exists() else None
    try:
        config = load(path, os.environ)
    except ConfigError as error:
        fail(error.errors)
    try:
        return asyncio.run(_use(config, use, deed, change))
    except (StoreDown, UnsafeStore) as error:
        typer.echo(f"store: {error}", err=True)
        raise typer.Exit(1) from None
    except ValueError as error:
        fail([str(error)])


def quiet() -> None:
    """What the gateway's parts say of themselves is no part of what was asked for: only warnings, to standard error."""
    import logging
    import sys

    import structlog

    wrapper = structlog.make_filtering_bound_logger(logging.WARNING)
    structlog.configure(wrapper_class=wrapper, logger_factory=structlog.PrintLoggerFactory(sys.stderr))


async def _use(
    config: Config, use: Callable[[Journal, Config], Awaitable[T]], deed: str, change: dict[str, Any] | None
) -> T:
    from getpass import getuser

    from gateway.journal.audit import Deed

    journal = await opened(config)
    try:
        found = await use(journal, config)
        if deed:
            await journal.note(Deed(f"cli:{getuser()}", "CLI", deed, 0, change=change or {}))
        return found
    finally:
        await journal.stop()


async def opened(config: Config) -> Journal:
    """An embedded store is that of the running gateway; when none runs, the command starts the server for itself."""
    import asyncio
    import time

    import msgspec

    from gateway.journal import Journal, StoreDown
    from gateway.journal.embedded import Embedded

    def now() -> int:
        return time.time_ns() // 1_000_000

    if config.redis.url == "embedded":
        socket = Embedded(config.redis.data_dir, config.redis.fsync).socket
        if await asyncio.to_thread(os.path.exists, socket):
            running = Journal(msgspec.structs.replace(config.redis, url=f"unix://{socket}"), now_ms=now)
            try:
                await running.start()
            except StoreDown:
                pass  # nobody listens there any more
            else:
                return running
    journal = Journal(config.redis, now_ms=now)
    await journal.start()
    return journal
