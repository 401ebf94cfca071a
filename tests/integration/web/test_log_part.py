"""A log of any size is read a page at a time."""

from __future__ import annotations

from pathlib import Path

from lockgate.hub.directory import Hub
from lockgate.hub.jobname import safe_name
from lockgate.hub.showing.log_part import PART_BYTES, read_log_part


def test_a_large_log_is_read_from_its_end_and_page_by_page(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    folder = hub.run_folder("p", "R") / "jobs" / safe_name(3, "train@depth=4")
    folder.mkdir(parents=True)
    lines = b"".join(b"line %07d\n" % number for number in range(40_000))
    (folder / "output.log").write_bytes(lines)
    end = read_log_part(hub, "p", "R", "train@depth=4")
    assert end.content.startswith(b"line ")
    assert lines.endswith(end.content)
    assert len(end.content) <= PART_BYTES
    read, at = b"", 0
    while at < end.total:
        part = read_log_part(hub, "p", "R", "train@depth=4", at)
        assert part.content.endswith(b"\n")
        read, at = read + part.content, part.end
    assert read == lines
    assert read_log_part(hub, "p", "R", "train@depth=4", -5).start == 0
    assert read_log_part(hub, "p", "R", "train@depth=4", 10**9).content == b""
    assert read_log_part(hub, "p", "R", "other").total == 0
