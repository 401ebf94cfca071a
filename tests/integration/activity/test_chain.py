"""The chain in real repositories: readable by git, written by many at once, no tampering unseen."""

from __future__ import annotations

import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from lockgate.activity import chain
from lockgate.activity.chain import REF, append, read
from lockgate.activity.entry import Activity
from lockgate.activity.key import Key, create_key, load_key
from lockgate.activity.verify import split_signature, verify
from lockgate.errors import OutsideError, UserError
from lockgate.git import refs
from lockgate.git.listing import FILE, Entry
from lockgate.git.objects import Repository
from lockgate.git.program import git

AT = 1_770_000_000


def activity(number: int = 0, **named: str) -> Activity:
    facts = {
        "kind": "run.finished",
        "at": "2026-02-02T02:40:00Z",
        "by": "ana",
        "title": f"Run {number} finished",
    }
    return Activity(**(facts | named), evidence={"number": number, "note": "é"})  # type: ignore[arg-type]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "-q", "--bare", tmp_path / "hub.git"], check=True)
    return tmp_path / "hub.git"


@pytest.fixture
def repository(path: Path) -> Repository:
    return Repository(path)


@pytest.fixture
def key(tmp_path: Path) -> Key:
    return create_key(tmp_path / "key")


def fill(repository: Repository, key: Key, count: int) -> list[str]:
    """A chain of `count` entries; their commits, oldest first."""
    return [append(repository, activity(number), key, at_epoch_s=AT + number) for number in range(count)]


def test_what_is_appended_is_read_newest_first(path: Path, repository: Repository, key: Key) -> None:
    assert list(read(path)) == []
    ids = fill(repository, key, 5)
    assert list(read(path)) == [(ids[number], activity(number)) for number in (4, 3, 2, 1, 0)]
    assert [oid for oid, _ in read(path, 2)] == [ids[4], ids[3]]
    assert [oid for oid, _ in read(path, 2, start=ids[2])] == [ids[2], ids[1]]
    assert list(read(path, 0)) == []
    result = verify(path, key.public_line)
    assert (result.count, result.problems, result.is_intact) == (5, (), True)


def test_plain_git_reads_and_verifies_it(
    path: Path, repository: Repository, key: Key, tmp_path: Path
) -> None:
    files: dict[str, bytes | str] = {
        "logs/train.txt": b"epoch 1\n",
        "cells/1.py": repository.write_blob(b"x = 1\n"),
    }
    oid = append(
        repository,
        activity(7, run="01J8F3KQ2ZD"),
        key,
        files,
        at_epoch_s=AT,
        author_email="ana@example.org",
    )
    shown = git(
        path, "log", "-1", "--format=%an <%ae>|%cn|%ct|%s|%(trailers:key=Lockgate-Run,valueonly)", REF
    )
    assert shown.decode() == f"ana <ana@example.org>|{chain.HUB_NAME}|{AT}|Run 7 finished|01J8F3KQ2ZD\n\n"
    names = git(path, "ls-tree", "-r", "--name-only", REF).decode().split()
    assert names == ["activity.json", "cells/1.py", "logs/train.txt"]
    allowed = tmp_path / "allowed"
    allowed.write_text(f'hub@localhost namespaces="git" {key.public_line}\n')
    trust = ("-c", "gpg.format=ssh", "-c", f"gpg.ssh.allowedSignersFile={allowed}")
    git(path, *trust, "verify-commit", oid)
    git(path, "fsck", "--strict")
    other = create_key(tmp_path / "other")
    allowed.write_text(f'hub@localhost namespaces="git" {other.public_line}\n')
    with pytest.raises(OutsideError):
        git(path, *trust, "verify-commit", oid)


def test_what_git_signs_with_ssh_keygen_we_verify(path: Path, key: Key, tmp_path: Path) -> None:
    signing = ("-c", "gpg.format=ssh", "-c", f"user.signingKey={tmp_path / 'key'}", "-c", "user.name=a")
    tree = git(path, "mktree", stdin=b"").decode().strip()
    oid = git(path, *signing, "-c", "user.email=a@b", "commit-tree", "-S", "-m", "x", tree).decode().strip()
    assert not verify(path, key.public_line).problems
    git(path, "update-ref", REF, oid)
    problems = verify(path, key.public_line).problems
    assert problems == (f"{oid}: it has no activity.json",)


def test_kept_commits_are_further_parents_and_survive_collection(
    path: Path, repository: Repository, key: Key
) -> None:
    kept = [repository.commit(repository.edit_tree(None, {}), [], f"{n}", ("a", "", n)) for n in range(2)]
    first = append(repository, activity(1), key, keep=[kept[0], kept[0]], at_epoch_s=AT)
    second = append(repository, activity(2), key, keep=[kept[1], first], at_epoch_s=AT)
    git(path, "-c", "gc.pruneExpire=now", "gc", "-q", "--prune=now")
    assert repository.read_commit(second).parents == (first, kept[1])
    assert repository.exists(kept[0])
    assert [entry.kind for _, entry in read(path)] == ["run.finished", "run.finished", chain.STARTED]
    assert verify(path, key.public_line).problems == ()


def test_an_entrys_own_file_cannot_be_replaced(repository: Repository, key: Key) -> None:
    for name, code in (
        (chain.FILE_NAME, "path-conflict"),
        ("../x", "path-unsafe"),
        (".git/x", "path-unsafe"),
    ):
        with pytest.raises(UserError) as caught:
            append(repository, activity(), key, {name: b""}, at_epoch_s=AT)
        assert caught.value.code == code
    assert refs.read(repository, REF) is None


WRITER = """
import sys
from pathlib import Path
from lockgate.activity.chain import append
from lockgate.activity.entry import Activity
from lockgate.activity.key import load_key
from lockgate.git.objects import Repository
repository, key = Repository(Path(sys.argv[1])), load_key(Path(sys.argv[2]))
kept = repository.commit(repository.edit_tree(None, {}), [], sys.argv[3], ("a", "", 0))
sys.stdin.readline()
for number in range(50):
    entry = Activity(kind="run.queued", at="2026-02-02T02:40:00Z", by=sys.argv[3], title=f"{number}")
    append(repository, entry, key, keep=[kept], at_epoch_s=0)
"""


def test_eight_processes_append_and_none_is_lost(path: Path, key: Key, tmp_path: Path) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, path, tmp_path / "key", f"member{number}"], stdin=subprocess.PIPE
        )
        for number in range(8)
    ]
    for writer in writers:
        writer.communicate(b"go\n", timeout=100)
    assert [writer.returncode for writer in writers] == [0] * 8
    entries = [(entry.by, entry.title) for _, entry in read(path) if entry.kind == "run.queued"]
    assert len(entries) == 400
    assert set(entries) == {(f"member{m}", f"{n}") for m in range(8) for n in range(50)}
    for member in range(8):
        own = [int(title) for by, title in entries if by == f"member{member}"]
        assert own == list(range(49, -1, -1))
    # One more starts the chain: the first entry to come keeps a commit
    result = verify(path, key.public_line)
    assert (result.count, result.problems) == (401, ())


def test_reading_needs_neither_libgit2_nor_cryptography(path: Path, repository: Repository, key: Key) -> None:
    fill(repository, key, 1)
    code = "import sys; from pathlib import Path; from lockgate.activity.chain import read\n"
    code += f"print(len(list(read(Path({str(path)!r})))), {{'pygit2', 'cryptography'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1 set()\n"


class TestTampering:
    """Whoever can write the repository, but has not the hub's key, is found out."""

    @pytest.fixture
    def ids(self, repository: Repository, key: Key) -> list[str]:
        return fill(repository, key, 4)

    def rebuild(
        self, path: Path, commit: str, parent: str | None, above: list[str], edit: bool = False
    ) -> str:
        """Put `commit` onto `parent`, and the entries `above` onto it, as they are signed; move the ref."""
        for oid in [commit, *above]:
            raw = git(path, "cat-file", "commit", oid)
            head, _, rest = raw.partition(b"\nauthor ")
            lines = [line for line in head.split(b"\n") if not line.startswith(b"parent ")]
            lines += [b"parent " + parent.encode()] if parent else []
            if edit and oid == commit:
                rest = rest.replace(b"finished", b"failed  ")
            new = b"\n".join(lines) + b"\nauthor " + rest
            parent = git(path, "hash-object", "-t", "commit", "-w", "--stdin", stdin=new).decode().strip()
        assert parent is not None
        git(path, "update-ref", REF, parent)
        return parent

    def test_a_rewritten_entry(self, path: Path, key: Key, ids: list[str]) -> None:
        tip = self.rebuild(path, ids[1], ids[0], ids[2:], edit=True)
        problems = verify(path, key.public_line).problems
        assert len(problems) == 3
        assert problems[0] == f"{tip}: not signed by the hub's key"

    def test_a_removed_entry(self, path: Path, key: Key, ids: list[str]) -> None:
        self.rebuild(path, ids[3], ids[1], [])
        assert [problem.split(": ")[1] for problem in verify(path, key.public_line).problems] == [
            "not signed by the hub's key"
        ]

    def test_a_removed_beginning(self, path: Path, key: Key, ids: list[str]) -> None:
        self.rebuild(path, ids[2], None, [ids[3]])
        assert len(verify(path, key.public_line).problems) == 2

    def test_a_removed_end_is_seen_by_who_knew_it(self, path: Path, key: Key, ids: list[str]) -> None:
        git(path, "update-ref", REF, ids[2])
        assert verify(path, key.public_line).problems == ()
        assert verify(path, key.public_line, must_contain=ids[1]).problems == ()
        problems = verify(path, key.public_line, must_contain=ids[3]).problems
        assert problems == (f"{ids[3]}: was in the chain and is no more",)

    def test_an_entry_without_signature(self, path: Path, key: Key, ids: list[str]) -> None:
        raw, _ = split_signature(git(path, "cat-file", "commit", ids[3]))
        bare = git(path, "hash-object", "-t", "commit", "-w", "--stdin", stdin=raw).decode().strip()
        git(path, "update-ref", REF, bare)
        assert verify(path, key.public_line).problems == (f"{bare}: not signed",)

    def test_another_key(self, path: Path, repository: Repository, key: Key, tmp_path: Path) -> None:
        fill(repository, key, 2)
        create_key(tmp_path / "other")
        forged = append(repository, activity(9), load_key(tmp_path / "other"), at_epoch_s=AT)
        assert verify(path, key.public_line).problems == (f"{forged}: not signed by the hub's key",)

    def test_a_commit_of_the_project_is_no_entry(
        self, path: Path, repository: Repository, key: Key, ids: list[str]
    ) -> None:
        tree = repository.edit_tree(None, {})
        source = repository.commit(tree, [], "Source", ("a", "", 0), signature=key.sign)
        git(path, "update-ref", REF, source)
        assert verify(path, key.public_line).problems == (f"{source}: it has no activity.json",)
        with pytest.raises(OutsideError, match=source) as caught:
            list(read(path))
        assert caught.value.code == "activity-damaged"

    def test_bytes_changed_on_disk(
        self, path: Path, repository: Repository, key: Key, ids: list[str]
    ) -> None:
        entry = git(path, "rev-parse", f"{ids[1]}:activity.json").decode().strip()
        content = git(path, "cat-file", "blob", entry).replace(b"finished", b"failed  ")
        self.overwrite(path, entry, b"blob %d\0%s" % (len(content), content))
        assert verify(path, key.public_line).problems == (
            f"{ids[1]}: its activity.json is not what its id says",
        )

    def test_a_tree_changed_on_disk(
        self, path: Path, repository: Repository, key: Key, ids: list[str]
    ) -> None:
        tree = git(path, "rev-parse", f"{ids[1]}^{{tree}}").decode().strip()
        other = bytes.fromhex(repository.write_blob(chain.render(activity(99))))
        content = b"100644 activity.json\0" + other
        self.overwrite(path, tree, b"tree %d\0%s" % (len(content), content))
        assert verify(path, key.public_line).problems == (f"{ids[1]}: its tree is not what its id says",)

    def test_a_replacement_ref_changes_nothing(self, path: Path, key: Key, ids: list[str]) -> None:
        git(path, "replace", ids[2], ids[0])
        assert len(list(read(path))) == 4
        assert verify(path, key.public_line).count == 4

    def test_a_missing_commit_is_named(self, path: Path, key: Key, ids: list[str]) -> None:
        (path / "objects" / ids[1][:2] / ids[1][2:]).unlink()
        with pytest.raises(OutsideError, match=ids[1]) as caught:
            list(read(path))
        assert caught.value.code == "activity-damaged"
        assert ids[1] in verify(path, key.public_line).problems[0]
        assert len(list(read(path, 1))) == 1

    @pytest.mark.parametrize("text", [b"{", b"[]", b'{"format":9,"kind":"","at":"","by":"","title":""}'])
    def test_a_signed_entry_nobody_can_read(
        self, path: Path, repository: Repository, key: Key, ids: list[str], text: bytes
    ) -> None:
        tree = repository.edit_tree(None, {"activity.json": Entry(FILE, repository.write_blob(text))})
        oid = repository.commit(tree, [ids[3]], "x", ("a", "", 0), signature=key.sign)
        assert refs.compare_and_swap(repository, REF, ids[3], oid)
        (problem,) = verify(path, key.public_line).problems
        assert problem.startswith(f"{oid}: its activity.json cannot be read: ")
        with pytest.raises(OutsideError, match=oid):
            list(read(path))
        assert len(list(read(path, start=ids[3]))) == 4

    def overwrite(self, path: Path, oid: str, content: bytes) -> None:
        loose = path / "objects" / oid[:2] / oid[2:]
        loose.chmod(0o644)
        loose.write_bytes(zlib.compress(content))


def test_many_problems_are_not_all_listed(
    path: Path, repository: Repository, key: Key, tmp_path: Path
) -> None:
    fill(repository, create_key(tmp_path / "other"), 110)
    result = verify(path, key.public_line)
    assert (result.count, len(result.problems)) == (110, 100)


def test_a_key_line_that_is_none_is_the_callers_mistake(path: Path) -> None:
    with pytest.raises(UserError) as caught:
        verify(path, "nonsense")
    assert caught.value.code == "public-key"


def test_no_repository_is_an_error_and_no_empty_chain(tmp_path: Path) -> None:
    with pytest.raises(OutsideError):
        list(read(tmp_path / "nothing"))


def test_who_imports_vouches_for_the_key_before_and_nobody_else_can(
    path: Path, repository: Repository, key: Key, tmp_path: Path
) -> None:
    fill(repository, key, 2)
    mine, stranger = create_key(tmp_path / "mine"), create_key(tmp_path / "stranger")
    handed = Activity(
        kind=chain.IMPORTED,
        at="2026-07-01T12:00:00Z",
        by="hub",
        title="Imported",
        evidence={"public_key": mine.public_line, "signed_before_by": key.public_line},
    )
    append(repository, handed, mine, at_epoch_s=AT)
    append(repository, activity(3), mine, at_epoch_s=AT)
    assert verify(path, mine.public_line).is_intact
    assert len(verify(path, key.public_line).problems) == 2
    assert len(verify(path, stranger.public_line).problems) == 4
    # An entry that is not signed hands nothing over, and the key before signs nothing after
    append(repository, activity(4), key, at_epoch_s=AT)
    assert len(verify(path, mine.public_line).problems) == 1
