"""What a push asks for."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.errors import UserError
from lockgate.hub.push import (
    ABSENT,
    OPTIONS,
    PROPOSALS,
    SNAPSHOTS,
    Options,
    Update,
    describe,
    parse_options,
    parse_updates,
    runs_asked,
)

A, B = "a" * 40, "b" * 40
RUN = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


def environment(*words: str) -> dict[str, str]:
    found = {f"GIT_PUSH_OPTION_{number}": word for number, word in enumerate(words)}
    return {**found, "GIT_PUSH_OPTION_COUNT": str(len(words)), "HOME": "/root"}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], Options()),
        (["wait"], Options(is_wait=True)),
        (["skip", "wait"], Options(is_wait=True, is_skip=True)),
        (["progress=json"], Options(is_json=True)),
        (["only=a"], Options(only=("a",))),
        (["only=a,b,", "only=c"], Options(only=("a", "b", "c"))),
        (["force=train@depth=4,rate=0.1"], Options(force=("train@depth=4,rate=0.1",))),
        (["backend=slurm"], Options(backend="slurm")),
        (["backend=slurm", "backend=local"], Options(backend="local")),
        (["param.depth=8"], Options(params={"depth": "8"})),
        (["param.train.depth=8=9"], Options(params={"train.depth": "8=9"})),
        (["dry-run"], Options(is_dry_run=True)),
        (
            ["memory=2 GB", "walltime=30 min", "cpus=4"],
            Options(memory_bytes=2 * 10**9, walltime_s=1800, cpus=4),
        ),
        (["memory=1 GB", "memory=2GiB"], Options(memory_bytes=2 << 30)),
        (["param.name="], Options(params={"name": ""})),
        (["param.a=1", "param.a=2"], Options(params={"a": "2"})),
    ],
)
def test_options(words: list[str], expected: Options) -> None:
    assert parse_options(environment(*words)) == expected


@pytest.mark.parametrize(
    "word",
    [
        *("", "Wait", "wait=yes", "wait ", "only", "only=", "only=,", "backend=", "backend"),
        *("progress=xml", "param.=1", "param.a", "param", "a\nb"),
    ],
)
def test_no_such_option(word: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_options(environment("wait", word))
    assert caught.value.code == "push-option"
    assert all(option in caught.value.hint for option in OPTIONS)


def test_without_options() -> None:
    assert parse_options({}) == parse_options({"GIT_PUSH_OPTION_COUNT": ""}) == Options()


words = st.text(max_size=20) | st.builds(
    "{}={}".format,
    st.sampled_from(["only", "force", "backend", "param.x", "param.", "progress", "wait"]),
    st.text(max_size=10),
)


@given(st.lists(words, max_size=4))
def test_any_option_is_taken_or_refused(words: list[str]) -> None:
    try:
        options = parse_options(environment(*words))
    except UserError as error:
        assert error.code == "push-option"
        return
    assert all(options.only) and all(options.force)
    for word in words:
        name, _, value = word.partition("=")
        if name.startswith("param."):
            assert name.removeprefix("param.") in options.params
        elif name in ("only", "force"):
            assert getattr(options, name)
            assert "".join(value.split(",")) in "".join(getattr(options, name)).replace(",", "")


@pytest.mark.parametrize(
    ("old", "new", "ref", "action", "run"),
    [
        (A, B, "refs/heads/main", "run", None),
        (ABSENT, B, "refs/heads/feature/x", "run", None),
        (A, ABSENT, "refs/heads/main", "keep", None),
        (A, B, "refs/tags/v1", "keep", None),
        (A, B, "refs/notes/commits", "keep", None),
        (A, B, "refs/headsish", "keep", None),
        (ABSENT, B, f"{SNAPSHOTS}ana/{RUN}", "run", RUN),
        (ABSENT, B, f"{SNAPSHOTS}ana.b@x+y_z-1/{RUN}", "run", RUN),
    ],
)
def test_updates(old: str, new: str, ref: str, action: str, run: str | None) -> None:
    (update,) = parse_updates([f"{old} {new} {ref}\n"])
    assert update == Update(old, new, ref, action, run)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("old", "new", "ref"),
    [
        (ABSENT, A, "refs/lockgate/activity"),
        (A, ABSENT, "refs/lockgate/activity"),
        (ABSENT, A, f"refs/lockgate/queue/{RUN}"),
        (A, B, f"{SNAPSHOTS}ana/{RUN}"),
        (A, ABSENT, f"{SNAPSHOTS}ana/{RUN}"),
        (ABSENT, A, f"{SNAPSHOTS}{RUN}"),
        (ABSENT, A, f"{SNAPSHOTS}ana/{RUN.lower()}"),
        (ABSENT, A, f"{SNAPSHOTS}ana/{RUN}X"),
        (ABSENT, A, f"{SNAPSHOTS}ana/more/{RUN}"),
        (ABSENT, A, f"{SNAPSHOTS}ana/{'8' + RUN[1:]}"),
        (ABSENT, A, f"{SNAPSHOTS}/{RUN}"),
        (ABSENT, A, f"{SNAPSHOTS}é/{RUN}"),
    ],
)
def test_what_the_hub_alone_writes(old: str, new: str, ref: str) -> None:
    with pytest.raises(UserError, match="is written by the hub alone") as caught:
        parse_updates([f"{old} {new} {ref}\n"])
    assert caught.value.code == "ref-reserved"


ids = st.sampled_from([ABSENT, A, B])
refs = st.text(st.characters(exclude_characters="\n")).map("refs/".__add__) | st.builds(
    "{}{}".format,
    st.sampled_from(["refs/heads/", "refs/lockgate/", SNAPSHOTS, f"{SNAPSHOTS}ana/", "refs/tags/"]),
    st.text(st.characters(exclude_characters="\n"), max_size=10) | st.just(RUN),
)


@given(st.lists(st.tuples(ids, ids, refs), max_size=5))
def test_any_push_is_judged_or_refused(lines: list[tuple[str, str, str]]) -> None:
    try:
        updates = parse_updates([f"{old} {new} {ref}\n" for old, new, ref in lines])
    except UserError as error:
        assert error.code == "ref-reserved"
        assert any(ref.startswith("refs/lockgate/") for _, _, ref in lines)
        return
    assert [(update.old, update.new, update.ref) for update in updates] == lines
    for update in updates:
        if update.ref.startswith("refs/lockgate/"):
            assert re.fullmatch(rf"{SNAPSHOTS}[A-Za-z0-9._@+-]+/[0-9A-Z]{{26}}", update.ref)
            assert update.old == ABSENT != update.new
        assert (update.action == "run") <= (update.new != ABSENT)


def test_nothing_pushed_is_nothing_asked() -> None:
    assert parse_updates([]) == parse_updates(["\n"]) == []


def test_each_branch_runs_unless_skipped() -> None:
    updates = parse_updates([f"{A} {B} refs/heads/a\n", f"{A} {B} refs/heads/b\n", f"{A} {B} refs/tags/c\n"])
    assert runs_asked(updates, Options()) == updates[:2]
    assert runs_asked(updates, Options(is_skip=True)) == []


@pytest.mark.parametrize(
    ("ref", "words"),
    [
        ("refs/heads/feature/x", "feature/x"),
        (f"{SNAPSHOTS}ana/{RUN}", "your work tree"),
        (f"{PROPOSALS}ana/{RUN}", f"proposal {RUN[-8:]}"),
        ("refs/tags/v1", "refs/tags/v1"),
    ],
)
def test_refs_in_words(ref: str, words: str) -> None:
    assert describe(ref) == words


@pytest.mark.parametrize(
    "word",
    [
        *("memory=", "memory=2", "memory=0 B", "memory=-1 GB", "memory=999999999999999 PB", "walltime=0 s"),
        *(
            "walltime=5",
            "walltime=soon",
            "cpus=0",
            "cpus=1.5",
            "cpus=",
            "cpus=-2",
            "cpus=9999999999",
            "cpus=４",
        ),
    ],
)
def test_an_amount_that_is_none_is_refused(word: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_options(environment(word))
    assert caught.value.code == "resource-invalid"
    assert word.partition("=")[0] in caught.value.message


_names = st.text("abc@=._-9", min_size=1)


@given(
    st.builds(
        Options,
        is_wait=st.booleans(),
        is_skip=st.booleans(),
        is_json=st.booleans(),
        is_dry_run=st.booleans(),
        params=st.dictionaries(_names.filter(lambda name: "=" not in name), st.text()),
        only=st.lists(_names, max_size=3).map(tuple),
        force=st.lists(_names, max_size=3).map(tuple),
        backend=st.none() | st.text("abc", min_size=1),
        memory_bytes=st.none() | st.integers(1, 10**15 - 1),
        walltime_s=st.none() | st.integers(1, 10**12 - 1),
        cpus=st.none() | st.integers(1, 10**9 - 1),
    )
)
def test_options_as_words_are_read_back(options: Options) -> None:
    assert parse_options(environment(*options.words())) == options


def test_a_journal_is_stored_and_never_run() -> None:
    (update,) = parse_updates([f"{ABSENT} {A} refs/lockgate/journals/ana@x.org/host-ab12cd\n"])
    assert update.action == "keep"


@pytest.mark.parametrize("ref", ["refs/lockgate/journals/ana", "refs/lockgate/journals/ana/b/c"])
def test_a_journal_has_a_member_and_a_device(ref: str) -> None:
    with pytest.raises(UserError, match="is written by the hub alone"):
        parse_updates([f"{ABSENT} {A} {ref}\n"])
