"""Objects to real remotes and back: S3, ssh, a web server, a folder."""

from __future__ import annotations

import functools
import hashlib
import http.server
import os
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import s3_server
from s3_server import S3Server
from ssh_server import SSHD, Server

from lockgate.data.digest import Listed, folder_listing, md5_of
from lockgate.data.remotes.contract import DRAFT, LEFT_S, Remote, object_path
from lockgate.data.remotes.object_storage import ObjectStorage
from lockgate.data.remotes.opening import open_remote
from lockgate.data.store import Store
from lockgate.data.transfer import Progress, pull, push
from lockgate.errors import LockgateError, OutsideError, UserError

LARGE = 9 << 20  # more than what is sent by one request


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    with s3_server.for_tests() as server:
        yield server


class Place:
    """One kind of remote: its address, and where a test can get at its objects by hand."""

    def __init__(self, url: str, options: Mapping[str, str]) -> None:
        self.url = url
        self.options = options

    def open(self, base: Path) -> Remote:
        return open_remote(self.url, self.options, base)


@pytest.fixture(params=["s3", "ssh", "folder"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    match request.param:
        case "s3":
            server: S3Server = request.getfixturevalue("s3")
            yield Place(f"s3://{s3_server.BUCKET}/{tmp_path.name}", server.options())
        case "ssh":
            if SSHD is None:
                pytest.skip("NOT TESTED: remotes over ssh: sshd is not installed")
            yield from _over_ssh(tmp_path)
        case _:
            yield Place(str(tmp_path / "remote"), {})


def _over_ssh(tmp_path: Path) -> Iterator[Place]:
    folder = tmp_path / "sshd"
    folder.mkdir()
    server = Server(folder, "Subsystem sftp internal-sftp")
    try:
        _until_up(server)
        _trust(server)
        url = f"ssh://{server.user}@127.0.0.1:{server.port}{tmp_path}/remote"
        yield Place(url, {"keyfile": str(folder / "client")})
    finally:
        server.stop()


def _until_up(server: Server) -> None:
    ends_at = time.monotonic() + 30
    while not server.is_up():
        assert time.monotonic() < ends_at, "sshd does not start"
        time.sleep(0.05)


def _trust(server: Server) -> None:
    known = Path.home() / ".ssh" / "known_hosts"
    known.parent.mkdir(mode=0o700, exist_ok=True)
    key = (server.folder / "host.pub").read_text()
    known.write_text(f"[127.0.0.1]:{server.port} {key}")


def _filled(store: Store, contents: Mapping[str, bytes]) -> str:
    """Put a folder into a store; return its digest."""
    files = [Listed(store.put_bytes(content), name) for name, content in contents.items()]
    return store.put_listing(folder_listing(files))


CONTENTS = {
    "empty": b"",
    "a/b.csv": b"x,y\n1,2\n" * 1000,
    "größe ?*.bin": bytes(range(256)),
    "large": os.urandom(LARGE),
}


class TestAnyRemote:
    def test_a_folder_goes_there_and_comes_back(self, place: Place, tmp_path: Path) -> None:
        here, there = Store(tmp_path / "here"), Store(tmp_path / "there")
        folder = _filled(here, CONTENTS)
        told: list[Progress] = []
        sent = push(here, place.open(tmp_path), [folder], told.append)
        assert (sent.moved, sent.already) == (len(CONTENTS) + 1, 0)
        brought = pull(there, place.open(tmp_path), [folder])
        assert brought.moved == len(CONTENTS) + 1
        assert (
            brought.moved_bytes
            == sent.moved_bytes
            == sum(map(len, CONTENTS.values())) + len(here.read(folder))
        )
        assert {each.relpath: there.read(each.md5) for each in there.listing(folder)} == CONTENTS
        assert told[-1].done_bytes <= sent.moved_bytes
        assert not os.access(there.path(folder), os.W_OK) or os.getuid() == 0

    def test_what_is_there_is_not_sent_again(self, place: Place, tmp_path: Path) -> None:
        here = Store(tmp_path / "here")
        folder = _filled(here, CONTENTS)
        push(here, place.open(tmp_path), [folder])
        again = push(here, place.open(tmp_path), [folder])
        assert (again.moved, again.already) == (0, len(CONTENTS) + 1)

    def test_what_a_killed_call_left_goes_once_it_is_old(self, place: Place, tmp_path: Path) -> None:
        if isinstance(place.open(tmp_path), ObjectStorage):
            return  # which shows nothing before it is whole
        here = Store(tmp_path / "here")
        known = here.put_bytes(b"known")
        push(here, place.open(tmp_path), [known])
        drafts = [tmp_path / f"remote/files/md5/{known[:2]}/{DRAFT}{age}" for age in ("old", "young")]
        for draft in drafts:
            draft.write_bytes(b"kno")
        os.utime(drafts[0], (time.time() - LEFT_S - 60,) * 2)
        push(here, place.open(tmp_path), [known])
        assert [draft.exists() for draft in drafts] == [False, True]

    def test_many_are_asked_for_by_folders(self, place: Place, tmp_path: Path) -> None:
        here = Store(tmp_path / "here")
        some = [here.put_bytes(str(n).encode()) for n in range(20)]
        push(here, place.open(tmp_path), some)
        others = [md5_of(f"other {n}".encode()) for n in range(1100)]
        assert place.open(tmp_path).present([*some, *others]) == frozenset(some)

    def test_what_is_not_there_is_named_and_the_rest_comes(self, place: Place, tmp_path: Path) -> None:
        here, there = Store(tmp_path / "here"), Store(tmp_path / "there")
        known, unknown = here.put_bytes(b"known"), md5_of(b"unknown")
        push(here, place.open(tmp_path), [known])
        with pytest.raises(OutsideError, match=unknown) as caught:
            pull(there, place.open(tmp_path), [unknown, known])
        assert caught.value.code == "remote-missing"
        assert there.read(known) == b"known"

    def test_a_damaged_object_is_not_sent(self, place: Place, tmp_path: Path) -> None:
        here = Store(tmp_path / "here")
        damaged = []
        for content in (b"small", os.urandom(LARGE)):
            md5 = here.put_bytes(content)
            here.path(md5).chmod(0o644)
            here.path(md5).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
            damaged.append(md5)
        with pytest.raises(OutsideError) as caught:
            push(here, place.open(tmp_path), damaged)
        assert caught.value.code == "store-damaged"
        assert place.open(tmp_path).present(damaged) == frozenset()

    def test_half_an_object_is_gone_on_with(self, place: Place, tmp_path: Path) -> None:
        here, there = Store(tmp_path / "here"), Store(tmp_path / "there")
        md5 = here.put_bytes(CONTENTS["large"])
        push(here, place.open(tmp_path), [md5])
        draft = there.folder / "tmp" / f"{md5}.part"
        draft.parent.mkdir(parents=True)
        draft.write_bytes(CONTENTS["large"][: 5 << 20])
        assert pull(there, place.open(tmp_path), [md5]).moved_bytes == LARGE - (5 << 20)
        assert there.check(md5)
        assert not draft.exists()

    @pytest.mark.parametrize("left", [b"\0" * (1 << 20), os.urandom(LARGE), os.urandom(LARGE + 7)])
    def test_half_an_object_that_is_wrong_is_begun_anew(
        self, place: Place, tmp_path: Path, left: bytes
    ) -> None:
        here, there = Store(tmp_path / "here"), Store(tmp_path / "there")
        md5 = here.put_bytes(CONTENTS["large"])
        push(here, place.open(tmp_path), [md5])
        draft = there.folder / "tmp" / f"{md5}.part"
        draft.parent.mkdir(parents=True)
        draft.write_bytes(left)
        pull(there, place.open(tmp_path), [md5])
        assert there.check(md5)

    def test_two_at_once_bring_each_object_once(self, place: Place, tmp_path: Path) -> None:
        here, there = Store(tmp_path / "here"), Store(tmp_path / "there")
        folder = _filled(here, CONTENTS)
        push(here, place.open(tmp_path), [folder])
        moved: list[int] = []
        remotes = [place.open(tmp_path) for _ in range(2)]
        both = [
            threading.Thread(
                target=lambda remote=each: moved.append(pull(there, remote, [folder]).moved_bytes)
            )
            for each in remotes
        ]
        for each in both:
            each.start()
        for each in both:
            each.join()
        assert sum(moved) == sum(map(len, CONTENTS.values())) + len(there.read(folder))
        assert all(there.check(each.md5) for each in there.listing(folder))


class TestS3:
    def test_a_wrong_secret_is_told(self, s3: S3Server, tmp_path: Path) -> None:
        here = Store(tmp_path)
        options = s3.options() | {"secret_access_key": "no"}
        with pytest.raises(OutsideError, match="403 Forbidden") as caught:
            push(here, open_remote("s3://data/x", options, tmp_path), [here.put_bytes(b"1")])
        assert caught.value.code == "remote-denied"

    def test_a_reader_reads_and_does_not_write(self, s3: S3Server, tmp_path: Path) -> None:
        here, there = Store(tmp_path / "here"), Store(tmp_path / "there")
        md5 = here.put_bytes(b"1")
        push(here, open_remote("s3://data/r", s3.options(), tmp_path), [md5])
        reader = open_remote("s3://data/r", s3.options("READER"), tmp_path)
        assert pull(there, reader, [md5]).moved == 1
        with pytest.raises(OutsideError) as caught:
            push(here, reader, [here.put_bytes(b"2")])
        assert caught.value.code == "remote-denied"

    def test_bytes_that_are_wrong_over_there_are_found(self, s3: S3Server, tmp_path: Path) -> None:
        import obstore
        from obstore.store import S3Store

        there = Store(tmp_path)
        md5 = md5_of(b"right")
        by_hand = S3Store(
            "data",
            endpoint=s3.endpoint,
            access_key_id="AKWRITER",
            secret_access_key="SKWRITER",
            region="us-east-1",
            client_options={"allow_http": True},
        )
        obstore.put(by_hand, f"w/{object_path(md5)}", b"wrong")
        with pytest.raises(OutsideError, match=md5) as caught:
            pull(there, open_remote("s3://data/w", s3.options(), tmp_path), [md5])
        assert caught.value.code == "remote-damaged"
        assert not there.has(md5)
        assert not list((there.folder / "tmp").iterdir())

    def test_credentials_from_the_usual_files(
        self, s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in list(os.environ):
            if name.startswith("AWS_"):
                monkeypatch.delenv(name)
        credentials = tmp_path / "credentials"
        credentials.write_text("[lab]\naws_access_key_id = AKWRITER\naws_secret_access_key = SKWRITER\n")
        options = {"endpointurl": s3.endpoint, "profile": "lab", "credentialpath": str(credentials)}
        here = Store(tmp_path)
        assert push(here, open_remote("s3://data/c", options, tmp_path), [here.put_bytes(b"1")]).moved == 1

    def test_a_server_that_is_away_is_passing(self, tmp_path: Path) -> None:
        options = {
            "endpointurl": "http://127.0.0.1:9",
            "access_key_id": "a",
            "secret_access_key": "b",
            "connect_timeout": "1",
        }
        here = Store(tmp_path)
        with pytest.raises(OutsideError) as caught:
            push(here, open_remote("s3://data/x", options, tmp_path), [here.put_bytes(b"1")])
        assert caught.value.code == "remote-unreachable"
        assert caught.value.is_transient


class TestSsh:
    def test_a_host_that_nobody_knows_is_refused(self, tmp_path: Path) -> None:
        if SSHD is None:
            pytest.skip("NOT TESTED: remotes over ssh: sshd is not installed")
        server = Server(tmp_path, "Subsystem sftp internal-sftp")
        try:
            _until_up(server)
            known = Path.home() / ".ssh" / "known_hosts"
            known.parent.mkdir(mode=0o700, exist_ok=True)
            known.write_text("")
            url = f"ssh://{server.user}@127.0.0.1:{server.port}{tmp_path}/remote"
            with pytest.raises(OutsideError) as caught:
                open_remote(url, {"keyfile": str(tmp_path / "client")}, tmp_path)
            assert caught.value.code == "remote-denied"
        finally:
            server.stop()


class TestWeb:
    @pytest.fixture
    def site(self, tmp_path: Path) -> Iterator[str]:
        class Quiet(http.server.SimpleHTTPRequestHandler):
            def log_message(self, *arguments: object) -> None:
                pass

        handler = functools.partial(Quiet, directory=str(tmp_path / "site"))
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            yield f"http://127.0.0.1:{server.server_port}"
            server.shutdown()
            thread.join()

    def test_it_is_read_and_not_written(self, site: str, tmp_path: Path) -> None:
        over_there, here = Store(tmp_path / "site"), Store(tmp_path / "here")
        folder = _filled(over_there, CONTENTS)
        remote = open_remote(site, {}, tmp_path)
        assert pull(here, remote, [folder]).moved == len(CONTENTS) + 1
        assert hashlib.md5(here.read(folder)).hexdigest() + ".dir" == folder
        with pytest.raises(OutsideError) as caught:
            push(here, remote, [here.put_bytes(b"new")])
        assert caught.value.code == "remote-denied"


def test_a_scheme_that_nobody_knows(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="ftp") as caught:
        open_remote("ftp://me:secret@host/x", {}, tmp_path)
    assert caught.value.code == "remote-unknown"
    assert "secret" not in str(caught.value)


def test_a_full_disk_keeps_what_has_come(tmp_path: Path) -> None:
    """A store on a small file system; as root, by a mount of its own."""
    import subprocess

    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], check=False).returncode:
        pytest.skip("NOT TESTED: a full disk: mounting needs root")
    try:
        over_there, here = Store(tmp_path / "remote"), Store(disk)
        small, large = over_there.put_bytes(b"small"), over_there.put_bytes(CONTENTS["large"])
        remote = open_remote(str(tmp_path / "remote"), {}, tmp_path)
        with pytest.raises(LockgateError) as caught:
            pull(here, remote, [small, large])
        assert caught.value.code == "store-unwritable"
        assert here.read(small) == b"small"
        assert not here.has(large)
        subprocess.run(["mount", "-o", "remount,size=40m", disk], check=True)
        assert pull(here, remote, [large]).moved_bytes < LARGE
        assert here.check(large)
    finally:
        subprocess.run(["umount", disk], check=True)
