"""What is planned at one snapshot, and why, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from lockgate.errors import UserError
from lockgate.git.listing import EXECUTABLE, FILE, LINK, SUBMODULE, Entry, blob_id
from lockgate.project.expand import build_pipeline
from lockgate.project.lines import locate
from lockgate.project.manifest import parse_manifest
from lockgate.project.pipeline import Pipeline, Scalar, Stage
from lockgate.runs.inputs import Inputs
from lockgate.runs.plan import Known, Plan, Planner, command_of, complete
from lockgate.runs.reason import Failure, JobEnd, latest_failures
from lockgate.runs.record import Artifact, StageRecord

RUNTIME = "r" * 64

TOML = """\
[project]
name = "flights"

[stages.prepare]
run = "python prepare.py"
needs = ["prepare.py", "data"]
makes = ["build/table.parquet"]

[stages.train]
run = "python train.py --depth {depth}"
needs = ["train.py", "build/table.parquet"]
makes = ["build/model"]
params = { depth = 4 }

[stages.report]
run = "python report.py"
needs = ["report.py", "build/model/weights"]
makes = ["report.html"]
"""
FILES = {
    "lockgate.toml": TOML,
    "lockgate.lock": "",
    "prepare.py": "prepare",
    "train.py": "train",
    "report.py": "report",
    "data/a.csv": "a",
    "data/more/b.csv": "b",
    "README.md": "read me",
}


def listing(files: Mapping[str, str]) -> dict[str, Entry]:
    return {path: Entry(FILE, blob_id(text.encode())) for path, text in files.items()}


class World:
    """A project over several runs: what stages made is known by fingerprint, as a hub knows it."""

    def __init__(self) -> None:
        self.records: dict[str, StageRecord] = {}
        self.newest: dict[str, StageRecord] = {}
        self.commits: dict[str, dict[str, Entry]] = {}
        self.failures: dict[str, Failure] = {}

    def planner(
        self,
        toml: str = TOML,
        files: Mapping[str, str] | None = None,
        *,
        entries: Mapping[str, Entry] = {},
        links: Mapping[str, str] = {},
        runtime: str = RUNTIME,
        overrides: Mapping[str, str] = {},
        package_changes: Sequence[str] = (),
    ) -> Planner:
        pipeline = build_pipeline(parse_manifest(toml, "lockgate.toml"), overrides, "p")
        tree = listing(FILES if files is None else files) | dict(entries)
        inputs = Inputs(
            pipeline,
            tree,
            links,
            lambda group, key: f"lockgate.toml:{locate(toml, ('stages', group, key))}: ",
        )
        known = Known(
            self.records.get,
            self.newest.get,
            self.commits.get,
            lambda runtime: tuple(package_changes),
            self.failures.get,
        )
        return Planner(pipeline, inputs, runtime, known)

    def run(
        self, planner: Planner, made: Mapping[str, str] = {}, commit: str = "c0", name: str = "01RUN"
    ) -> dict[str, str]:
        """Run what must run; return why each stage ran, as told once its upstream stages were known.

        A stage makes bytes of its own fingerprint, unless `made` says which.
        """
        plan = planner.plan()
        self.commits[commit] = dict(planner.inputs.sources)
        records: dict[str, StageRecord] = {}
        ran: dict[str, str] = {}
        for planned in plan.stages:
            digest = planner.fingerprint_of(planned.name, records)
            assert digest is not None
            assert planned.fingerprint in (None, digest)
            if (found := self.records.get(digest)) is None:
                ran[planned.name] = planner.reason_of(planned.name, records)
                found = self.record(planner, planned.name, digest, records, made, commit, name)
                self.records[digest] = found
            records[planned.name] = self.newest[planned.name] = found
        return ran

    def record(
        self,
        planner: Planner,
        name: str,
        digest: str,
        records: Mapping[str, StageRecord],
        made: Mapping[str, str],
        commit: str,
        run: str,
    ) -> StageRecord:
        stage = planner.stage(name)
        return StageRecord(
            stage=name,
            fingerprint=digest,
            run=run,
            commit=commit,
            member="ana",
            ended_at="2026-01-01T00:00:00Z",
            command=command_of(stage),
            runtime=RUNTIME,
            params=stage.params,
            needs=planner.needs_of(name, records) or (),
            artifacts=tuple(
                Artifact(path=path, size_bytes=1, md5=blob_id(made.get(path, digest + path).encode())[:32])
                for path in stage.makes
            ),
        )


def reasons(plan: Plan) -> dict[str, str]:
    return {stage.name: stage.reason for stage in plan.stages}


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def ran(world: World) -> World:
    world.run(world.planner())
    return world


def test_a_first_run(world: World) -> None:
    plan = world.planner().plan()
    assert reasons(plan) == {"prepare": "never run", "train": "after prepare", "report": "after train"}
    assert [stage.will_run for stage in plan.stages] == [True, False, False]
    assert plan.upstream == {"prepare": (), "train": ("prepare",), "report": ("train",)}
    assert not plan.is_nothing_to_do


def test_a_stage_that_failed_says_so(world: World) -> None:
    world.failures["prepare"] = Failure("01ARZ3NDEKTSV4RRFFQ69G5FAV", "KeyError:\n 'delay'")
    assert reasons(world.planner().plan())["prepare"] == (
        "failed last time (run Q69G5FAV): KeyError: 'delay'"
    )
    world.failures["prepare"] = Failure("01ARZ3NDEKTSV4RRFFQ69G5FAV", "x" * 500)
    assert len(reasons(world.planner().plan())["prepare"]) == 153
    world.failures["prepare"] = Failure("01ARZ3NDEKTSV4RRFFQ69G5FAV", None)
    assert reasons(world.planner().plan())["prepare"] == "failed last time (run Q69G5FAV)"


def test_a_failure_stands_beside_what_changed_if_it_is_the_later_one(ran: World) -> None:
    ran.failures["prepare"] = Failure("02RUN", "exit code 1")
    changed = FILES | {"prepare.py": "new"}
    assert reasons(ran.planner(files=changed).plan())["prepare"] == (
        "code changed: prepare.py; failed last time (run 02RUN): exit code 1"
    )
    ran.failures["prepare"] = Failure("00RUN", "exit code 1")
    assert reasons(ran.planner(files=changed).plan())["prepare"] == "code changed: prepare.py"


def test_the_latest_end_of_a_stage_counts() -> None:
    ends = [
        JobEnd("04", "train", "blocked", None),
        JobEnd("03", "train", "failed", "b"),
        JobEnd("03", "prepare", "succeeded", None),
        JobEnd("02", "train", "failed", "a"),
        JobEnd("02", "prepare", "failed", "a"),
    ]
    assert latest_failures(ends) == {"train": Failure("03", "b")}


def test_nothing_to_do(ran: World) -> None:
    plan = ran.planner().plan()
    assert plan.is_nothing_to_do
    assert set(reasons(plan).values()) == {"cached from run 01RUN"}


def test_only_the_end_of_a_run_id_is_shown(world: World) -> None:
    world.run(world.planner(), name="01ARZ3NDEKTSV4RRFFQ69G5FAV")
    assert reasons(world.planner().plan())["prepare"] == "cached from run Q69G5FAV"


def test_forced(ran: World) -> None:
    plan = ran.planner().plan(force=["train"])
    assert reasons(plan) == {
        "prepare": "cached from run 01RUN",
        "train": "forced",
        "report": "after train",
    }
    assert plan.stages[1].will_run


def test_what_nobody_needs_may_change(ran: World) -> None:
    assert ran.planner(files=FILES | {"README.md": "new", "other.py": "x"}).plan().is_nothing_to_do


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"prepare.py": "new"}, "code changed: prepare.py"),
        ({"data/a.csv": "new"}, "data changed: data/a.csv"),
        ({"data/c.csv": "new"}, "data changed: data/c.csv"),
        (
            dict.fromkeys(["data/a.csv", "data/more/b.csv", "data/c.csv", "data/d"], "1"),
            "data changed: data/a.csv, data/c.csv, data/d and 1 more",
        ),
        ({"data/clean.R": "new", "data/a.csv": "1"}, "code changed: data/clean.R; data changed: data/a.csv"),
        ({"prepare.py": "new", "data/a.csv": "new"}, "code changed: prepare.py; data changed: data/a.csv"),
    ],
)
def test_code_and_data_are_named(ran: World, files: dict[str, str], expected: str) -> None:
    assert reasons(ran.planner(files=FILES | files).plan())["prepare"] == expected


def test_a_file_gone_from_a_folder_is_named(ran: World) -> None:
    files = {path: text for path, text in FILES.items() if path != "data/more/b.csv"}
    assert reasons(ran.planner(files=files).plan())["prepare"] == "data changed: data/more/b.csv"


def test_without_the_old_commit_at_hand_the_folder_is_named(ran: World) -> None:
    ran.commits.clear()
    assert reasons(ran.planner(files=FILES | {"data/a.csv": "1"}).plan())["prepare"] == "data changed: data"


def test_a_parameter(ran: World) -> None:
    plan = ran.planner(overrides={"depth": "5"}).plan()
    assert reasons(plan)["train"] == "parameter depth 4 → 5"
    assert reasons(plan)["prepare"] == "cached from run 01RUN"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("params = { depth = 4 }", "params = { depth = 4, seed = 1 }", "new parameter seed = 1"),
        (
            "--depth {depth}",
            "--depth {depth} --fast",
            "command changed",
        ),
        ('makes = ["build/model"]', 'makes = ["build/model", "build/log.txt"]', "makes changed"),
        (
            'needs = ["train.py", "build/table.parquet"]',
            'needs = ["train.py", "report.py", "build/table.parquet"]',
            "code changed: report.py",
        ),
        (
            'needs = ["train.py", "build/table.parquet"]',
            'needs = ["build/table.parquet"]',
            "no longer needed: train.py",
        ),
    ],
)
def test_the_manifest(ran: World, old: str, new: str, expected: str) -> None:
    assert TOML.count(old) == 1
    assert reasons(ran.planner(TOML.replace(old, new)).plan())["train"] == expected


def test_a_parameter_that_is_gone(ran: World) -> None:
    toml = TOML.replace("params = { depth = 4 }", "").replace("--depth {depth}", "--depth 4")
    assert reasons(ran.planner(toml).plan())["train"] == "parameter depth is gone"


def test_a_parameter_of_another_type(ran: World) -> None:
    toml = TOML.replace("depth = 4 }", 'depth = "4" }')
    assert reasons(ran.planner(toml).plan())["train"] == "parameter depth 4 → 4"


def test_the_runtime(ran: World) -> None:
    planner = ran.planner(runtime="s" * 64, package_changes=["numpy 2.3.1 → 2.3.2"])
    assert reasons(planner.plan())["prepare"] == "runtime changed: numpy 2.3.1 → 2.3.2"
    planner = ran.planner(runtime="s" * 64, package_changes=["a", "b", "c", "d", "e"])
    assert reasons(planner.plan())["prepare"] == "runtime changed: a, b, c and 2 more"
    assert reasons(ran.planner(runtime="s" * 64).plan())["prepare"] == "runtime changed"


def test_several_reasons_are_all_said(ran: World) -> None:
    planner = ran.planner(files=FILES | {"train.py": "x"}, overrides={"depth": "5"}, runtime="s")
    ran.run(planner)
    assert planner.reason_of("train", ran.newest) != "never run"
    fresh = World()
    fresh.run(fresh.planner())
    plan = fresh.run(planner_like(fresh, planner), commit="c1")
    assert plan["train"] == (
        "code changed: train.py; upstream changed: build/table.parquet (by prepare); "
        "parameter depth 4 → 5; runtime changed"
    )


def planner_like(world: World, other: Planner) -> Planner:
    return world.planner(files=FILES | {"train.py": "x"}, overrides={"depth": "5"}, runtime="s")


def test_a_result_that_is_known_but_gone(ran: World) -> None:
    ran.records.clear()
    assert reasons(ran.planner().plan())["prepare"] == "its result is no longer on the hub"


def test_early_cut_off(ran: World) -> None:
    """Upstream runs again but makes the same bytes: what lies below is known."""
    same = {"build/table.parquet": "bytes"}
    first = World()
    assert list(first.run(first.planner(), same)) == ["prepare", "train", "report"]
    changed = FILES | {"prepare.py": "a comment more"}
    planner = first.planner(files=changed)
    assert reasons(planner.plan()) == {
        "prepare": "code changed: prepare.py",
        "train": "after prepare",
        "report": "after train",
    }
    assert first.run(planner, same, "c1") == {"prepare": "code changed: prepare.py"}
    assert first.planner(files=changed).plan().is_nothing_to_do


def test_upstream_changed(ran: World) -> None:
    assert ran.run(ran.planner(files=FILES | {"prepare.py": "new"}), commit="c1") == {
        "prepare": "code changed: prepare.py",
        "train": "upstream changed: build/table.parquet (by prepare)",
        "report": "upstream changed: build/model (by train)",
    }


def test_going_back_is_known(ran: World) -> None:
    ran.run(ran.planner(files=FILES | {"prepare.py": "new"}), commit="c1")
    assert ran.planner().plan().is_nothing_to_do


# Selection


def test_only_some_stages_and_what_they_depend_on(world: World) -> None:
    plan = world.planner().plan(only=["train"])
    assert list(plan.upstream) == [stage.name for stage in plan.stages] == ["prepare", "train"]


def test_a_matrix_is_named_as_a_whole_or_by_member(world: World) -> None:
    toml = (
        TOML.replace("params = { depth = 4 }", "matrix = { depth = [4, 8] }")
        .replace('"build/model"', '"build/model-{depth}"')
        .replace("build/model/weights", "build/model-4/weights")
    )
    planner = world.planner(toml)
    assert [s.name for s in planner.plan(only=["train"]).stages] == [
        "prepare",
        "train@depth=4",
        "train@depth=8",
    ]
    assert [s.name for s in planner.plan(only=["train@depth=8"]).stages] == ["prepare", "train@depth=8"]
    assert [s.name for s in planner.plan(only=["report"]).stages] == ["prepare", "train@depth=4", "report"]


@pytest.mark.parametrize("option", ["only", "force"])
def test_an_unknown_stage_is_told_with_those_there_are(world: World, option: str) -> None:
    with pytest.raises(UserError) as caught:
        world.planner().plan(**{option: ["tain"]})
    assert caught.value.code == "stage-unknown"
    assert caught.value.message == "there is no stage tain"
    assert "prepare, train, report" in caught.value.hint


# Needs


def stage_toml(needs: str, makes: str = '["out"]', above: str = "") -> str:
    return f'{above}[stages.it]\nrun = "x"\nneeds = {needs}\nmakes = {makes}\n'


def test_kinds_of_needs(world: World) -> None:
    planner = world.planner(stage_toml('["train.py", "data/", "**/*.csv"]'))
    inputs = planner.inputs_of("it")
    tree = listing(FILES)
    assert dict(inputs.needs)["train.py"] == tree["train.py"].id
    assert dict(inputs.needs)["data/a.csv"] == tree["data/a.csv"].id
    assert [need for need, _ in inputs.needs] == ["data", "data/a.csv", "data/more/b.csv", "train.py"]
    assert sorted(path for path, _ in inputs.files) == ["data/a.csv", "data/more/b.csv", "train.py"]
    assert inputs.artifacts == ()


def test_a_mode_is_part_of_a_needs_identity(world: World) -> None:
    script = Entry(EXECUTABLE, blob_id(b"train"))
    toml = stage_toml('["train.py"]')
    plain, executable = world.planner(toml), world.planner(toml, entries={"train.py": script})
    assert dict(executable.inputs_of("it").needs)["train.py"] == f"{script.id}:x"
    assert plain.fingerprint_of("it", {}) != executable.fingerprint_of("it", {})


def test_a_folders_identity_tells_modes_and_names(world: World) -> None:
    toml = stage_toml('["data"]')
    seen = {
        world.planner(toml).fingerprint_of("it", {}),
        world.planner(toml, entries={"data/a.csv": Entry(EXECUTABLE, blob_id(b"a"))}).fingerprint_of(
            "it", {}
        ),
        world.planner(toml, FILES | {"data/z.csv": ""}).fingerprint_of("it", {}),
    }
    assert len(seen) == 3


@pytest.mark.parametrize("name", ["data/[1].csv", "data/a*.csv", "data/what?.csv"])
def test_a_file_named_like_a_pattern_is_that_file(world: World, name: str) -> None:
    planner = world.planner(stage_toml(f'["{name}"]'), FILES | {name: "x"})
    assert [path for path, _ in planner.inputs_of("it").files] == [name]


def test_a_name_that_is_no_text_can_be_needed(world: World) -> None:
    name = b"data/caf\xe9.csv".decode("utf-8", "surrogateescape")
    by_pattern = world.planner(stage_toml('["data/*"]'), FILES | {name: "x"})
    other = world.planner(stage_toml('["data/*"]'), FILES | {name: "y"})
    assert by_pattern.fingerprint_of("it", {}) != other.fingerprint_of("it", {})
    assert name in dict(by_pattern.inputs_of("it").files)
    assert world.planner(stage_toml('["data"]'), FILES | {name: "x"}).fingerprint_of("it", {})


def test_a_link_brings_what_it_points_to(world: World) -> None:
    toml = stage_toml('["latest.csv"]')
    entries = {"latest.csv": Entry(LINK, blob_id(b"data/a.csv"))}
    planner = world.planner(toml, entries=entries, links={"latest.csv": "data/a.csv"})
    inputs = planner.inputs_of("it")
    assert dict(inputs.files).keys() == {"latest.csv", "data/a.csv"}
    assert dict(inputs.needs) == {
        "latest.csv": f"{blob_id(b'data/a.csv')}:link",
        "data/a.csv": blob_id(b"a"),
    }
    changed = world.planner(
        toml, FILES | {"data/a.csv": "2"}, entries=entries, links={"latest.csv": "data/a.csv"}
    )
    assert changed.fingerprint_of("it", {}) != planner.fingerprint_of("it", {})


def test_a_link_to_a_folder_and_to_a_link(world: World) -> None:
    entries = {"a": Entry(LINK, "1" * 40), "sub/b": Entry(LINK, "2" * 40)}
    links = {"a": "sub/b", "sub/b": "../data"}
    inputs = world.planner(stage_toml('["a"]'), entries=entries, links=links).inputs_of("it")
    assert dict(inputs.files).keys() == {"a", "sub/b", "data/a.csv", "data/more/b.csv"}


def test_links_in_a_ring_end(world: World) -> None:
    entries = {"a": Entry(LINK, "1" * 40), "b": Entry(LINK, "2" * 40)}
    inputs = world.planner(stage_toml('["a"]'), entries=entries, links={"a": "b", "b": "a"}).inputs_of("it")
    assert dict(inputs.files).keys() == {"a", "b"}


@pytest.mark.parametrize("target", ["/etc/passwd", "../secret", "x/../../secret", ".."])
@pytest.mark.parametrize("needs", ['["data"]', '["data/link"]', '["data/*"]'])
def test_a_link_that_leads_outside_is_refused(world: World, target: str, needs: str) -> None:
    links = {"data/link": target if target.startswith("/") else f"../{target}"}
    planner = world.planner(stage_toml(needs), entries={"data/link": Entry(LINK, "1" * 40)}, links=links)
    with pytest.raises(UserError) as caught:
        planner.plan()
    assert caught.value.code == "link-outside"
    assert caught.value.message.startswith("lockgate.toml:3: stage it needs data/link, a link that leads out")


def test_a_link_to_what_is_not_there_is_a_need_missing(world: World) -> None:
    entries = {"a": Entry(LINK, "1" * 40)}
    with pytest.raises(UserError, match=r"it needs gone\.csv, which is not in the project"):
        world.planner(stage_toml('["a"]'), entries=entries, links={"a": "gone.csv"}).plan()


@pytest.mark.parametrize("needs", ['["sub"]', '["sub*"]', '["vendor"]', "left out"])
def test_a_submodule_is_refused(world: World, needs: str) -> None:
    entries = {"sub": Entry(SUBMODULE, "1" * 40), "vendor/sub": Entry(SUBMODULE, "1" * 40)}
    toml = stage_toml(needs) if needs != "left out" else '[stages.it]\nrun = "x"\nmakes = ["out"]\n'
    with pytest.raises(UserError, match="a git submodule") as caught:
        world.planner(toml, entries=entries).plan()
    assert caught.value.code == "submodule"


@pytest.mark.parametrize("need", ["data/gone.csv", "date", "data/*.parquet", "data/a.csv/x"])
def test_a_need_that_is_nowhere(world: World, need: str) -> None:
    with pytest.raises(UserError) as caught:
        world.planner(stage_toml(f'[\n  "train.py",\n  "{need}",\n]')).plan()
    assert caught.value.code == "need-missing"
    assert caught.value.message == (
        f"lockgate.toml:3: stage it needs {need}, which is not in the project and no stage makes"
    )
    assert f"git add {need}" in caught.value.hint


def test_a_need_within_a_made_folder_is_the_whole_artifact(ran: World) -> None:
    planner = ran.planner()
    assert planner.inputs_of("report").artifacts == (("build/model", "train"),)
    md5 = ran.newest["train"].artifacts[0].md5
    assert ("build/model", f"md5:{md5}") in (planner.needs_of("report", ran.newest) or ())


@pytest.mark.parametrize("need", ["build", "build/*", "build/**/*.parquet", "build/table.parquet"])
def test_what_is_made_under_a_folder_or_taken_by_a_pattern(world: World, need: str) -> None:
    above = '[stages.p]\nrun = "y"\nneeds = []\nmakes = ["build/table.parquet"]\n'
    files = FILES | {"build/table.parquet": "an old copy", "build/fixed.parquet": "source"}
    planner = world.planner(stage_toml(f'["{need}"]', above=above), files)
    inputs = planner.inputs_of("it")
    assert planner.upstream["it"] == ("p",)
    assert inputs.artifacts == (("build/table.parquet", "p"),)
    assert [path for path, _ in inputs.files] == (
        [] if need.endswith("table.parquet") else ["build/fixed.parquet"]
    )


# The whole repository


WHOLE = """\
[stages.first]
run = "one"
makes = ["made/a"]

[stages.second]
run = "two"
makes = ["made/b"]
"""


def test_without_needs_everything_but_what_runs_write_counts(world: World) -> None:
    world.run(world.planner(WHOLE))
    written = FILES | {"made/a": "an artifact", "made/b": "another", "lockgate.lock": "lines"}
    assert world.planner(WHOLE, written).plan().is_nothing_to_do


def test_without_needs_all_made_above_is_needed(world: World) -> None:
    planner = world.planner(WHOLE)
    assert planner.inputs_of("first").artifacts == ()
    assert planner.inputs_of("second").artifacts == (("made/a", "first"),)
    assert dict(planner.inputs_of("second").files).keys() == FILES.keys() - {"lockgate.lock"}


def test_without_needs_the_changed_files_are_named(world: World) -> None:
    world.run(world.planner(WHOLE))
    changed = FILES | {"train.py": "new", "data/c.csv": "new", "made/a": "x", "lockgate.lock": "y"}
    del changed["data/a.csv"]
    assert reasons(world.planner(WHOLE, changed).plan()) == {
        "first": "code changed: train.py; data changed: data/a.csv, data/c.csv",
        "second": "after first",
    }


# What only the files tell


def pipeline_of(*stages: Stage) -> Pipeline:
    return Pipeline("p", "lockgate.toml", stages)


def test_a_notebook_takes_the_parameters_it_names_and_makes_its_page() -> None:
    stage = Stage("it", "it", notebook="a.ipynb", makes=("x.csv",), params={"depth": 4, "seed": 1})
    done = complete(pipeline_of(stage), {"a.ipynb": ("depth",)}, {}).stages[0]
    assert done.params == {"depth": 4}
    assert done.makes == ("x.csv", "a.executed.ipynb", "a.html")
    assert complete(pipeline_of(done), {"a.ipynb": ("depth",)}, {}).stages[0] == done


def test_a_spark_application_is_a_need_of_its_stage() -> None:
    stage = Stage("it", "it", command="spark-submit job.py", spark="job.py", needs=())
    inputs = Inputs(Pipeline("p", "lockgate.toml", (stage,)), listing({"job.py": "x", "other.py": "y"}), {})
    assert [path for path, _ in inputs.of("it", ()).files] == ["job.py"]
    assert [path for path, _ in inputs.of("it", ()).needs] == ["job.py"]
    with pytest.raises(UserError, match=r"needs job\.py, which is not in the project"):
        Inputs(Pipeline("p", "lockgate.toml", (stage,)), {}, {}).of("it", ())
    assert command_of(stage) == "spark-submit job.py"


def test_a_notebook_is_a_need_of_its_stage() -> None:
    stage = Stage("it", "it", notebook="a.ipynb", needs=(), makes=("a.html",))
    pipeline = complete(pipeline_of(stage), {}, {})
    planner = Planner(
        pipeline,
        Inputs(pipeline, listing({"a.ipynb": "{}"}), {}),
        RUNTIME,
        Known(lambda digest: None, lambda name: None),
    )
    assert [path for path, _ in planner.inputs_of("it").needs] == ["a.ipynb"]
    assert command_of(pipeline.stages[0]) == "notebook a.ipynb"


def tracked(keys: tuple[str, ...], text: str = "depth: 4") -> Planner:
    stage = Stage("it", "it", command="x", needs=(), params_files={"params.yaml": keys})
    values: dict[str, dict[str, Scalar]] = {
        "params.yaml": {"train.depth": 4, "train.rate": 0.1, "trainer": "x", "seed": 1}
    }
    pipeline = complete(pipeline_of(stage), {}, values)
    inputs = Inputs(pipeline, listing({"params.yaml": text}), {})
    return Planner(pipeline, inputs, RUNTIME, Known(lambda digest: None, lambda name: None))


def test_tracked_keys_count_and_the_rest_of_their_file_does_not() -> None:
    planner = tracked(("train",))
    assert planner.stage("it").params == {"train.depth": 4, "train.rate": 0.1}
    assert planner.inputs_of("it").needs == ()
    assert [path for path, _ in planner.inputs_of("it").files] == ["params.yaml"]
    assert planner.fingerprint_of("it", {}) == tracked(("train",), "other").fingerprint_of("it", {})


def test_a_file_of_parameters_tracked_as_a_whole_counts_as_a_whole() -> None:
    assert tracked(()).fingerprint_of("it", {}) != tracked((), "other").fingerprint_of("it", {})


def test_a_tracked_key_that_is_not_there() -> None:
    with pytest.raises(
        UserError, match=r"stage it tracks parameter trai, which params\.yaml does not have"
    ) as caught:
        tracked(("trai",))
    assert caught.value.code == "parameter-unknown"


def test_makes_of_other_stages_are_not_sources() -> None:
    stage = Stage("it", "it", command="x", needs=(), makes=("out",))
    inputs = Inputs(pipeline_of(stage), listing({"out/a": "", "outer": "", "a/out": ""}), {})
    assert list(inputs.sources) == ["outer", "a/out"]
    assert inputs.maker("out/a/b") == "it"
    assert inputs.maker("outer") is None
    assert inputs.made == ["out"]
