"""The Jobs that batches become, against the published schemas of the API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import kubernetes_validate
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.backends.kubernetes import names
from lockgate.backends.kubernetes.manifest import (
    Carried,
    literal,
    manifests,
    memory_limit,
    merged,
    native_ids,
    runtime_folder,
    shared_problem,
)
from lockgate.backends.kubernetes.options import Options, read_options
from lockgate.backends.kubernetes.options import options_of as options_of_job
from lockgate.backends.system import Batch
from lockgate.project.pipeline import Resources
from lockgate.runs.job import Job
from lockgate.runs.jobscript import base_environment, job_script

SCHEMAS = ("1.25", "1.27", "1.29", "1.31", "1.33", "1.35", "1.37")
GOLDEN = Path(__file__).parents[2] / "golden" / "kubernetes"
IMAGE = "registry.example.org/team/python@sha256:" + "a" * 64
SHARED: dict[str, object] = {"image": IMAGE, "shared": [{"path": "/srv/hub", "claim": "hub-files"}]}
FULL: dict[str, object] = {
    **SHARED,
    "namespace": "science",
    "service_account": "runner",
    "priority_class": "low",
    "image_pull_secrets": ["registry"],
    "image_pull_policy": "IfNotPresent",
    "node_selector": {"disk": "ssd"},
    "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
    "secrets": {"DB_PASSWORD": "database/password"},
    "secret_files": {"/run/keys": "keys"},
    "labels": {"team": "flights"},
    "annotations": {"example.org/cost": "42"},
    "limit_cpus": True,
    "user": 1000,
    "group": 1000,
    "pod": {"hostNetwork": True, "securityContext": {"fsGroup": 7}},
}
CARRIED: dict[str, object] = {"image": IMAGE, "serve": "10.0.0.5:8731"}


def options_of(table: Mapping[str, object]) -> Options:
    options = read_options(table)
    assert isinstance(options, Options), options
    return options


def batch_of(count: int, resources: Resources = Resources(), stage: str = "train") -> Batch:  # noqa: B008
    jobs = tuple(
        Job("01RUN", f"{stage}@depth={n}" if count > 1 else stage, f"/srv/hub/runs/1/jobs/{n}", resources)
        for n in range(count)
    )
    return Batch("lg-Train-0123456789ab", "/srv/hub/runs/1/jobs/.batches/lg-Train-0123456789ab", jobs)


def made(
    batch: Batch, table: Mapping[str, object], server: tuple[int, int], venv: str | None = None
) -> list[dict[str, object]]:
    is_carried = "serve" in table
    carried = Carried("http://10.0.0.5:8731/TOKEN?batch=%2Fsrv", "print(1)") if is_carried else None
    return manifests(batch, options_of(table), server=server, owner=(1001, 1002), venv=venv, carried=carried)


@pytest.mark.parametrize("version", SCHEMAS)
@pytest.mark.parametrize("table", [SHARED, FULL, CARRIED], ids=["shared", "full", "carried"])
@pytest.mark.parametrize("count", [1, 3])
def test_the_schemas_of_the_api_take_every_manifest(
    version: str, table: Mapping[str, object], count: int
) -> None:
    resources = Resources(cpus=4, gpus=1, memory_bytes=8_000_000_000, walltime_s=7200)
    server = tuple(int(part) for part in version.split("."))
    for manifest in made(
        batch_of(count, resources), table, (server[0], server[1]), "/srv/hub/runtimes/d/venv"
    ):
        kubernetes_validate.validate(json.loads(json.dumps(manifest)), version, strict=True)


def test_a_schema_does_refuse() -> None:
    (manifest,) = made(batch_of(1), SHARED, (1, 29))
    manifest["spec"]["completionMod"] = "Indexed"  # type: ignore[index]
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(manifest, "1.29", strict=True)


@pytest.mark.parametrize(
    ("name", "table", "count", "server"),
    [
        ("one", FULL, 1, (1, 20)),
        ("indexed", SHARED, 3, (1, 29)),
        ("member-of-three", SHARED, 3, (1, 20)),
        ("carried", CARRIED, 1, (1, 31)),
    ],
)
def test_manifests_are_as_before(
    name: str, table: Mapping[str, object], count: int, server: tuple[int, int]
) -> None:
    resources = Resources(cpus=2, memory_bytes=1_000_000_000, walltime_s=60)
    first = made(batch_of(count, resources), table, server, "/srv/hub/runtimes/d/venv")[0]
    expected = GOLDEN / f"{name}.json"
    assert json.loads(json.dumps(first)) == json.loads(expected.read_text("utf-8")), (
        f"{expected} is not what is submitted: {json.dumps(first, indent=1)}"
    )


def test_old_servers_get_a_job_a_member_and_new_ones_an_indexed_job() -> None:
    batch = batch_of(3)
    assert [each["metadata"]["name"] for each in made(batch, SHARED, (1, 28))] == [  # type: ignore[index]
        "lg-train-0123456789ab-0",
        "lg-train-0123456789ab-1",
        "lg-train-0123456789ab-2",
    ]
    (indexed,) = made(batch, SHARED, (1, 29))
    assert indexed["spec"]["completions"] == 3  # type: ignore[index]
    assert native_ids(batch, "ns", (1, 29))[2] == "ns/lg-train-0123456789ab/2"
    assert native_ids(batch, "ns", (1, 28))[2] == "ns/lg-train-0123456789ab-2"
    assert native_ids(batch_of(1), "ns", (1, 29)) == ["ns/lg-train-0123456789ab"]


def test_memory_is_requested_and_limited_alike_and_carrying_takes_its_own() -> None:
    asked = Resources(memory_bytes=1000)
    (shared,) = made(batch_of(1, asked), SHARED, (1, 29))
    assert _container(shared)["resources"] == {
        "requests": {"cpu": "1", "memory": "1000"},
        "limits": {"memory": "1000"},
    }
    assert memory_limit(asked, is_carried=True) == 64_001_000
    assert memory_limit(Resources(), is_carried=True) is None


def test_jobs_write_shared_files_as_the_hub_unless_told_otherwise() -> None:
    (job,) = made(batch_of(1), SHARED, (1, 29))
    assert _spec(job)["securityContext"] == {"runAsUser": 1001, "runAsGroup": 1002}
    (job,) = made(batch_of(1), FULL, (1, 29))
    assert _spec(job)["securityContext"] == {"runAsUser": 1000, "runAsGroup": 1000, "fsGroup": 7}
    (job,) = made(batch_of(1), CARRIED, (1, 29))
    assert "securityContext" not in _spec(job)


@given(st.text(alphabet=st.characters(exclude_characters="\0")))
def test_a_word_reaches_the_program_as_it_is(word: str) -> None:
    assert _expanded(literal(word), {"HOME": "wrong", "touch x": "wrong"}) == word


@given(st.text(max_size=200))
def test_every_label_value_is_one(text: str) -> None:
    kubernetes_validate.validate(
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"labels": {"a": names.label_value(text)}}}, "1.29"
    )
    value = names.label_value(text)
    assert len(value) <= 63 and value.isascii()
    assert not value or (value[0].isalnum() and value[-1].isalnum())


@given(st.builds(names.NativeId, st.just("ns"), st.just("a-1"), st.none() | st.integers(0, 10**6)))
def test_a_native_id_is_read_as_written(native: names.NativeId) -> None:
    assert names.parse_native_id(str(native)) == native


@pytest.mark.parametrize("text", ["", "x", "/", "a/b/c", "a/b/c/d", "a//1"])
def test_what_is_no_native_id(text: str) -> None:
    assert names.parse_native_id(text) is None


def test_the_runtime_is_read_from_the_job_script() -> None:
    environment, inside = base_environment(
        run="r", stage="s", cpus=1, source_date_epoch=0, runtime_bin="/srv/a b's/venv/bin"
    )
    script = job_script("export VIRTUAL_ENV=/other", environment, from_folder=inside)
    assert runtime_folder(script) == "/srv/a b's/venv"
    assert runtime_folder(job_script("export VIRTUAL_ENV=/other", {"A": "1"})) is None


def test_a_folder_outside_of_the_shared_ones_is_told() -> None:
    options = options_of(SHARED)
    assert shared_problem(options, "/srv/hub/runs/1") is None
    assert "/srv/hubs" in (shared_problem(options, "/srv/hubs") or "")


def test_further_fields_are_merged() -> None:
    assert merged({"a": [1], "b": {"c": 1}}, {"a": [2], "b": {"d": 2}, "e": 3}) == {
        "a": [1, 2],
        "b": {"c": 1, "d": 2},
        "e": 3,
    }


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({}, "names no image"),
        ({"imag": "x"}, "has no key 'imag'; known are image, "),
        ({"image": "UPPER CASE", "serve": "h:1"}, "no name of a container image"),
        ({"image": "a:1"}, "needs either `shared`"),
        ({"image": "a:1", "serve": "h:1", "shared": [{"path": "/a", "claim": "c"}]}, "needs either `shared`"),
        ({"image": "a:1", "shared": [{"path": "a", "claim": "c"}]}, "no absolute path"),
        ({"image": "a:1", "shared": [{"path": "/a"}]}, "needs either `claim` or `host_path`"),
        ({"image": "a:1", "serve": "10.0.0.5"}, "no address"),
        ({"image": "a:1", "serve": "h:99999"}, "no address"),
        ({"image": "a:1", "serve": "h:1", "reach": "ftp://x"}, "no URL"),
        ({"image": "a:1", "serve": "h:1", "namespace": "a b"}, "no name of a namespace"),
        ({"image": "a:1", "serve": "h:1", "secrets": {"A": "b"}}, 'write A = "SECRET/KEY"'),
        ({"image": "a:1", "serve": "h:1", "labels": {"lockgate/key": "x"}}, "Lockgate's own"),
        ({"image": "a:1", "serve": "h:1", "labels": {"a": "ä"}}, "no label"),
        ({"image": "a:1", "serve": "h:1", "pod": {"restartPolicy": "Always"}}, "starts a job again, once"),
        ({"image": "a:1", "serve": "h:1", "keep_s": 1}, "at least 60"),
        ({"image": 7, "serve": "h:1"}, "image: expected `str"),
        ({"image": "a:1", "serve": "h:1", "runtime": "none"}, "runtime"),
    ],
)
def test_options_are_refused_in_words(table: Mapping[str, object], words: str) -> None:
    said = read_options(table)
    assert isinstance(said, str) and words in said, said


@pytest.mark.parametrize(
    "image", ["python:3.11", "localhost:5000/a/b", IMAGE, "ghcr.io/a/b:1@sha256:" + "0" * 64, "a__b--c"]
)
def test_images_as_they_are_written(image: str) -> None:
    assert isinstance(read_options({"image": image, "serve": "h:1"}), Options)


def test_checks_have_an_image_of_their_own_and_the_hubs_runtime_in_it() -> None:
    def of(stage: str, **more: object) -> Options | str:
        options: dict[str, object] = {**SHARED, **more}
        return options_of_job(Job("01RUN", stage, "/srv/hub/runs/1/jobs/1", Resources(), options))

    own = of("check@data/x.csv", runtime="image", checks_image="python:3.11-slim")
    assert isinstance(own, Options)
    assert (own.image, own.runtime) == ("python:3.11-slim", "hub")
    other = of("train", runtime="image", checks_image="python:3.11-slim")
    assert isinstance(other, Options)
    assert (other.image, other.runtime) == (IMAGE, "image")
    refused = of("check@data/x.csv", runtime="image")
    assert isinstance(refused, str) and "checks_image" in refused
    plain = of("check@data/x.csv")
    assert isinstance(plain, Options) and plain.image == IMAGE
    wrong = of("train", checks_image="a b")
    assert isinstance(wrong, str) and "checks_image" in wrong


def _spec(job: dict[str, object]) -> dict[str, object]:
    spec: dict[str, object] = job["spec"]["template"]["spec"]  # type: ignore[index]
    return spec


def _container(job: dict[str, object]) -> dict[str, object]:
    container: dict[str, object] = _spec(job)["containers"][0]  # type: ignore[index]
    return container


def _expanded(word: str, variables: dict[str, str]) -> str:
    """Expand as the kubelet does (kubernetes, third_party/forked/golang/expansion, Expand)."""
    said, at = [], 0
    while at < len(word):
        if word[at] == "$" and at + 1 < len(word):
            if word[at + 1] == "$":
                said.append("$")
                at += 2
                continue
            closing = word.find(")", at)
            if word[at + 1] == "(" and closing > 0:
                name = word[at + 2 : closing]
                said.append(variables.get(name, f"$({name})"))
                at = closing + 1
                continue
        said.append(word[at])
        at += 1
    return "".join(said)
