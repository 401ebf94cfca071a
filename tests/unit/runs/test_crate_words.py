"""What a crate says of itself, compared as a whole with `tests/golden/crate/`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lockgate.runs.crate.about import about_project, licence_file
from lockgate.runs.crate.contents import (
    About,
    Author,
    Crate,
    CrateFile,
    LeftOut,
    RunTold,
    Taken,
    Verdict,
    in_order,
)
from lockgate.runs.crate.description import describe
from lockgate.runs.crate.prov import provenance
from lockgate.runs.crate.readme import readme
from lockgate.runs.record import Artifact, StageRecord

GOLDEN = Path(__file__).parents[2] / "golden" / "crate"
RUN, EARLIER, AGAIN = "01JBSXJ6N0000000000000000A", "01JBSXJ6N0000000000000000B", "01JBSXJ6N0000000000000000C"
MEMBER = "member@example.org"


def record(stage: str, run: str, needs: dict[str, str], *artifacts: Artifact) -> StageRecord:
    return StageRecord(
        stage=stage,
        fingerprint=stage[0] * 64,
        run=run,
        commit="5" * 40,
        member=MEMBER,
        ended_at="2026-11-02T10:00:30Z",
        command=f"python {stage}.py",
        runtime="e" * 64,
        params={"depth": 4} if stage == "train" else {},
        needs=tuple(sorted(needs.items())),
        artifacts=artifacts,
        duration_s=12.5 if run == RUN else None,
    )


PREPARE = record(
    "prepare",
    EARLIER,
    {"prepare.py": "1" * 40, "data": "2" * 40},
    Artifact(path="build/table.csv", kind="table", size_bytes=9, md5="a" * 32),
)
TRAIN = record(
    "train",
    RUN,
    {
        "train.py": "3" * 40 + ":x",
        "build/table.csv": "md5:" + "a" * 32,
        "raw": "md5:" + "f" * 32 + ".dir",
        "tool": "md5:" + "8" * 32 + ":x",
    },
    Artifact(
        path="build/model", kind="model", size_bytes=7, md5="b" * 32 + ".dir", mode=0o40000, file_count=2
    ),
    Artifact(path="über uns.txt", size_bytes=3, md5="c" * 32, git="6" * 40),
)
MAIN = RunTold(
    id=RUN,
    member=MEMBER,
    ref="refs/heads/main",
    outcome="succeeded",
    cause=None,
    started_at="2026-11-02T10:00:00Z",
    ended_at="2026-11-02T10:00:31Z",
    snapshot="5" * 40,
    result="7" * 40,
    runtime="e" * 64,
    records=(TRAIN,),
)


def a_file(path: str, name: str) -> CrateFile:
    return CrateFile(
        path=path, name=name, size_bytes=3, sha256="d" * 64, md5="c" * 32, media_type="text/plain"
    )


CRATE = Crate(
    project="tides",
    about=About(
        title="Tides of a day",
        description="Results",
        licence="MIT",
        authors=(Author("A Member", "https://orcid.org/0000-0002-1825-0097"),),
    ),
    hub="SHA256:abc",
    version="0.3.0",
    main=MAIN,
    stages=(PREPARE, TRAIN),
    runs=(MAIN,),
    verdicts=(
        Verdict(
            run=RUN,
            by_run=AGAIN,
            verdict="identical",
            words="every byte",
            by=MEMBER,
            at="2026-11-03T10:00:00Z",
        ),
    ),
    files=(
        a_file("lockgate.toml", "lockgate.toml"),
        a_file("project.bundle", "All commits and the activity chain"),
        a_file("source/train.py", "train.py"),
        a_file("artifacts/build/model/weights", "build/model/weights"),
        a_file("artifacts/über uns.txt", "über uns.txt"),
        a_file("data/raw/x.csv", "raw/x.csv"),
        a_file("README.md", "What this is"),
    ),
    left_out=(LeftOut(md5="a" * 32, name="build/table.csv", size_bytes=9, remote="s3://bucket/tides"),),
    taken=(
        Taken(
            path="raw",
            md5="f" * 32 + ".dir",
            source="hub://sea/raw data@v1",
            identity="hub://sea/raw%20data@v1",
            commit="9" * 40,
        ),
        Taken(
            path="tool",
            md5="8" * 32,
            source="bin/tool of git@host:x.git@main",
            identity="bin%2Ftool%20of%20git%40host%3Ax.git%40main",
            commit="0" * 40,
        ),
    ),
    trees=frozenset({"2" * 40}),
)


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("ro-crate-metadata.json", describe(CRATE)),
        ("provenance.json", provenance(CRATE)),
        ("README.md", readme(CRATE)),
    ],
)
def test_what_is_written(name: str, written: bytes) -> None:
    place = GOLDEN / name
    if os.environ.get("LOCKGATE_GOLDEN"):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(written)
    assert written == place.read_bytes()


def test_every_reference_of_the_description_leads_somewhere() -> None:
    import json

    graph = json.loads(describe(CRATE))["@graph"]
    there = [node["@id"] for node in graph]
    assert len(there) == len(set(there))

    def references(value: object) -> list[str]:
        if isinstance(value, dict):
            found = [value["@id"]] if list(value) == ["@id"] else []
            return found + [ref for each in value.values() for ref in references(each)]
        return [ref for each in value for ref in references(each)] if isinstance(value, list) else []

    outside = {ref for node in graph for ref in references(node)} - set(there)
    assert outside == {"https://w3id.org/ro/crate/1.1"}


def test_stages_come_after_what_they_need_and_a_circle_by_name() -> None:
    assert [stage.stage for stage in in_order({"train": TRAIN, "prepare": PREPARE})] == ["prepare", "train"]
    one = record("a", RUN, {"y": "md5:0"}, Artifact(path="x", size_bytes=1, md5="0"))
    two = record("b", RUN, {"x": "md5:0"}, Artifact(path="y", size_bytes=1, md5="0"))
    assert [stage.stage for stage in in_order({"b": two, "a": one})] == ["a", "b"]


@pytest.mark.parametrize("text", ["- a list", "title: [", "title: 3\nlicense: [a]\nauthors: x", "\0"])
def test_a_citation_that_says_nothing_is_no_error(text: str) -> None:
    assert about_project("tides", "words", text.encode(), None) == About(title="tides", description="words")


def test_a_citation_names_title_licence_and_authors() -> None:
    text = (
        "title: Tides\nabstract: Of a day.\nlicense: MIT\nauthors:\n"
        "- family-names: Member\n  given-names: A\n  orcid: https://orcid.org/0000-0002-1825-0097\n"
        "- name: A group\n"
    )
    found = about_project("p", "words", text.encode(), "LICENSE")
    assert (found.title, found.description, found.licence) == ("Tides", "Of a day.", "MIT")
    assert found.authors == (Author("A Member", "https://orcid.org/0000-0002-1825-0097"), Author("A group"))
    assert licence_file(["README.md", "LICENSE.txt", "LICENCE", "COPYING.md"]) == "LICENCE"
