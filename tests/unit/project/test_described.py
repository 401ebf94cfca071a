"""The table of a described batch system: what is refused, where, and in which words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.errors import UserError
from lockgate.project.described import is_described, mistake, parse_description
from lockgate.project.manifest import parse_manifest

STAGE = '[stages.a]\nrun = "x"\n'
LINES = {
    "submit": '"qsub -N {name} {script}"',
    "submitted": r"'^(?P<id>\d+)'",
    "status": '"qstat -x {ids}"',
    "line": r"'^(?P<id>\d+) (?P<name>\S+) (?P<state>[A-Z])'",
    "pending": '["Q", "H"]',
    "running": '["R"]',
    "cancel": '"qdel {ids}"',
}


def manifest(**changes: str | None) -> str:
    lines = {**LINES, **changes}
    table = "".join(f"{key} = {value}\n" for key, value in lines.items() if value is not None)
    return f"{STAGE}[batch.q]\n{table}"


def said(text: str) -> str:
    with pytest.raises(UserError) as caught:
        parse_manifest(text)
    return str(caught.value).replace("\n  ", " / ")


def test_what_it_takes() -> None:
    parse_manifest(manifest())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"cancle": '"qdel {ids}"'},
            'lockgate.toml:11: [batch.q]: unknown key "cancle" / Did you mean "cancel"?',
        ),
        ({"line": None}, "lockgate.toml:3: [batch.q]: line is missing"),
        ({"line": "'(?P<id>'"}, "lockgate.toml:7: [batch.q]: line is no regular expression: missing )"),
        ({"line": r"'(?P<id>\d)'"}, "line has no group `state` / Write (?P<state>…) around it."),
        ({"line": r"'(?P<id>.)(?P<state>.)(?P<who>.)'"}, "has a group `who`, which means nothing"),
        ({"submitted": r"'\d+'"}, "lockgate.toml:5: [batch.q]: submitted has no group `id`"),
        (
            {"submit": '"qsub {script} {cpu}"'},
            "lockgate.toml:4: [batch.q]: submit has an unknown placeholder {cpu}",
        ),
        ({"submit": '"qsub {name}"'}, "submit does not say where {script} goes"),
        ({"submit": '''"qsub '{script}"'''}, "submit has a quotation mark without its partner"),
        ({"submit": '"{script} x"'}, "submit does not begin with a program"),
        ({"submit": '''"sh -c 'qsub {script}'"'''}, "has a placeholder in a shell's script"),
        ({"submit": '"qsub {with_memory} {script}"'}, "names {with_memory}, which is not there"),
        ({"with_memory": '"-l {memory_mb}"'}, "lockgate.toml:11: [batch.q]: with_memory is never used"),
        ({"with_memory": '"-l many"'}, "with_memory holds no placeholder"),
        ({"submit": "1"}, "submit is not text in quotes"),
        ({"status": '" "'}, "status is empty"),
        ({"status": '"qstat {id}"'}, "status has an unknown placeholder {id}"),
        ({"cancel": '"qdel"'}, "cancel does not say where {ids} or {id} goes"),
        ({"cancel": '"qdel {id} {ids}"'}, "cancel has both {ids} and {id}"),
        ({"running": None}, "running is missing or empty"),
        ({"ended": '["Q"]'}, '"Q" is in pending and in ended'),
        ({"causes": '{ T = "late" }'}, "causes.T is no cause / Known here: memory, walltime"),
        ({"timeout": '"soon"'}, "timeout is not a duration from 1 s to 1 d"),
        ({"environment": "{ A = 1 }"}, "environment.A cannot be a variable"),
        (
            {"find": '"qstat -N {names}"', "line": r"'(?P<id>\d) (?P<state>.)'"},
            "needs the group `name` in line",
        ),
        ({"array": '{ submit = "qsub {script}", variable = "N" }'}, "array.submit does not say how many"),
        ({"array": '{ submit = "qsub {script} {count}" }'}, "array.variable is missing"),
        (
            {"array": '{ submit = "qsub {script} {count}", variable = "N", id = "{id}" }'},
            "array.id does not have {id} and {index}",
        ),
    ],
)
def test_mistakes_in_words(changes: dict[str, str | None], words: str) -> None:
    assert words in said(manifest(**changes))


def test_a_table_without_submit_is_settings() -> None:
    assert not is_described({"partition": "cpu"})
    assert mistake("slurm", {"partition": "cpu", "line": 1}) is None


def test_braces_that_are_no_placeholder_are_left_alone() -> None:
    status = """'''sh -c "qstat | awk '{print $1} {2}'"'''"""
    parse_manifest(manifest(status=status))


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*LINES, "array", "causes", "environment", "find", "ended"]), _VALUES))
def test_any_table_is_taken_or_refused_in_words(table: dict[str, object]) -> None:
    table = {"submit": "qsub {script}", **table}
    wrong = mistake("q", table)
    if wrong is None:
        parse_description("q", table)
    else:
        assert wrong.message.startswith("[batch.q]: ") and wrong.hint
