"""Tables are checked before the stages that need them; what is wrong is named and stops what needs it."""

from __future__ import annotations

import json

import pytest
from e2e_place import Place, WorkTree

from lockgate.hub.directory import open_hub
from lockgate.hub.indexing.rows import JobRow
from lockgate.hub.members.book import open_book
from lockgate.hub.members.values import Member

pytestmark = pytest.mark.slow

MANIFEST = """\
[stages.count]
run = "wc -l < data/flights.csv > count"
needs = ["data/flights.csv"]
makes = ["count"]

[stages.shout]
run = "tr a-z A-Z < count > shouted"
needs = ["count"]
makes = ["shouted"]

[stages.other]
run = "echo other > other"
needs = []
makes = ["other"]

[checks."data/flights.csv".columns]
carrier = { references = { file = "data/airlines.csv", column = "code" } }
flight = { type = "integer", unique = true }
delay = { type = "integer", min = -60, max = 1500, nullable = true }
"""

AIRLINES = "code,name\nUA,United\nAA,American\n"
FLIGHTS = "carrier,flight,delay\nUA,1,5\nAA,2,\nUA,3,-10\n"


def project(place: Place, flights: str, manifest: str = MANIFEST) -> WorkTree:
    tree = place.project({"lockgate.toml": manifest})
    tree.commit({"data/flights.csv": flights, "data/airlines.csv": AIRLINES})
    return tree


def jobs_of(place: Place) -> dict[str, JobRow]:
    """Return the jobs of the newest run."""
    return place.jobs(place.runs()[-1].request.id)


def states(place: Place) -> dict[str, str]:
    return {stage: job.state for stage, job in jobs_of(place).items()}


def test_a_bad_row_stops_what_needs_it_until_it_is_mended(place: Place) -> None:
    tree = project(place, FLIGHTS.replace("UA,3,-10", "UA,3,late\nZZ,4,9000"))
    tree.git("push", "--quiet", "-o", "wait", "hub", "main", code=None)
    jobs = jobs_of(place)
    check = jobs["check@data/flights.csv"]
    assert check.state == "failed"
    assert check.cause == "column delay: row 3: late is not an integer; 2 more rules failed"
    assert jobs["count"].state == "blocked"
    assert jobs["count"].cause == "check@data/flights.csv failed"
    assert jobs["shout"].state == "blocked"
    assert jobs["other"].state == "succeeded"

    said = tree.lockgate("show", code=None).out
    assert "row 3: late is not an integer" in said
    log = tree.lockgate("logs", "latest", "check@data/flights.csv", code=None).out
    assert "column delay: row 4: 9000 is above 1500" in log
    assert "column carrier: row 4: ZZ is not in column code of data/airlines.csv" in log

    tree.commit({"data/flights.csv": FLIGHTS})
    tree.git("push", "--quiet", "-o", "wait", "hub", "main")
    assert states(place) == {
        "check@data/flights.csv": "succeeded",
        "count": "succeeded",
        "shout": "succeeded",
        "other": "cached",
    }
    tree.git("pull", "--quiet", "hub", "main")
    report = json.loads(tree.read("checks/data/flights.csv.json"))
    assert report["has_passed"] and report["rows"] == 3
    assert "check@data/flights.csv" in tree.lockgate("why", "checks/data/flights.csv.json").out
    assert "nothing to do" in tree.lockgate("run").out


def test_a_check_runs_again_for_other_data_or_other_rules_and_for_nothing_else(place: Place) -> None:
    tree = project(place, FLIGHTS)
    tree.lockgate("run")
    tree.commit({"lockgate.toml": MANIFEST.replace("echo other", "echo another")})
    tree.lockgate("run")
    assert states(place)["check@data/flights.csv"] == "cached"
    tree.commit({"lockgate.toml": MANIFEST.replace("max = 1500", "max = 4")})
    said = tree.lockgate("run", code=1).out
    assert "parameter columns.delay.max 1500 → 4" in said
    # What needs it is known already, and yet may not be used
    assert states(place)["count"] == "blocked"


def test_what_a_stage_makes_is_checked_before_it_is_used(place: Place) -> None:
    manifest = """\
[stages.make]
run = "printf 'a\\\\n1\\\\n1\\\\n' > made.csv"
needs = []
makes = ["made.csv"]

[stages.use]
run = "cp made.csv used.csv"
needs = ["made.csv"]
makes = ["used.csv"]

[checks."*.csv".columns]
a = { unique = true }
"""
    tree = place.project({"lockgate.toml": manifest})
    said = tree.lockgate("run", code=1).out
    assert "check@made.csv: column a: row 2: 1 (as in row 1) stands twice" in said
    assert states(place) == {
        "make": "succeeded",
        "check@made.csv": "failed",
        "use": "blocked",
        "check@used.csv": "blocked",
    }


def test_data_that_drifted_from_the_accepted_version_is_stopped(place: Place) -> None:
    manifest = """\
[stages.use]
run = "cp x.csv y"
needs = ["x.csv"]
makes = ["y"]

[checks."x.csv".columns]
n = { type = "number", drift = true }
"""
    tree = place.project({"lockgate.toml": manifest})
    rows = [str(number % 100) for number in range(2000)]
    tree.commit({"x.csv": "\n".join(["n", *rows, ""])})
    tree.git("push", "--quiet", "-o", "wait", "hub", "main")
    tree.git("pull", "--quiet", "hub", "main")
    tree.commit({"x.csv": "\n".join(["n", *reversed(rows), "3", ""])})
    tree.git("push", "--quiet", "-o", "wait", "hub", "main")
    assert states(place)["use"] == "succeeded"
    tree.git("pull", "--quiet", "hub", "main")
    tree.commit({"x.csv": "\n".join(["n", *(str(int(row) + 60) for row in rows), ""])})
    tree.git("push", "--quiet", "-o", "wait", "hub", "main", code=None)
    cause = jobs_of(place)["check@x.csv"].cause
    assert cause is not None and "column n: has drifted from the last accepted version: PSI" in cause

    # Whoever knows better says so: that version is the reference from now on
    accept = ("data", "check", "--accept", "x.csv")
    assert "acceptance-invalid" in tree.lockgate(*accept, code=2).err
    refused = tree.lockgate("data", "check", "--accept", "y", "-m", "so", code=2).err
    assert "no run has left a report on y" in refused and "drift-none" in refused
    assert "has drifted" in tree.lockgate("data", "check", code=1).out
    said = tree.lockgate(*accept, "-m", "a new airport", "--as", "with Oslo", "--by", "ada").out
    assert "x.csv: drift of n" in said and "accepted as with Oslo by ada on" in said
    assert "hold" in tree.lockgate("data", "check").out
    # A later version is compared with it, though the branch holds the report on the one before
    tree.commit({"x.csv": "\n".join(["n", *(str(int(row) + 61) for row in rows), ""])})
    tree.git("push", "--quiet", "-o", "wait", "hub", "main")
    assert states(place) == {"check@x.csv": "succeeded", "use": "succeeded"}
    assert "its rules held" in tree.lockgate(*accept, "-m", "again", code=2).err
    tree.git("pull", "--quiet", "hub", "main")
    tree.lockgate("data", "describe", "x.csv", "--owner", "ada")
    told = tree.lockgate("data", "show", "x.csv").out
    assert "accepted as with Oslo by ada" in told and "a new airport" in told
    assert "Drift accepted: x.csv, n, as with Oslo" in tree.lockgate("log").out
    assert "all signed by the hub's key" in tree.lockgate("log", "--verify").out
    # Drift beside a row that is wrong is not accepted
    tree.commit({"x.csv": "\n".join(["n", *(str(int(row) * 9) for row in rows), "soon", ""])})
    tree.git("push", "--quiet", "-o", "wait", "hub", "main", code=None)
    assert (
        "more wrong with x.csv than drift: column n: row 2001"
        in tree.lockgate(*accept, "-m", "so", code=2).err
    )


DRIFTING = """\
[stages.use]
run = "cp x.csv y"
needs = ["x.csv"]
makes = ["y"]

[checks."x.csv".columns]
n = { type = "number", drift = true }
"""
REPORT = "checks/x.csv.json"


def rows(first: int) -> str:
    return "\n".join(["n", *(str(first + number % 100) for number in range(2000)), ""])


def test_no_pushed_file_and_no_branch_of_ones_own_moves_what_drift_is_judged_by(place: Place) -> None:
    tree = place.project({"lockgate.toml": DRIFTING, "x.csv": rows(0)})
    tree.push()
    tree.pull()
    book = open_book(open_hub(place.hub))
    book.add(Member(name="ada", email="ada@example.org", roles={"p": "lead"}))
    book.add(Member(name="bob", email="bob@example.org", roles={"p": "member"}))
    member = {"LOCKGATE_MEMBER": "bob", "LOCKGATE_SCOPE": "admin"}

    def is_stopped(ref: str, by: dict[str, str]) -> str:
        said = tree.push(f"HEAD:{ref}", code=None, env=by).err
        job = jobs_of(place)["check@x.csv"]
        assert job.state == "failed" and "has drifted" in (job.cause or ""), said
        return said

    # A branch of one's own has one's own rules, or no past: what passed there is no reference for others
    tree.git("checkout", "-q", "-b", "lax")
    tree.commit({"lockgate.toml": DRIFTING.replace("true", "99"), "x.csv": rows(60)})
    assert "SUCCEEDED" in tree.push("lax", env=member).err
    tree.pull("lax")
    left = tree.read(REPORT)
    tree.git("checkout", "-q", "--orphan", "pastless", "main")
    (tree.path / REPORT).unlink()
    tree.commit({"x.csv": rows(60)})
    assert "SUCCEEDED" in tree.push("pastless", env=member).err

    # So not even a report that a run has left counts, nor one that is written by hand, nor none
    tree.git("checkout", "-q", "main")
    before = json.loads(tree.read(REPORT))
    tree.commit({"x.csv": rows(60), REPORT: left})
    said = is_stopped("main", member)
    assert "will run: data changed: x.csv" in said and "not what a run left" not in said
    tree.commit({REPORT: json.dumps(before | {"profiles": json.loads(left)["profiles"]})})
    assert f"{REPORT} is not what a run left" in is_stopped("mine", member)
    (tree.path / REPORT).unlink()
    tree.commit()
    is_stopped("main", {})  # the owner's plain push is judged alike
    assert "has drifted" in tree.lockgate("run", code=1).out

    # Whoever may says so, once, and signed
    tree.lockgate("data", "check", "--accept", "x.csv", "-m", "a new airport", "--by", "ada")
    tree.commit({"other": "1\n"})
    assert "SUCCEEDED" in tree.push("main:mine", "--force", env=member).err
    assert "cached from run" in tree.push(env=member).err
    tree.pull()
    assert json.loads(tree.read(REPORT))["has_passed"]
    tree.commit({"x.csv": rows(61)})
    assert "SUCCEEDED" in tree.push(env=member).err


def test_rules_are_suggested_written_and_hold_at_home_without_a_push(place: Place) -> None:
    tree = place.project({"lockgate.toml": MANIFEST.partition("[checks")[0]})
    tree.commit({"data/flights.csv": FLIGHTS, "data/airlines.csv": AIRLINES})
    assert "no checks are declared" in tree.lockgate("data", "check").out
    assert "check --suggest" in tree.lockgate("data", "check", "data/flights.csv", code=2).err
    said = tree.lockgate("data", "check", "--suggest", "--write", "data/flights.csv").out
    assert said == "lockgate.toml: rules for 3 columns of data/flights.csv\n"
    assert "delay = { type" in tree.read("lockgate.toml")
    assert "has checks for" in tree.lockgate("data", "check", "--write", "data/flights.csv", code=2).err
    assert "rules hold" in tree.lockgate("data", "check", "data").out
    tree.write({"data/flights.csv": FLIGHTS.replace("-10", "-9000")})
    failed = tree.lockgate("data", "check", "--json", code=1).out
    (table,) = json.loads(failed)["tables"]
    assert table["failures"][0]["first"] == [{"row": 3, "value": "-9000"}]
    assert place.runs() == []


def test_data_show_tells_what_held_of_the_last_accepted_version(place: Place) -> None:
    tree = project(place, FLIGHTS)
    tree.git("push", "--quiet", "-o", "wait", "hub", "main")
    tree.git("pull", "--quiet", "hub", "main")
    assert "checks" not in tree.lockgate("data", "show", "data/airlines.csv", code=None).out
    tree.lockgate("data", "describe", "data/flights.csv", "--text", "Departures")
    said = tree.lockgate("data", "show", "data/flights.csv").out
    assert "checks    " in said and "rules of 3 rows held, at " in said
    (accepted,) = json.loads(tree.lockgate("data", "show", "--json", "data/flights.csv").out)["checks"]
    assert accepted["report"]["has_passed"]
