"""What the files of an output are right now: known digests where nothing changed, else by reading."""

from __future__ import annotations

import os
import sys

from lockgate.data.clone import Clone
from lockgate.data.digests import Digests
from lockgate.data.linking import ChangedError, still_changing
from lockgate.data.listing import listing_of
from lockgate.data.scan import differing, each_seen, rescan, scan
from lockgate.data.state import Known, now_ns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable

    from lockgate.data.scan import Ignoring, Tree

    #: Reads a file, given what was seen of it (inode, size, time), and returns its md5.
    Reader = Callable[[str, tuple[int, int, int]], str]

#: Files from this size on are read by several threads: below it, Python's own work counts for more.
_LARGE_BYTES = 1 << 20
#: From so many files on a second process is worth its start.
_MANY = 3000


class Survey:
    """The files of one output, each with its digest."""

    __slots__ = ("_listing", "digests", "is_as_known", "looked_at_ns", "read_count", "tree")

    def __init__(
        self, tree: Tree, digests: Digests, looked_at_ns: int, read_count: int, *, is_as_known: bool = False
    ) -> None:
        self.tree = tree
        self.digests = digests
        self.is_as_known = is_as_known
        """Nothing looks different from what was known."""
        self.looked_at_ns = looked_at_ns
        self.read_count = read_count
        """So many files were not known and have been read."""
        self._listing: bytes | None = None

    @property
    def is_file(self) -> bool:
        return "" in self.tree and self.tree[""][0] == [""]

    def files(self) -> dict[str, str]:
        """Return path within the output → md5; a single file's path is empty."""
        return files_of_tree(self.tree, self.digests)

    def listing(self) -> bytes:
        """Return the bytes that DVC keeps for a folder of these files."""
        if self._listing is None:
            self._listing = listing_of(self.files())
        return self._listing


def files_of_tree(tree: Tree, digests: Digests) -> dict[str, str]:
    files: dict[str, str] = {}
    for folder, (names, _) in tree.items():
        here = digests[folder]
        files.update(zip([folder + name for name in names], here, strict=True))
    return files


def survey(clone: Clone, path: str, known: Known | None, read: Reader) -> Survey | None:
    """Look at an output's files; None: nothing is there.

    Raises `UserError`: those of `scan`, `data-changing`, `data-ignored`.
    """
    looked_at_ns = now_ns()
    top = f"{clone.root}/{path}"
    ignoring = _ignoring(clone.root, path)
    folders = _differing(top, known.tree) if known is not None and ignoring is None else None
    if known is not None and folders == []:
        return Survey(known.tree, known.digests, looked_at_ns, 0, is_as_known=True)
    if known is not None and folders is not None and os.path.isdir(top) and not os.path.islink(top):
        tree = rescan(top, known.tree, folders) or None
    else:
        tree = scan(top, ignoring)
    if tree is None:
        return None
    if known is not None and tree == known.tree:
        return Survey(tree, known.digests, looked_at_ns, 0, is_as_known=True)
    digests, read_count = digests_of(tree, top, known, read)
    return Survey(tree, digests, looked_at_ns, read_count)


def survey_again(
    clone: Clone, path: str, before: Survey, folders: Iterable[str], changed: Container[str], read: Reader
) -> Survey:
    """Look once more at an output that is a folder: at these of its folders, of which somebody knows that
    files in them changed. Who else changes one meanwhile leaves it unlike what is told here, so that it is
    read when it is looked at next. Raises as `survey`."""
    looked_at_ns = now_ns()
    top = f"{clone.root}/{path}"
    tree = rescan(top, before.tree, folders, _ignoring(clone.root, path), changed)
    digests, read_count = digests_of(tree, top, Known("", "", before.tree, before.digests), read)
    return Survey(tree, digests, looked_at_ns, read_count)


def digests_of(tree: Tree, top: str, known: Known | None, read: Reader) -> tuple[Digests, int]:
    """Return the digests of a tree's files, in its order, and how many had to be read for it: those that
    do not look as they did when they were known.

    Raises `UserError` (`data-changing`), and what `read` does.
    """
    digests = Digests()
    unread: list[tuple[list[str], int, str, tuple[int, int, int]]] = []
    for folder, (names, stats) in tree.items():
        old = known.tree.get(folder) if known is not None else None
        if known is not None and old == (names, stats):
            digests.take(folder, known.digests)
            continue
        digests[folder] = here = [""] * len(names)
        before = _by_name(old, known.digests[folder]) if known is not None and old is not None else {}
        for at, name in enumerate(names):
            seen = (stats[3 * at], stats[3 * at + 1], stats[3 * at + 2])
            there = before.get(name)
            if there is not None and there[0] == seen:
                here[at] = there[1]
            else:
                unread.append((here, at, f"{top}/{folder}{name}" if name else top, seen))
    _read(unread, read)
    return digests, len(unread)


def _differing(top: str, tree: Tree) -> list[str] | None:
    """Return the folders that look different, by two processes, as git looks with threads (its
    `core.preloadIndex`); None: for these few files a scan is as good."""
    files = sum(len(names) for names, _ in tree.values())
    threads = sys.modules.get("threading")
    is_alone = hasattr(os, "fork") and (threads is None or threads.active_count() == 1)
    if files < _MANY or (os.cpu_count() or 1) < 2 or not is_alone:
        return None
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        # Neither buffers nor handlers of the parent are touched
        try:
            os.close(ours)
            with open(theirs, "wb") as told:
                told.write(b"".join(os.fsencode(folder) + b"\0" for folder in differing(top, tree, 1, 2)))
            os._exit(0)
        finally:
            os._exit(1)
    os.close(theirs)
    found = set(differing(top, tree, 0, 2))
    with open(ours, "rb") as told:
        found.update(os.fsdecode(name) for name in told.read().split(b"\0")[:-1])
    return list(found) if os.waitpid(child, 0)[1] == 0 else None


def digest_of_survey(found: Survey) -> str:
    """Return the digest that a pointer to these files has."""
    if found.is_file:
        return found.digests[""][0]
    from hashlib import md5  # noqa: PLC0415  (not where nothing changed)

    return md5(found.listing(), usedforsecurity=False).hexdigest() + ".dir"


def _by_name(
    old: tuple[list[str], list[int]], digests: list[str]
) -> dict[str, tuple[tuple[int, int, int], str]]:
    names, stats = old
    return dict(zip(names, zip(each_seen(stats), digests, strict=True), strict=True))


def _ignoring(root: str, path: str) -> Ignoring | None:
    """Read `.dvcignore` files only if one on the way says anything: what `dvc init` writes does not."""
    folder = path
    while folder:
        folder = os.path.dirname(folder)
        try:
            with open(os.path.join(root, folder, ".dvcignore"), "rb") as file:
                if any(line.strip() and not line.startswith(b"#") for line in file):
                    from lockgate.data.ignoring import load_ignoring  # noqa: PLC0415  (imports `re`)

                    return load_ignoring(root, path)
        except (FileNotFoundError, NotADirectoryError):
            continue
    return None


def _read(unread: list[tuple[list[str], int, str, tuple[int, int, int]]], read: Reader) -> None:
    def one(item: tuple[list[str], int, str, tuple[int, int, int]]) -> None:
        here, at, path, seen = item
        try:
            here[at] = read(path, seen)
        except ChangedError:
            raise still_changing(path) from None

    large = [item for item in unread if item[3][1] >= _LARGE_BYTES]
    if len(large) > 1:
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  (only where it pays)

        with ThreadPoolExecutor(min(os.cpu_count() or 1, 8)) as threads:
            for done in [threads.submit(one, item) for item in large]:
                done.result()
        unread = [item for item in unread if item[3][1] < _LARGE_BYTES]
    for item in unread:
        one(item)
