"""`lockgate import`: a project on one's own hub, and a clone of it, from a file that was given away.

Everything is laid out and examined beside its place, and put there whole: first the objects, each by its
digest; then the repository; the clone last. A call that was killed leaves nothing half visible, and the next
one goes on.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from lockgate.activity import chain, signature
from lockgate.activity.entry import Activity
from lockgate.activity.key import load_key
from lockgate.activity.verify import verify
from lockgate.data.clone import open_clone
from lockgate.data.digest import md5_of_pieces
from lockgate.data.dvc_folder import ensure_dvc_folder
from lockgate.data.store import Store
from lockgate.errors import OutsideError, UserError
from lockgate.git import refs
from lockgate.git.listing import FOLDER
from lockgate.git.objects import Repository
from lockgate.git.program import attempt, git
from lockgate.hub.directory import Hub, configure, create_hub, is_project_name, private_hub_root
from lockgate.hub.exchanging.carrying import expand
from lockgate.hub.exchanging.clone_data import clone_store, digests_between, known_commits
from lockgate.hub.giving.bundle import checkout_bytes, commits_known, read_bundle
from lockgate.hub.giving.crate_file import CrateReader
from lockgate.hub.indexing.index import Index
from lockgate.hub.instant import iso
from lockgate.hub.reaching.address import REMOTE
from lockgate.hub.reindex import ended_runs, restore_words
from lockgate.hub.supplying.holdings import Holdings
from lockgate.hub.worktree.fetching import artifacts_at, place_large
from lockgate.hub.worktree.history import Pinned, pin, refresh
from lockgate.hub.worktree.home import OWNER, free_name
from lockgate.runs.crate.contents import BUNDLE, PUBLIC_KEY, LeftOut
from lockgate.runs.record import Artifact

#: Which crate a project of the hub was made of: the entry of the chain it ended with.
_CRATE = "lockgate.importedChain"
_ROOM_KEPT_BYTES = 64 << 20


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """The project there is now."""

    root: str
    project: str
    run: str
    entry_count: int
    hub_key: str
    """The fingerprint of the key that signed the record."""
    missing: tuple[LeftOut, ...]
    """What the file does not hold and the hub has not got either."""
    is_new: bool


def import_crate(file: Path, folder: Path | None, here: Path, key: str | None = None) -> Imported:
    """Make a project of a crate in `folder`, else in one of the project's name in `here`.

    `key` is the fingerprint that the record must be signed by, as `SHA256:…`.
    Raises `UserError`: `crate-missing`, `crate-damaged`, `crate-format`, `crate-key`, `folder-not-empty`,
    `run-known`; `OutsideError`: `import-busy`, `import-unwritable`, `store-unwritable`, `git-failed`.
    """
    reader = CrateReader(file)
    try:
        if not is_project_name(reader.manifest.project):
            raise reader.damaged("its project's name is none")
        target = Path(os.path.abspath(here / (folder or reader.manifest.project)))  # noqa: PTH100
        hub, _ = create_hub(private_hub_root())
        with _in_words(target):
            return _Import(reader, hub, target, key).do()
    finally:
        reader.close()


class _Import:
    def __init__(self, reader: CrateReader, hub: Hub, target: Path, key: str | None) -> None:
        self._reader, self._manifest = reader, reader.manifest
        self._hub, self._target = hub, target
        self._store = Store(hub.store)
        self._public_key = self._key(key)
        self._name = free_name(hub, target)
        self._repository = hub.repository(self._name)

    def do(self) -> Imported:
        is_begun = self._is_begun()
        is_there = self._target.exists() and (not self._target.is_dir() or any(self._target.iterdir()))
        if is_there and not (is_begun and (self._target / ".git").is_dir()):
            raise UserError(
                f"{self._target} is not empty",
                f"Name a new folder: lockgate import {self._reader.place} FOLDER",
                code="folder-not-empty",
            )
        with _alone(self._hub.repositories / f".{self._name}.importing") as draft:
            if not is_begun:
                count = self._make_repository(draft)
            else:
                self._put_objects()
                count = self._verify(self._repository)
        configure(self._hub, self._name)
        self._fill_index()
        if not is_there:
            self._clone()
        return Imported(
            root=str(self._target),
            project=self._name,
            run=self._manifest.run,
            entry_count=count,
            hub_key=Pinned(self._public_key, False).fingerprint,
            missing=tuple(each for each in self._manifest.left_out if not self._store.has(each.md5)),
            is_new=not is_there,
        )

    def _key(self, wanted: str | None) -> str:
        line = " ".join(self._reader.read(PUBLIC_KEY).decode("utf-8", "replace").split()[:2])
        try:
            signature.public_key(line)
        except UserError as error:
            raise self._reader.damaged(f"its {PUBLIC_KEY} is no key: {error.message}") from None
        found = Pinned(line, False).fingerprint
        if wanted is not None and found.removeprefix("SHA256:") != wanted.strip().removeprefix("SHA256:"):
            raise UserError(
                f"the record is signed by another key: {found}",
                "Do not use the file before its sender has told you why.",
                code="crate-key",
            )
        return line

    def _is_begun(self) -> bool:
        """Return whether this very crate was put on the hub for this very folder before."""
        if not self._repository.exists():
            return False
        code, output, _ = attempt(self._repository, "config", _CRATE)
        if code == 0 and output.decode().strip() == self._manifest.chain:
            return True
        raise UserError(
            f"the hub {self._hub.root} has another project of {self._target} already, {self._name}",
            f"Name another folder: lockgate import {self._reader.place} FOLDER",
            code="folder-not-empty",
        )

    def _make_repository(self, draft: Path) -> int:
        place = draft / "repository"
        place.mkdir()
        self._check_room()
        bundle = draft / BUNDLE
        try:
            with bundle.open("wb") as file:
                file.writelines(self._reader.pieces(BUNDLE))
            read_bundle(bundle, place)
        finally:
            bundle.unlink(missing_ok=True)
        count = self._verify(place)
        self._check_run(place)
        self._check_runs_new(place)
        self._put_objects()
        self._record(place)
        place.rename(self._repository)
        return count

    def _check_room(self) -> None:
        needed = sum(file.size_bytes for file in self._manifest.files) + _ROOM_KEPT_BYTES
        free = shutil.disk_usage(self._hub.root).free
        if needed > free:
            raise OutsideError(
                f"the file holds {needed} bytes, and {self._hub.root} has room for {free}",
                "Make room, or name a hub on another disk: LOCKGATE_HUB=DIR lockgate import …",
                code="import-unwritable",
            )

    def _verify(self, repository: Path) -> int:
        found = verify(repository, self._public_key, start=self._manifest.chain)
        if not found.is_intact:
            raise self._reader.damaged(f"its activity chain is not what the hub wrote: {found.problems[0]}")
        return found.count

    def _check_run(self, place: Path) -> None:
        """See that the chain's end, the branch and the run are those that the file says it gives."""
        heads = {f"refs/heads/{self._manifest.branch}": "branch", chain.REF: "chain"}
        found = {name: self._commit(place, name) for name in heads}
        if found[chain.REF] != self._manifest.chain:
            raise self._reader.damaged("its chain does not end where it says")
        head = found[f"refs/heads/{self._manifest.branch}"]
        if head is None:
            raise self._reader.damaged(f"it has no branch {self._manifest.branch}")
        runs = {each.row.request.id: each.row for each in ended_runs(place, self._name, [])}
        row = runs.get(self._manifest.run)
        if row is None:
            raise self._reader.damaged(f"its chain knows no run {self._manifest.run}")
        told = [commit for commit in (row.request.commit, row.result_commit) if commit is not None]
        if not commits_known(place, told):
            raise self._reader.damaged("the commits of its run are missing")
        if not self._manifest.is_whole_project and head not in told:
            raise self._reader.damaged(f"its branch {self._manifest.branch} is not what its run left")
        needed, free = checkout_bytes(place, head), shutil.disk_usage(self._target.parent).free
        if needed + _ROOM_KEPT_BYTES > free:
            raise OutsideError(
                f"its work tree needs {needed} bytes, and {self._target.parent} has room for {free}",
                f"Name a folder on another disk: lockgate import {self._reader.place} FOLDER",
                code="import-unwritable",
            )

    def _commit(self, place: Path, name: str) -> str | None:
        code, output, _ = attempt(place, "rev-parse", "--verify", "--quiet", "--end-of-options", name)
        return output.decode().strip() if code == 0 else None

    def _check_runs_new(self, place: Path) -> None:
        """A run is of one project of a hub: a stranger's file must not speak of the owner's other runs."""
        index = Index(self._hub.index)
        try:
            for each in ended_runs(place, self._name, []):
                row = index.run(each.row.request.id)
                if row is not None and row.request.project != self._name:
                    raise UserError(
                        f"the hub {self._hub.root} has its runs already, in project {row.request.project}",
                        f"Clone that: git clone -o {REMOTE} {self._hub.repository(row.request.project)}; "
                        "or name another hub: LOCKGATE_HUB=DIR lockgate import …",
                        code="run-known",
                    )
        finally:
            index.close()

    def _put_objects(self) -> None:
        for kept in self._manifest.objects:
            pieces = self._reader.pieces(kept.path)
            unlike = self._reader.damaged(f"{kept.path} has not the digest {kept.md5}")
            if not self._store.keep(kept.md5):
                self._store.put_pieces(pieces, kept.md5, unlike)
            elif md5_of_pieces(pieces) != kept.md5.removesuffix(".dir"):
                raise unlike
        # Its bytes were shown: a mere list of digests must not open other projects' objects
        Holdings(self._hub, self._name).add([kept.md5 for kept in self._manifest.objects])

    def _record(self, place: Path) -> None:
        """Continue the chain with this hub's key, which vouches for what was verified."""
        key = load_key(self._hub.key)
        now = time.time()
        activity = Activity(
            kind=chain.IMPORTED,
            at=iso(now),
            by="hub",
            title=f"Project {self._name} was imported from a file",
            run=self._manifest.run,
            evidence={
                "public_key": key.public_line,
                "signed_before_by": self._public_key,
                "project": self._manifest.project,
                "entry": self._manifest.chain,
            },
        )
        repository = Repository(place)
        chain.append(repository, activity, key, at_epoch_s=int(now))
        git(place, "symbolic-ref", "HEAD", f"refs/heads/{self._manifest.branch}")
        git(place, "config", OWNER, str(self._target))
        git(place, "config", _CRATE, self._manifest.chain)
        assert refs.read(repository, chain.REF) is not None

    def _fill_index(self) -> None:
        """Tell the index of the runs; those it knows stay as they are."""
        index = Index(self._hub.index)
        try:
            known = index.known(self._name)
            with index.transaction():
                for each in ended_runs(self._repository, self._name, []):
                    if not index.has_run(each.row.request.id):
                        index.restore_run(each.row, each.jobs)
                    fresh = [r for r in each.records if known is None or r.fingerprint not in known[0]]
                    index.add_results(self._name, fresh)
                restore_words(index, self._repository, self._name, [])
        finally:
            index.close()

    def _clone(self) -> None:
        self._target.parent.mkdir(parents=True, exist_ok=True)
        with _alone(self._target.with_name(f".{self._target.name}.importing")) as draft:
            place = draft / self._target.name
            git(draft, "clone", "--quiet", "--origin", REMOTE, "--template=", "--",
                str(self._repository), str(place))  # fmt: skip
            refresh(place)
            pin(place)
            self._fill_cache(place)
            place_large(place, [each for each in artifacts_at(place, "HEAD") if self._has(each)])
            if self._target.exists():
                self._target.rmdir()
            place.rename(self._target)

    def _fill_cache(self, place: Path) -> None:
        """Put the data that the file holds into the clone's own store: it is there where no hub is.

        A store elsewhere, by `.dvc/config` or a link, is left alone: a stranger wrote the project.
        """
        clone = open_clone(str(place))
        if clone.is_shared or (place / ".dvc").is_symlink() or os.path.lexists(clone.store):
            return
        pointed = digests_between(place, known_commits(place, REMOTE), ())
        carried = {each.md5 for each in self._manifest.objects}
        wanted = [md5 for md5 in expand(self._store, pointed) if md5 in carried]
        if wanted:
            ensure_dvc_folder(str(place))
        store = clone_store(place)
        for md5 in wanted:
            store.put(self._store.path(md5), md5)

    def _has(self, artifact: Artifact) -> bool:
        if not self._store.has(artifact.md5):
            return False
        is_folder = artifact.mode == FOLDER
        return not is_folder or all(self._store.has(each.md5) for each in self._store.listing(artifact.md5))


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[Path]:
    """Give a folder to lay things out in, for one process at a time; it is gone afterwards.

    Raises `OutsideError` (`import-busy`).
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.path.samestat(os.fstat(handle), folder.stat()):
                raise FileNotFoundError
        except (BlockingIOError, FileNotFoundError):
            raise OutsideError(
                f"another call is importing this just now ({folder})",
                "Wait until it has ended.",
                code="import-busy",
                is_transient=True,
            ) from None
        try:
            for left in folder.iterdir():
                shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(handle)


@contextlib.contextmanager
def _in_words(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutsideError(
            f"the project cannot be written: {error.strerror or error} ({error.filename or target})",
            "Look at the room and the rights there, then call it again: it goes on.",
            code="import-unwritable",
        ) from error
