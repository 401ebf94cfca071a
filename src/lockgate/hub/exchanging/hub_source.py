"""The hub as a place that brings what a clone's store lacks; nothing is loaded before it is asked."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from lockgate.data.clone import Clone
    from lockgate.data.transfer import Progress


class HubSource:
    """A `Source`: the hub that the clone's remote `hub` means; without one it has nothing."""

    def __init__(self, told: Callable[[Progress], None]) -> None:
        self._told = told

    def bring(self, clone: Clone, md5s: Sequence[str]) -> None:
        import threading  # noqa: PLC0415
        from pathlib import Path  # noqa: PLC0415

        from lockgate.data.store import Store  # noqa: PLC0415
        from lockgate.data.transfer import Progress  # noqa: PLC0415
        from lockgate.git.worktree import remotes  # noqa: PLC0415
        from lockgate.hub.exchanging.carrying import fetch_in_streams  # noqa: PLC0415
        from lockgate.hub.exchanging.exchange import exchange_with  # noqa: PLC0415
        from lockgate.hub.reaching.address import REMOTE, of_url  # noqa: PLC0415

        root, store = Path(clone.root), Store(Path(clone.store))
        url = remotes(root).get(REMOTE)
        if url is None:
            return
        guard = threading.Lock()
        done = done_bytes = 0

        def came(size: int) -> None:
            nonlocal done_bytes
            with guard:
                done_bytes += size
                self._told(Progress(done, len(md5s), done_bytes))

        def accept(md5: str, file: Path) -> None:
            nonlocal done
            store.adopt_new(file, md5)
            with guard:
                done += 1
                self._told(Progress(done, len(md5s), done_bytes))

        fetch_in_streams(exchange_with(of_url(url, root)), store.folder / "tmp", md5s, accept, came)
        # What the hub has not either goes without being told of: the line of progress is ended all the same
        self._told(Progress(done, done, done_bytes))

    def lacking(self, clone: Clone) -> tuple[str, str] | None:
        from pathlib import Path  # noqa: PLC0415

        from lockgate.git.worktree import remotes  # noqa: PLC0415
        from lockgate.hub.reaching.address import REMOTE, naming_a_hub  # noqa: PLC0415

        found = remotes(Path(clone.root))
        return None if REMOTE in found else (f"there is no remote `{REMOTE}` to ask", naming_a_hub(found))
