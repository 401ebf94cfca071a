"""The project's remote as a place that brings what the store lacks; nothing is loaded before it is asked."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lockgate.data.clone import Clone
    from lockgate.data.transfer import Progress


class RemoteSource:
    """A `Source`: the remote of this name or address, else the project's; without one it has nothing."""

    def __init__(self, named: str | None, told: Callable[[Progress], None]) -> None:
        self._named = named
        self._told = told

    def bring(self, clone: Clone, md5s: Sequence[str]) -> None:
        from pathlib import Path  # noqa: PLC0415

        from lockgate.data.remote_choice import choose_remote, has_remote  # noqa: PLC0415
        from lockgate.data.store import Store  # noqa: PLC0415
        from lockgate.data.transfer import bring  # noqa: PLC0415

        if self._named is None and not has_remote(clone):
            return
        remote = choose_remote(clone, self._named)
        there = remote.present(md5s)
        bring(Store(Path(clone.store)), remote, [md5 for md5 in md5s if md5 in there], self._told)

    def lacking(self, clone: Clone) -> tuple[str, str] | None:
        del clone
        if self._named is None:
            return None
        return (
            f"{self._named} does not have them either",
            "Look at the address; or whoever has them sends them there: "
            f"lockgate data put --remote {self._named}",
        )
