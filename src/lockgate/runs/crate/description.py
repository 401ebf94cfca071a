"""`ro-crate-metadata.json`: a run in the words of RO-Crate, as the Provenance Run Crate profile wants them.

RO-Crate 1.1 (https://w3id.org/ro/crate/1.1), Workflow RO-Crate 1.0 and the Process, Workflow and Provenance
Run Crate profiles 0.5 (https://w3id.org/ro/wfrun/provenance/0.5).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import quote

from lockgate.project.pipeline import MANIFEST_FILE
from lockgate.runs.crate.actions import Actions
from lockgate.runs.crate.contents import METADATA, RUNTIME, Crate, params_of
from lockgate.runs.crate.entities import Entities
from lockgate.runs.crate.node import (
    ENGINE,
    Node,
    action_id,
    input_id,
    member_id,
    node_id,
    output_id,
    ref,
    refs,
    run_id,
    step_id,
    tool_id,
)

_CONTEXT = ["https://w3id.org/ro/crate/1.1/context", "https://w3id.org/ro/terms/workflow-run/context"]
_SPECIFICATION = "https://w3id.org/ro/crate/1.1"
_PROFILES = (
    ("https://w3id.org/ro/wfrun/process/0.5", "Process Run Crate", "0.5"),
    ("https://w3id.org/ro/wfrun/workflow/0.5", "Workflow Run Crate", "0.5"),
    ("https://w3id.org/ro/wfrun/provenance/0.5", "Provenance Run Crate", "0.5"),
    ("https://w3id.org/workflowhub/workflow-ro-crate/1.0", "Workflow RO-Crate", "1.0"),
)
_PARAMETER_PROFILE = "https://bioschemas.org/profiles/FormalParameter/1.0-RELEASE"
_WORKFLOW_PROFILE = "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"
_LANGUAGE = "#lockgate.toml"


def describe(crate: Crate) -> bytes:
    """Return the file's bytes; the same crate gives the same bytes."""
    graph = [_descriptor(), *_Graph(crate).nodes()]
    text = json.dumps({"@context": _CONTEXT, "@graph": graph}, indent=2, ensure_ascii=False)
    return text.encode() + b"\n"


class _Graph:
    def __init__(self, crate: Crate) -> None:
        self._crate = crate
        self._entities = Entities(crate)

    def nodes(self) -> Iterator[Node]:
        yield self._root()
        yield from self._profiles()
        yield self._workflow_file()
        yield from self._entities.nodes()
        yield from self._people()
        yield from self._software()
        yield from self._formal_parameters()
        yield from Actions(self._crate, self._entities).nodes()

    def _root(self) -> Node:
        crate, about = self._crate, self._crate.about
        root: Node = {
            "@id": "./",
            "@type": "Dataset",
            "name": about.title,
            "description": about.description,
            "datePublished": crate.main.ended_at,
            "license": self._licence(),
            "conformsTo": refs(uri for uri, _, _ in _PROFILES),
            "mainEntity": ref(self._entities.workflow),
            "hasPart": refs(self._entities.parts()),
            "mentions": refs(
                [
                    run_id(self._crate),
                    *(action_id(stage) for stage in crate.stages),
                    "#organization-of-stages",
                ]
                + [f"#verification/{each.by_run}" for each in crate.verdicts]
            ),
            "identifier": f"urn:lockgate:run:{crate.main.id}",
            "version": crate.main.result,
        }
        if about.authors:
            root["author"] = refs(self._author_id(n) for n in range(len(about.authors)))
        return root

    def _licence(self) -> object:
        about = self._crate.about
        if about.licence is not None:
            return ref(f"https://spdx.org/licenses/{quote(about.licence)}")
        if about.licence_file is not None:
            return ref(node_id(about.licence_file))
        return "The project states no licence: ask its owners before using it"

    def _profiles(self) -> Iterator[Node]:
        for uri, name, version in _PROFILES:
            yield {"@id": uri, "@type": "CreativeWork", "name": name, "version": version}
        if self._crate.about.licence is not None:
            name = self._crate.about.licence
            yield {
                "@id": f"https://spdx.org/licenses/{quote(name)}",
                "@type": "CreativeWork",
                "name": name,
                "identifier": name,
            }

    def _workflow_file(self) -> Node:
        found = next((file for file in self._crate.files if file.path == self._entities.workflow), None)
        node: Node = {
            **(self._entities.file(found) if found is not None else {"@id": self._entities.workflow}),
            "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
            "name": f"Pipeline of {self._crate.project}",
            "conformsTo": ref(_WORKFLOW_PROFILE),
            "programmingLanguage": ref(_LANGUAGE),
            "version": self._crate.main.snapshot,
            "license": self._licence(),
            "hasPart": refs(tool_id(stage) for stage in self._crate.stages),
            "step": refs(step_id(self._entities.workflow, stage) for stage in self._crate.stages),
            "input": refs(self._parameters()),
            "output": refs(output_id(artifact) for artifact in self._entities.artifacts),
        }
        if RUNTIME in self._entities.paths:
            node["softwareRequirements"] = ref(RUNTIME)
        return node

    def _people(self) -> Iterator[Node]:
        ran = {stage.member for stage in self._crate.stages} | {self._crate.main.member}
        for name in sorted(ran | {each.by for each in self._crate.verdicts}):
            yield {"@id": member_id(name), "@type": "Person", "name": name}
        for number, author in enumerate(self._crate.about.authors):
            yield {"@id": self._author_id(number), "@type": "Person", "name": author.name}

    def _author_id(self, number: int) -> str:
        author = self._crate.about.authors[number]
        return author.orcid or f"#author/{number + 1}"

    def _software(self) -> Iterator[Node]:
        yield {
            "@id": ENGINE,
            "@type": "SoftwareApplication",
            "name": "Lockgate",
            "softwareVersion": self._crate.version,
            "description": f"The hub that ran it signs with {self._crate.hub}",
        }
        yield {
            "@id": _LANGUAGE,
            "@type": "ComputerLanguage",
            "name": "Lockgate pipeline" if self._entities.workflow == MANIFEST_FILE else "DVC pipeline",
            "alternateName": self._entities.workflow,
        }
        for stage in self._crate.stages:
            yield {
                "@id": tool_id(stage),
                "@type": "SoftwareApplication",
                "name": stage.stage,
                "description": stage.command,
                "softwareVersion": self._crate.main.snapshot,
            }

    def _parameters(self) -> list[str]:
        names = [f"#parameter/{quote(name)}" for name in params_of(self._crate.stages)]
        return [*(input_id(path) for path, _ in self._entities.sources), *names]

    def _formal_parameters(self) -> Iterator[Node]:
        yield {"@id": _PARAMETER_PROFILE, "@type": "CreativeWork", "name": "FormalParameter profile"}
        yield {"@id": _WORKFLOW_PROFILE, "@type": "CreativeWork", "name": "ComputationalWorkflow profile"}
        for path in dict.fromkeys(path for path, _ in self._entities.sources):
            kind = "Dataset" if self._entities.data.get(path, "").endswith(".dir") else "File"
            yield _formal(input_id(path), path, kind, _example(self._entities.of_source(path)))
        for artifact in self._entities.artifacts:
            kind = "Dataset" if artifact.md5.endswith(".dir") else "File"
            example = _example(self._entities.of_artifact(artifact))
            yield _formal(output_id(artifact), artifact.path, kind, example)
        for name, value in params_of(self._crate.stages).items():
            parameter, given = f"#parameter/{quote(name)}", f"#value/{quote(name)}"
            yield _formal(parameter, name, _scalar_type(value), _example(given))
            yield {
                "@id": given,
                "@type": "PropertyValue",
                "name": name,
                "value": str(value),
                "exampleOfWork": ref(parameter),
            }


def _descriptor() -> Node:
    return {
        "@id": METADATA,
        "@type": "CreativeWork",
        "about": ref("./"),
        "conformsTo": [ref(_SPECIFICATION), ref("https://w3id.org/workflowhub/workflow-ro-crate/1.0")],
    }


def _formal(identity: str, name: str, kind: str, example: Node) -> Node:
    return {
        "@id": identity,
        "@type": "FormalParameter",
        "conformsTo": ref(_PARAMETER_PROFILE),
        "name": name,
        "additionalType": kind,
        **example,
    }


def _example(identity: str) -> Node:
    return {"workExample": ref(identity)}


def _scalar_type(value: object) -> str:
    if isinstance(value, bool):
        return "Boolean"
    if isinstance(value, int):
        return "Integer"
    return "Float" if isinstance(value, float) else "Text"
