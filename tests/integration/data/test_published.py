"""The catalogue's exports, read by those who made the forms: mlcroissant, and rdflib."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from urllib.parse import quote

import pytest
from locked_environment import locked_environment

from lockgate.data.certification import Standing
from lockgate.data.digest import md5_of
from lockgate.data.profiling import Look, LookFile, profile
from lockgate.data.rdf import json_ld, turtle
from lockgate.hub.datasets.catalogue import Entry
from lockgate.hub.datasets.croissant import croissant
from lockgate.hub.datasets.dcat import PREFIXES, dcat
from lockgate.hub.datasets.published import Published, PublishedFile
from lockgate.project.description import Description

TABLES = {
    "flights.csv": 'carrier,delay,day,odd "name" ü\nAA,3,2026-01-01,x\nUA,-8,2026-01-02,y\n',
    "ü [odd] #name!.csv": "a,b\n1,2.5\n3,4.5\n",
    "flights.tsv": "carrier\tdelay\nAA\t3\nUA\t-8\n",
    "flights.jsonl": '{"carrier": "AA", "delay": 3}\n{"carrier": "UA", "delay": -8}\n',
}
SAID = Description(
    text='Departures,\n"all" of them \\ and <more>',
    owner="Ada's team",
    licence="CC-BY-4.0",
    source="https://example.org/a b?c=<d>",
    version="1.2.0",
    refreshed_at="2026-11-20",
    labels=("öffentlich",),
    columns={"delay": "minutes late"},
)

READ_CROISSANT = """\
import json, sys, logging
import mlcroissant
told = []
class Ear(logging.Handler):
    def emit(self, record):
        told.append(record.getMessage())
logging.getLogger("absl").addHandler(Ear())
found = mlcroissant.Dataset(jsonld=json.load(open(sys.argv[1])), mapping=json.loads(sys.argv[2]))
rows = [{str(key): str(value) for key, value in row.items()} for row in found.records("rows")]
print(json.dumps({"name": found.metadata.name, "told": told, "rows": rows}))
"""
READ_RDF = """\
import sys
from rdflib import Graph
from rdflib.compare import isomorphic
turtle = Graph().parse(sys.argv[1], format="turtle")
linked = Graph().parse(sys.argv[2], format="json-ld")
assert isomorphic(turtle, linked), (len(turtle), len(linked))
for row in turtle.query(open(sys.argv[3]).read()):
    print(*(str(value) for value in row), sep="|")
"""


def published(name: str, content: str, place: Path, said: Description = SAID) -> Published:
    place.write_text(content)
    md5 = md5_of(content.encode())
    return Published(
        project="flights",
        entry=Entry(path=f"data/{name}", md5=md5, size_bytes=len(content), description=said),
        standing=Standing("none"),
        page=f"https://hub.example.org/p/flights/data/{quote(name)}",
        refreshed_on="2026-11-26",
        files=(PublishedFile(name, f"https://hub.example.org/objects/{md5}", md5, len(content.encode())),),
        profile=profile(Look((LookFile(str(place), name, len(content)),))),
    )


def python(*words: str) -> str:
    done = subprocess.run(
        [str(locked_environment("exports") / "python"), "-c", *words],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", list(TABLES))
def test_mlcroissant_finds_no_fault_and_reads_every_row(name: str, tmp_path: Path) -> None:
    place, document = tmp_path / "table", tmp_path / "croissant.json"
    found = published(name, TABLES[name], place)
    document.write_text(json.dumps(croissant(found)))
    told = json.loads(python(READ_CROISSANT, str(document), json.dumps({"file-0": str(place)})))
    assert told["told"] == [], told["told"]
    assert len(told["rows"]) == 2 and found.profile is not None
    assert [len(row) for row in told["rows"]] == [len(found.profile.columns)] * 2


@pytest.mark.timeout(300)
def test_a_dataset_nobody_described_is_still_a_croissant(tmp_path: Path) -> None:
    place, document = tmp_path / "table", tmp_path / "croissant.json"
    found = published("a.csv", "a\n1\n", place, Description())
    document.write_text(json.dumps(croissant(found)))
    told = json.loads(python(READ_CROISSANT, str(document), json.dumps({"file-0": str(place)})))
    assert len(told["rows"]) == 1


@pytest.mark.timeout(300)
def test_rdflib_reads_the_same_graph_from_both_forms(tmp_path: Path) -> None:
    every = [published(name, content, tmp_path / "table") for name, content in TABLES.items()]
    own = Description(licence="MIT OR LicenseRef-ours")
    every.append(published("own.bin", "bytes", tmp_path / "table", own))
    triples = dcat("flights", "https://hub.example.org/p/flights/data", every)
    (tmp_path / "a.ttl").write_text(turtle(triples, PREFIXES))
    (tmp_path / "a.jsonld").write_text(json.dumps(json_ld(triples, PREFIXES)))
    (tmp_path / "question").write_text(
        "prefix dcat: <http://www.w3.org/ns/dcat#> prefix dct: <http://purl.org/dc/terms/> "
        "prefix spdx: <http://spdx.org/rdf/terms#> "
        "select ?title ?text ?size ?md5 where { ?c a dcat:Catalog; dct:publisher ?p; dcat:dataset ?d. "
        "?d dct:title ?title; dct:description ?text; dcat:distribution ?f. ?f dcat:accessURL ?page; "
        "dcat:byteSize ?size; dct:license ?licence; spdx:checksum/spdx:checksumValue ?md5 } "
        "order by ?title"
    )
    told = python(READ_RDF, str(tmp_path / "a.ttl"), str(tmp_path / "a.jsonld"), str(tmp_path / "question"))
    assert "data/flights.csv" in told and SAID.text.splitlines()[1] in told
    assert f"|{len(TABLES['flights.tsv'])}|{md5_of(TABLES['flights.tsv'].encode())}" in told
