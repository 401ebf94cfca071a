"""The line to a scheduler: every call has a time limit, and a broken line is laid anew by the next call."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.resources
import logging
import sys
import threading
import warnings
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any, TypeVar

from lockgate.backends.dask.options import Options
from lockgate.errors import LockgateError, OutsideError

T = TypeVar("T")

#: A client is used from its own loop only, and there is no type information to be had for it.
Client = Any


@cache
def shipped(name: str) -> Callable[..., Any]:
    """Return a function of `shipped.py` as one that is pickled by value, so that Dask's processes can run it
    without Lockgate: that is what cloudpickle does with functions of `__main__`."""
    source = importlib.resources.files(__package__).joinpath("shipped.py").read_text(encoding="utf-8")
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(source, "shipped.py", "exec"), space)
    function: Callable[..., Any] = space[name]
    return function


class Connection:
    """A client of one scheduler, on an event loop in a thread of its own."""

    def __init__(self, options: Options, address: str) -> None:
        self._options = options
        self._address = address
        self._client: Client | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def call(self, make: Callable[[Client], Awaitable[T]]) -> T:
        """Return what `make` awaits; raises `OutsideError` (`backend-unreachable`, transient)."""
        loop = self._running_loop()
        try:
            return asyncio.run_coroutine_threadsafe(self._call(make), loop).result()
        except LockgateError:
            raise
        except (OSError, TimeoutError, asyncio.CancelledError) as error:
            self._drop()
            raise self._unreachable(error) from None
        except Exception as error:
            self._drop()
            if not type(error).__module__.startswith(("distributed", "dask")):
                raise
            raise self._unreachable(error) from None

    def close(self) -> None:
        """Let go of the scheduler; tasks go on."""
        loop, self._loop = self._loop, None
        if loop is None:
            return
        self._drop_in(loop)
        loop.call_soon_threadsafe(loop.stop)

    def _unreachable(self, error: BaseException) -> OutsideError:
        words = str(error).split("\n")[0] or f"no answer within {self._options.timeout} s"
        return OutsideError(
            f"the Dask scheduler {self._address} cannot be reached: {words[:200]}",
            "It is asked again. See that it runs, and that [batch.dask] has its address.",
            code="backend-unreachable",
            is_transient=True,
        )

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=_run, args=(self._loop,), name="Dask line", daemon=True).start()
        return self._loop

    def _drop(self) -> None:
        if self._loop is not None:
            self._drop_in(self._loop)

    def _drop_in(self, loop: asyncio.AbstractEventLoop) -> None:
        client, self._client = self._client, None
        if client is not None:
            ending = asyncio.run_coroutine_threadsafe(_close(client), loop)
            with contextlib.suppress(Exception):
                ending.result(timeout=5)

    async def _call(self, make: Callable[[Client], Awaitable[T]]) -> T:
        # A client whose line broke between two calls closes itself when it cannot lay it anew in its time
        if self._client is None or self._client.status == "closed":
            self._client = await self._connect()
        return await asyncio.wait_for(make(self._client), self._options.timeout)

    async def _connect(self) -> Client:
        distributed = _import()
        options = self._options
        security = None
        if options.tls_ca is not None or options.tls_cert is not None:
            security = distributed.Security(
                tls_ca_file=options.tls_ca,
                tls_client_cert=options.tls_cert,
                tls_client_key=options.tls_key,
                require_encryption=True,
            )
        where = {"address": options.scheduler} if options.scheduler else {"scheduler_file": self._address}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            client = await asyncio.wait_for(
                distributed.Client(
                    **where,
                    security=security,
                    timeout=options.timeout,
                    asynchronous=True,
                    set_as_default=False,
                    name="lockgate",
                ),
                options.timeout + 1,
            )
            versions = await asyncio.wait_for(client.get_versions(), options.timeout)
        _check(versions)
        return client


def _check(versions: dict[str, Any]) -> None:
    """Python's code is not the same from one version to the next: Dask's processes could not read ours."""
    own = ".".join(map(str, sys.version_info[:2]))
    for who, said in [("scheduler", versions["scheduler"]), *versions["workers"].items()]:
        theirs = ".".join(str(said["host"]["python"]).split(".")[:2])
        if theirs != own:
            raise OutsideError(
                f"Dask's {who} runs Python {theirs}, the hub {own}",
                "Give both the same Python; Dask needs that of all its parts.",
                code="backend-version",
            )


def _import() -> Any:
    try:
        import distributed  # noqa: PLC0415  (only hubs that use Dask have it)
    except ImportError as error:
        raise OutsideError(
            f"Dask is not installed beside the hub's Lockgate: {error}",
            "Install it there: uv pip install 'dask[distributed]'",
            code="backend-program",
        ) from None
    # What it logs of a line that breaks is told by our errors, once. Its client has a level of its own
    # (distributed/config.py, _initialize_logging_old_style)
    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return distributed


async def _close(client: Client) -> None:
    with contextlib.suppress(Exception):
        await client.close(timeout=3)


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    loop.run_forever()
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
