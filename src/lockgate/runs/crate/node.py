"""Nodes of an RO-Crate's graph: the identities they have, and references to them."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

from lockgate.runs.crate.contents import Crate
from lockgate.runs.record import Artifact, StageRecord

Node = dict[str, object]

#: Lockgate itself, as software that led the run.
ENGINE = "#lockgate"


def node_id(path: str) -> str:
    """Return the identity of a file or folder of the crate."""
    return quote(path, safe="/")


def input_id(path: str) -> str:
    return f"#input/{quote(path)}"


def output_id(artifact: Artifact) -> str:
    return f"#output/{quote(artifact.path)}"


def tool_id(stage: StageRecord) -> str:
    return f"#command/{quote(stage.stage)}"


def step_id(workflow: str, stage: StageRecord) -> str:
    return f"{node_id(workflow)}#{quote(stage.stage)}"


def action_id(stage: StageRecord) -> str:
    return f"#run/{stage.run}/{quote(stage.stage)}"


def run_id(crate: Crate) -> str:
    """Return the identity of the run whose results are given."""
    return f"#run/{crate.main.id}"


def member_id(name: str) -> str:
    return f"#member/{quote(name)}"


def ref(identity: str) -> Node:
    return {"@id": identity}


def refs(identities: Iterable[str]) -> Node | list[Node]:
    """Return references, each once; one alone as itself, as the specification wants it."""
    found = [ref(identity) for identity in dict.fromkeys(identities)]
    return found[0] if len(found) == 1 else found
