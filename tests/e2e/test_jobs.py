"""What happens to jobs: limits, cancellation, failure, and what they may see of the host."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from e2e_place import Place, WorkTree, until


def traces(place: Place, name: str) -> list[str]:
    path = place.outside / name
    return path.read_text().split() if path.exists() else []


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_a_job_beyond_its_walltime_is_ended_and_its_output_kept(place: Place) -> None:
    manifest = """\
[stages.slow]
run = "echo begun | tee o; sleep 600"
needs = ["i"]
makes = ["o"]
walltime = "1 s"
"""
    tree = place.project({"lockgate.toml": manifest, "i": "1\n"})
    assert "FAILED" in tree.push().err
    (row,) = place.runs()
    assert row.cause == (
        "slow: killed after 1.0 s, the walltime asked for; no such job went well yet; once with more: "
        'lockgate run slow --walltime "10 s"; for good: walltime = "10 s" (lockgate.toml:5)'
    )
    assert "begun" in tree.lockgate("logs").out
    assert place.on_hub("show", f"{row.result_commit}:o") == "begun"
    assert "refs/heads/main" in place.refs()
    assert place.refs()["refs/heads/main"] == tree.head()


def test_a_job_beyond_its_memory_is_killed_and_told_by_how_much(place: Place) -> None:
    manifest = """\
[stages.greedy]
run = "python3 -c 'import time; print(1, flush=True); x = bytearray(200_000_000); time.sleep(60)'"
needs = ["i"]
makes = ["o"]
memory = "50 MB"
"""
    tree = place.project({"lockgate.toml": manifest, "i": "1\n"})
    tree.push()
    (row,) = place.runs()
    assert row.state == "failed"
    assert re.fullmatch(
        r"greedy: killed at \d+(\.\d)? MB, asked for 50\.0 MB; no such job went well yet; once with more: "
        r'lockgate run greedy --memory "\d+ MB"; for good: memory = "\d+ MB" \(lockgate\.toml:5\)',
        row.cause or "",
    ), row.cause
    assert "1\n" in tree.lockgate("logs").out


def test_more_than_the_host_has_is_refused_in_words(place: Place) -> None:
    manifest = '[stages.big]\nrun = "true > o"\nneeds = ["i"]\nmakes = ["o"]\ncpus = 9999\n'
    tree = place.project({"lockgate.toml": manifest, "i": "1\n"})
    tree.push(code=None)
    assert "asks for 9999 cpus; this host has" in (place.runs()[-1].cause or "")


def test_a_cancelled_run_ends_with_all_that_its_jobs_started(place: Place) -> None:
    pids = place.outside / "pids"
    manifest = f"""\
[stages.tree]
run = '''
echo partial > o
(setsid sh -c 'trap "" TERM; echo $$ >> {pids}; exec 3>&- ; while :; do sleep 1; done' &)
(sh -c 'echo $$ >> {pids}; exec sleep 600' &)
echo $$ >> {pids}
sleep 600
'''
needs = ["i"]
makes = ["o"]

[stages.after]
run = "cat o > p"
needs = ["o"]
makes = ["p"]
"""
    tree = place.project({"lockgate.toml": manifest, "i": "1\n"})
    tree.git("push", "hub", "main")
    until(lambda: len(traces(place, "pids")) == 3, "all three processes run")
    assert all(is_alive(int(pid)) for pid in traces(place, "pids"))
    run = place.runs()[0].request.id
    assert "is being cancelled" in tree.lockgate("cancel", run[-8:]).out
    place.settle()
    until(lambda: not any(is_alive(int(pid)) for pid in traces(place, "pids")), "all three are gone")
    (row,) = place.runs()
    assert row.state == "cancelled"
    assert (row.cause or "").startswith("cancelled by ")
    assert place.states(run) == {"tree": "cancelled", "after": "cancelled"}
    assert place.refs()["refs/heads/main"] == tree.head()
    assert "had ended: cancelled" in tree.lockgate("cancel", run).out


def test_a_run_that_waits_for_room_is_cancelled_at_once(place: Place) -> None:
    gate = place.outside / "gate"
    manifest = f"""\
[stages.all]
run = "while [ ! -e {gate} ]; do sleep 0.05; done; cat i > o"
needs = ["i"]
makes = ["o"]
cpus = {len(os.sched_getaffinity(0))}
"""
    tree = place.project({"lockgate.toml": manifest, "i": "1\n"})
    tree.git("push", "hub", "main")
    until(lambda: place.states(place.runs()[0].request.id) == {"all": "running"}, "the first runs")
    tree.commit({"i": "2\n"})
    tree.git("push", "hub", "main")
    second = place.runs()[1].request.id
    until(lambda: place.runs()[1].state == "running", "the second is taken up")
    tree.lockgate("cancel", second)
    until(lambda: place.runs()[1].state == "cancelled", "the second is cancelled")
    assert place.runs()[0].state == "running"
    gate.touch()
    place.settle()
    assert place.runs()[0].state == "succeeded"


DIAMOND = """\
[stages.good]
run = "echo g >> {outside}/good; cat i > g"
needs = ["i"]
makes = ["g"]

[stages.bad]
run = "echo partial > b; echo why it failed >&2; {command}"
needs = ["i"]
makes = ["b", "b2"]

[stages.below]
run = "cat b > c"
needs = ["b"]
makes = ["c"]

[stages.other]
run = "cat g > d"
needs = ["g"]
makes = ["d"]
"""


def test_a_failure_stops_what_depends_on_it_and_nothing_else(place: Place) -> None:
    tree = place.project(
        {"lockgate.toml": DIAMOND.format(outside=place.outside, command="exit 3"), "i": "1\n"}
    )
    said = tree.push().err
    assert "bad  FAILED: exit code 3: why it failed" in said
    (row,) = place.runs()
    assert place.states(row.request.id) == {
        "good": "succeeded",
        "bad": "failed",
        "below": "blocked",
        "other": "succeeded",
    }
    assert place.jobs(row.request.id)["below"].cause == "bad failed"
    assert place.refs()["refs/heads/main"] == tree.head()
    reason = f"failed last time (run {row.request.id[-8:]}): exit code 3: why it failed"
    assert reason in tree.lockgate("status").out
    assert f"bad    will run: {reason}" in tree.git("push", "-o", "dry-run", "hub", "HEAD:again", code=1).err

    # Its result commit has the logs, the cause, and what there was, and is kept alive by the chain
    commit = row.result_commit or ""
    assert place.on_hub("show", f"{commit}:b") == "partial"
    assert place.on_hub("show", f"{commit}:d") == "1"
    assert "exit code 3" in place.on_hub("show", f"{commit}:lockgate.failed/cause.txt")
    kept = place.on_hub("ls-tree", "-r", "--name-only", commit, "lockgate.failed/").splitlines()
    logs = [place.on_hub("show", f"{commit}:{name}") for name in kept]
    assert any("why it failed" in log for log in logs)
    assert "Lockgate-Status: failed" in place.on_hub("show", "-s", "--format=%B", commit)
    place.on_hub("merge-base", "--is-ancestor", commit, "refs/lockgate/activity")

    # After the mend, what went well is not run again
    fixed = DIAMOND.format(outside=place.outside, command="echo two > b2")
    tree.commit({"lockgate.toml": fixed})
    assert "SUCCEEDED" in tree.push().err
    assert place.states(place.runs()[-1].request.id) == {
        "good": "cached",
        "bad": "succeeded",
        "below": "succeeded",
        "other": "cached",
    }
    assert traces(place, "good") == ["g"]
    tree.pull()
    assert not tree.has("lockgate.failed")
    assert tree.read("c") == "partial\n"


def test_a_stage_that_does_not_make_what_it_declares_fails(place: Place) -> None:
    manifest = '[stages.s]\nrun = "true"\nneeds = ["i"]\nmakes = ["o", "deep/p"]\n'
    tree = place.project({"lockgate.toml": manifest, "i": "1\n"})
    tree.push()
    assert "did not make o, deep/p" in (place.runs()[0].cause or "")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("ln -s /etc/passwd o", "is a link to /etc/passwd"),
        ("mkfifo o", "a pipe, socket or device"),
        ("ln -s nowhere o", "a link to nowhere"),
        ("mkdir o; ln -s ../../../../../../hub.json o/x", "is a link to"),
    ],
)
def test_a_result_that_is_no_file_is_refused(place: Place, command: str, words: str) -> None:
    manifest = f'[stages.s]\nrun = "{command}"\nneeds = ["i"]\nmakes = ["o"]\n'
    tree = place.project({"lockgate.toml": manifest, "i": "1\n"})
    tree.push()
    assert words in (place.runs()[0].cause or "")


def test_a_job_killed_by_a_signal_says_which(place: Place) -> None:
    manifest = '[stages.s]\nrun = "echo x > o; kill -SEGV $$"\nneeds = ["i"]\nmakes = ["o"]\n'
    tree = place.project({"lockgate.toml": manifest, "i": "1\n"})
    tree.push()
    assert "SIGSEGV" in (place.runs()[0].cause or "")


def test_output_of_any_kind_is_kept(place: Place) -> None:
    script = (
        "import os, sys\n"
        "os.write(1, bytes(range(256)) + b'\\n')\n"
        "for n in range(40_000): print('line', n)\n"
        "sys.exit('\\x1b[31mlast words \\u00fc\\x1b[0m')\n"
    )
    manifest = '[stages.s]\nrun = "python3 s.py"\nneeds = ["s.py"]\nmakes = ["o"]\n'
    tree = place.project({"lockgate.toml": manifest, "s.py": script})
    assert "exit code 1: last words ü" in tree.push().err
    log = tree.lockgate("logs").out
    assert "line 0\n" in log
    assert "line 39999\n" in log


# What a job sees of the host


def environment_of_a_job(tree: WorkTree, extra: dict[str, str]) -> dict[str, str]:
    tree.push(env=extra)
    tree.pull()
    return dict(line.split("=", 1) for line in tree.read("o").splitlines() if "=" in line)


def test_neither_gits_environment_nor_the_members_reaches_a_job(place: Place) -> None:
    manifest = """\
[stages.env]
run = "env > o; (git status || true) > status 2>&1; git rev-parse --git-dir >> status 2>&1 || true"
needs = ["i"]
makes = ["o", "status"]
cpus = 2
"""
    tree = place.project({"lockgate.toml": manifest, "i": "1\n"})
    seen = environment_of_a_job(
        tree, {"SECRET_TOKEN": "x", "PYTHONPATH": "/nowhere", "GIT_AUTHOR_NAME": "x", "GIT_TRACE": "0"}
    )
    assert [name for name in seen if name.startswith("GIT_")] == []
    assert "SECRET_TOKEN" not in seen
    assert "PYTHONPATH" not in seen
    assert "not a git repository" in tree.read("status")
    assert str(place.hub) in seen["HOME"]
    assert seen["HOME"] != os.environ["HOME"]
    (run,) = place.runs()
    expected = {
        "PYTHONHASHSEED": "0",
        "TZ": "UTC",
        "LC_ALL": "C.UTF-8",
        "MPLBACKEND": "Agg",
        "OMP_NUM_THREADS": "2",
        "LOCKGATE_STAGE": "env",
        "LOCKGATE_RUN": run.request.id,
        "SOURCE_DATE_EPOCH": tree.git("show", "-s", "--format=%ct", "HEAD~1").out.strip(),
    }
    assert expected.items() <= seen.items()


def test_the_home_of_a_job_is_its_own(place: Place) -> None:
    manifest = """\
[stages.one]
run = "cat i > o; echo x > ~/left; ls -A ~ > p"
needs = ["i"]
makes = ["o", "p"]

[stages.two]
run = "ls -A ~ > q; cat o >> q"
needs = ["o"]
makes = ["q"]
"""
    tree = place.project({"lockgate.toml": manifest, "i": "1\n"})
    tree.push()
    tree.pull()
    assert tree.read("p") == "left\n"
    assert tree.read("q") == "1\n"


def test_a_job_reads_nothing_from_the_terminal(place: Place) -> None:
    manifest = '[stages.s]\nrun = "cat > o; wc -c < i >> o"\nneeds = ["i"]\nmakes = ["o"]\n'
    tree = place.project({"lockgate.toml": manifest, "i": "1\n"})
    assert "SUCCEEDED" in tree.push().err
