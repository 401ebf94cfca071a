"""What is shown of each answer. Pure: JSON in, a view out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from lockgate.notebook.answer import Table, View, words_of

Json = Any
_NO_HEADER = ("", "")


def view_of(words: Sequence[str], value: Json) -> View:
    """Return what is shown of the answer to `lockgate WORDS`."""
    special = _VIEWS.get(" ".join(words[:2])) or _VIEWS.get(words[0]) if words else None
    return special(value) if special is not None and value is not None else _any(words, value)


def run_rows(lines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return runs as rows of a data frame: short id first, a time as a time."""
    return [
        {
            "run": line["id"][-8:],
            "state": line["state"],
            "seconds": line["seconds"],
            "queued_at": datetime.fromtimestamp(line["created_at"], timezone.utc),  # noqa: UP017
            "of": line["where"],
            "commit": line["commit"][:10],
            "member": line["member"],
            "cause": line["cause"],
        }
        for line in lines
    ]


def _runs(value: Json) -> View:
    rows = [
        (
            row["run"],
            row["state"],
            _seconds(row["seconds"]),
            row["queued_at"].strftime("%Y-%m-%d %H:%M:%SZ"),
            row["of"],
            row["commit"],
            row["member"],
            words_of(row["cause"]),
        )
        for row in run_rows(value)
    ]
    header = ("Run", "State", "Time", "Queued", "Of", "Commit", "Member", "Cause")
    return View(
        f"{len(rows)} runs" if rows else "No runs yet: lockgate.run()", (), (Table("", header, rows),)
    )


def _status(value: Json) -> View:
    stages = value["stages"]
    to_run = [stage for stage in stages if not stage.get("reused")]
    title = f"{len(to_run)} of {len(stages)} stages would run" if to_run else "Nothing to do: all is known"
    rows = [
        (stage["name"], "no" if stage.get("reused") else "yes", stage.get("reason", "")) for stage in stages
    ]
    return View(title, value.get("notes", ()), (Table("", ("Stage", "Run", "Why"), rows),))


def _run(value: Json) -> View:
    if "stages" in value:
        return _forecast(value)
    ended = value.get("ended")
    if not ended:
        return View(f"Run {value['run'][-8:]} is queued", (f"lockgate.logs({value['run'][-8:]!r})",))
    written = [*value["fetched"]["written"], *value["large"]]
    kept = value["fetched"]["kept"]
    lines = [ended.get("words", "")]
    if written:
        lines.append(f"in the work tree: {', '.join(written)}")
    if kept:
        lines.append(f"left as you edited them meanwhile: {', '.join(kept)}")
    state = ended.get("state", "")
    return View(f"Run {value['run'][-8:]} {state}", [line for line in lines if line])


def _forecast(value: Json) -> View:
    rows = [(each["stage"], each["action"], each["backend"], each["reason"]) for each in value["stages"]]
    count = sum(each["action"] != "cached" for each in value["stages"])
    return View(
        f"{count} of {len(rows)} stages would run",
        (),
        (Table("", ("Stage", "What", "Backend", "Why"), rows),),
    )


def _show(value: Json) -> View:
    line = value["line"]
    title = f"Run {line['id'][-8:]} {line['state']}"
    told = [f"{line['where']} @ {line['commit'][:10]}, by {line['member']}", line["cause"] or ""]
    stages = [
        (each["stage"], each["state"], words_of(each.get("cause") or each.get("reason")))
        for each in value["stages"]
    ]
    metrics = [(name, words_of(number)) for name, number in value["metrics"].items()]
    artifacts = [
        (artifact["path"], words_of(artifact.get("kind", "file")), stage)
        for stage, record in value["records"].items()
        for artifact in record["artifacts"]
    ]
    return View(
        title,
        [line for line in told if line],
        (
            Table("Stages", ("Stage", "State", "Why"), stages),
            Table("Metrics", ("Metric", "Value"), metrics),
            Table("Artifacts", ("Path", "Kind", "Stage"), artifacts),
        ),
    )


def _why(value: Json) -> View:
    origin = value["origin"]
    if value["kind"] == "source":
        needed = ", ".join(origin["needed_by"]) or "no stage"
        return View(f"{origin['path']}: a source, no stage makes it", (f"needed by {needed}",))
    record = origin["record"]
    about = [
        ("command", record["command"]),
        ("parameters", words_of(record.get("params"))),
        ("member", record["member"]),
        ("when", record["ended_at"]),
        ("snapshot", record["commit"][:10]),
        ("md5", origin["artifact"]["md5"]),
    ]
    steps = [
        (
            "\u2003" * step.get("depth", 0) + step["path"],
            words_of(step.get("stage")) or "a source",
            words_of(step.get("run"))[-8:],
        )
        for step in origin["steps"]
    ]
    return View(
        f"{origin['path']}: made by stage {record['stage']} in run {record['run'][-8:]}",
        () if origin.get("is_recorded", True) else ("What lies here is NOT what this run made.",),
        (
            Table("", _NO_HEADER, [row for row in about if row[1]]),
            Table("Made from", ("Path", "Stage", "Run"), steps),
        ),
    )


def _compare(value: Json) -> View:
    left, right = value["left"][-8:], value["right"][-8:]
    sections = [
        ("Parameters", [(each["name"], each["left"], each["right"]) for each in value["parameters"]]),
        ("Packages", [(each["name"], each["left"], each["right"]) for each in value["packages"]]),
        ("Stages", [(each["stage"], each["left"], each["right"]) for each in value["states"]]),
        ("Metrics", [(each["name"], each["left"], each["right"]) for each in value["metrics"]]),
        ("Code", [(each["path"], "", each["status"]) for each in value["code"]]),
        (
            "Artifacts",
            [(each["path"], "", each["verdict"]) for each in value["artifacts"] if each["verdict"] != "same"],
        ),
    ]
    tables = [
        Table(title, ("", left, right), [tuple(map(words_of, row)) for row in rows])
        for title, rows in sections
    ]
    is_same = not any(table.rows for table in tables)
    return View(f"{left} beside {right}" + (": the same" if is_same else ""), (), tables)


def _verify(value: Json) -> View:
    rows = [(each["path"], each["verdict"], words_of(each.get("words"))) for each in value["artifacts"]]
    title = f"Run {value['run'][-8:]}: {value['verdict']}"
    told = [words_of(value.get("words")), *value.get("notes", ())]
    return View(title, [each for each in told if each], (Table("", ("Artifact", "Verdict", "Words"), rows),))


def _stage_written(value: Json) -> View:
    done = "added to" if value["is_new"] else "changed in"
    return View(f"Stage {value['name']} {done} lockgate.toml", (f"its script: {value['script']}",))


def _any(words: Sequence[str], value: Json) -> View:
    title = f"lockgate {' '.join(words)}".strip()
    if isinstance(value, Mapping):
        rows = [(name, words_of(each)) for name, each in value.items()]
        return View(title, (), (Table("", _NO_HEADER, rows),))
    if isinstance(value, list) and value and all(isinstance(each, Mapping) for each in value):
        names = list(dict.fromkeys(name for each in value for name in each))
        rows_of_all = [tuple(words_of(each.get(name)) for name in names) for each in value]
        return View(title, (), (Table("", names, rows_of_all),))
    if isinstance(value, list):
        return View(title, [words_of(each) for each in value] or ["nothing"])
    return View(title, [words_of(value) or "done"])


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds // 60)} min {int(seconds % 60)} s"


_VIEWS: Mapping[str, Callable[[Json], View]] = {
    "runs": _runs,
    "status": _status,
    "run": _run,
    "show": _show,
    "why": _why,
    "compare": _compare,
    "verify": _verify,
    "stage write": _stage_written,
}
