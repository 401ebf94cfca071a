"""The hub's file server for pods: who gets what, and what it takes back."""

from __future__ import annotations

import http.client
import io
import socket
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from lockgate.backends import ledger
from lockgate.backends.kubernetes.carrier import Carrier
from lockgate.backends.system import Batch
from lockgate.backends.wrapper import wrapper_script
from lockgate.errors import OutsideError
from lockgate.project.pipeline import Resources
from lockgate.runs.job import Job
from lockgate.runs.jobscript import job_script
from lockgate.runs.workspace import Input, lay_out


class Served:
    """One job of a batch that is served, and a pod that asks for it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "jobs" / "one"
        inputs = (Input("in", content=lambda: b"1"),)
        lay_out(self.folder, job_script("true", {}), inputs)
        job = Job("01RUN", "s", str(self.folder), Resources())
        note = ledger.open_note([job], time.time(), wrapper_script())
        ledger.write_note(note)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        self.carrier = Carrier(self.address)
        self.carrier.serve()
        self.batch = Batch(note.key, note.folder, (job,))
        self.url = urlsplit(self.carrier.carried(self.batch, None).url)

    def ask(
        self, method: str, what: str, body: bytes = b"", pod: str = "p", more: str = ""
    ) -> tuple[int, bytes]:
        line = http.client.HTTPConnection(self.address, timeout=10)
        path = f"{self.url.path}?{self.url.query}&member=0&pod={pod}&what={what}{more}"
        line.request(method, path, body or None)
        answer = line.getresponse()
        content = answer.read()
        line.close()
        return answer.status, content


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    served = Served(tmp_path)
    yield served
    served.carrier.close()


def tar_of(*members: tuple[str, bytes | str]) -> bytes:
    """Return a tar of files (bytes) and links (a target)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in members:
            entry = tarfile.TarInfo(name)
            if isinstance(content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, content
                tar.addfile(entry)
            else:
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def test_a_job_is_given_once_and_comes_back(served: Served) -> None:
    assert served.ask("PUT", "claim")[0] == 200
    assert served.ask("PUT", "claim")[0] == 200
    assert served.ask("PUT", "claim", pod="other")[0] == 409
    status, content = served.ask("GET", "job")
    assert status == 200
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        names = set(tar.getnames())
    assert {"wrapper.sh", "job/job.sh", "job/workspace/in"} <= names
    assert not names & {"job/batch", "job/carried-to"}
    assert served.ask("PUT", "log", b"hello ")[0] == 204
    assert served.ask("PUT", "log", b"world\n", more="&at=6")[0] == 204
    assert served.ask("PUT", "log", b"world\n", more="&at=6")[0] == 204
    assert (served.folder / "output.log").read_text() == "hello world\n"
    results = tar_of(("workspace/out", b"2"), ("workspace/in", b"changed"), ("pid", b"1\n"), ("exit", b"0\n"))
    assert served.ask("PUT", "results", results)[0] == 204
    assert served.ask("PUT", "results", results)[0] == 204
    assert (served.folder / "workspace/out").read_bytes() == b"2"
    assert (served.folder / "workspace/in").read_bytes() == b"changed"
    assert (served.folder / "exit").read_bytes() == b"0\n"


def test_what_another_pod_sends_is_not_taken(served: Served) -> None:
    served.ask("PUT", "claim")
    assert served.ask("PUT", "log", b"x", pod="other")[0] == 409
    assert served.ask("PUT", "results", tar_of(("exit", b"0\n")), pod="other")[0] == 409
    assert not (served.folder / "exit").exists() and not (served.folder / "output.log").exists()


def test_without_the_token_there_is_nothing(served: Served, tmp_path: Path) -> None:
    right = served.url
    for path, query in (
        ("/wrong", right.query),
        ("/wrong/", right.query),
        (right.path, f"batch={quote(str(tmp_path), safe='')}"),
        (right.path, "batch="),
        (right.path, f"{right.query}&member=7"),
    ):
        served.url = right._replace(path=path, query=query)
        assert served.ask("GET", "job")[0] == 404
        assert served.ask("PUT", "claim")[0] == 404


@pytest.mark.parametrize(
    "member",
    [
        ("../evil", b"x"),
        ("/tmp/evil-lockgate", b"x"),
        ("job.sh", b"x"),
        ("workspace/../../evil", b"x"),
        ("workspace/link", "/etc/passwd"),
        ("workspace/link", "../../../evil"),
    ],
)
def test_nothing_is_written_outside_of_the_workspace(
    served: Served, tmp_path: Path, member: tuple[str, bytes | str]
) -> None:
    served.ask("PUT", "claim")
    before = (served.folder / "job.sh").read_bytes()
    status, words = served.ask("PUT", "results", tar_of(member, ("exit", b"0\n")))
    assert status == 422 and words
    assert (served.folder / "job.sh").read_bytes() == before
    assert not (served.folder / "exit").exists()
    assert not list(tmp_path.rglob("evil*")) and not Path("/tmp/evil-lockgate").exists()
    assert not (served.folder / "workspace/link").is_symlink()


def test_a_second_process_of_the_hub_leaves_the_serving_to_the_first(served: Served) -> None:
    second = Carrier(served.address)
    second.serve()
    assert served.ask("PUT", "claim")[0] == 200
    served.carrier.close()
    second.serve()
    assert served.ask("PUT", "claim")[0] == 200
    second.close()


def test_an_address_of_somebody_elses_is_told(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        with pytest.raises(OutsideError) as raised:
            Carrier(f"127.0.0.1:{other.getsockname()[1]}").serve()
    assert raised.value.code == "kubernetes-serve"
