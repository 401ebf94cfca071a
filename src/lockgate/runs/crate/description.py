"""`ro-crate-metadata.json`: a run in the words of RO-Crate, as the Provenance Run Crate profile wants them.

RO-Crate 1.1 (https://w3id.org/ro/crate/1.1), Workflow RO-Crate 1.0 and the Process, Workflow and Provenance
Run Crate profiles 0.5 (https://w3id.org/ro/wfrun/provenance/0.5).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote

from lockgate.project.pipeline import MANIFEST_FILE
from lockgate.runs.crate.contents import (
    ARTIFACTS,
    BUNDLE,
    DATA,
    METADATA,
    README,
    RUNTIME,
    SOURCES,
    Crate,
    CrateFile,
    Taken,
    began_at,
    md5_in,
    sources_of,
)
from lockgate.runs.record import Artifact, StageRecord
from lockgate.runs.runid import short

Node = dict[str, object]

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
_STATES = {"succeeded": "CompletedActionStatus", "failed": "FailedActionStatus"}
_ENGINE, _LANGUAGE = "#lockgate", "#lockgate.toml"


def describe(crate: Crate) -> bytes:
    """Return the file's bytes; the same crate gives the same bytes."""
    graph = [_descriptor(), *_Graph(crate).nodes()]
    text = json.dumps({"@context": _CONTEXT, "@graph": graph}, indent=2, ensure_ascii=False)
    return text.encode() + b"\n"


class _Graph:
    def __init__(self, crate: Crate) -> None:
        self._crate = crate
        self._paths = {file.path for file in crate.files}
        self._workflow = MANIFEST_FILE if MANIFEST_FILE in self._paths else "dvc.yaml"
        self._sources = sources_of(crate.stages)
        of_md5 = {file.md5: file.path for file in reversed(crate.files)}
        self._data = {path: md5 for path, identity in self._sources if (md5 := md5_in(identity)) is not None}
        self._data_entities = {
            path: self._entity_of_data(path, md5, of_md5) for path, md5 in self._data.items()
        }
        self._artifacts = [artifact for stage in crate.stages for artifact in stage.artifacts]

    def nodes(self) -> Iterator[Node]:
        yield self._root()
        yield from self._profiles()
        yield self._workflow_file()
        for file in self._crate.files:
            if file.path != self._workflow:
                yield self._file(file)
        yield from self._folders()
        yield from self._data_nodes()
        yield from self._taken()
        yield from self._people()
        yield from self._software()
        yield from self._formal_parameters()
        yield from self._steps()
        yield self._workflow_action()
        yield from self._stage_actions()
        yield self._organize_action()
        yield from self._verdicts()

    def _root(self) -> Node:
        crate, about = self._crate, self._crate.about
        root: Node = {
            "@id": "./",
            "@type": "Dataset",
            "name": about.title,
            "description": about.description,
            "datePublished": crate.main.ended_at,
            "license": self._licence(),
            "conformsTo": _refs(uri for uri, _, _ in _PROFILES),
            "mainEntity": _ref(self._workflow),
            "hasPart": _refs(
                [*(_id(file.path) for file in crate.files), *map(self._folder_id, self._made())]
                + [_id(f"{DATA}{path}/") for path in self._data if self._below(path)]
            ),
            "mentions": _refs(
                [
                    self._run_id(),
                    *(self._action_id(stage) for stage in crate.stages),
                    "#organization-of-stages",
                ]
                + [f"#verification/{each.by_run}" for each in crate.verdicts]
            ),
            "identifier": f"urn:lockgate:run:{crate.main.id}",
            "version": crate.main.result,
        }
        if about.authors:
            root["author"] = _refs(self._author_id(n) for n in range(len(about.authors)))
        return root

    def _licence(self) -> object:
        about = self._crate.about
        if about.licence is not None:
            return _ref(f"https://spdx.org/licenses/{quote(about.licence)}")
        if about.licence_file is not None:
            return _ref(_id(about.licence_file))
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
        found = next((file for file in self._crate.files if file.path == self._workflow), None)
        node: Node = {
            **(self._file(found) if found is not None else {"@id": self._workflow}),
            "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
            "name": f"Pipeline of {self._crate.project}",
            "conformsTo": _ref(_WORKFLOW_PROFILE),
            "programmingLanguage": _ref(_LANGUAGE),
            "version": self._crate.main.snapshot,
            "license": self._licence(),
            "hasPart": _refs(self._tool_id(stage) for stage in self._crate.stages),
            "step": _refs(self._step_id(stage) for stage in self._crate.stages),
            "input": _refs(self._parameters()),
            "output": _refs(self._output_id(artifact) for artifact in self._artifacts),
        }
        if RUNTIME in self._paths:
            node["softwareRequirements"] = _ref(RUNTIME)
        return node

    def _file(self, file: CrateFile) -> Node:
        node: Node = {
            "@id": _id(file.path),
            "@type": "File",
            "name": file.name,
            "contentSize": str(file.size_bytes),
            "sha256": file.sha256,
            "encodingFormat": file.media_type or "application/octet-stream",
        }
        if file.md5 is not None:
            node["md5"] = file.md5
        if file.path == README:
            node["about"] = _ref("./")
        artifact = next((a for a in self._artifacts if ARTIFACTS + a.path == file.path), None)
        if artifact is not None:
            node["exampleOfWork"] = _ref(self._output_id(artifact))
        elif file.path.startswith(SOURCES):
            node["exampleOfWork"] = _ref(self._input_id(file.path.removeprefix(SOURCES)))
        examples = [path for path, entity in self._data_entities.items() if entity == node["@id"]]
        if examples:
            node["exampleOfWork"] = _refs(map(self._input_id, examples))
        if file.path.startswith(DATA):
            node |= self._based_on(file.path.removeprefix(DATA))
        return node

    def _entity_of_data(self, path: str, md5: str, of_md5: Mapping[str | None, str]) -> str:
        """Return the file or folder that is data of the crate; what is not in it is known by its digest."""
        if DATA + path in self._paths:
            return _id(DATA + path)
        if self._below(path):
            return _id(f"{DATA}{path}/")
        return _id(of_md5[md5]) if md5 in of_md5 else f"urn:md5:{md5}"

    def _below(self, path: str) -> list[str]:
        """Return the files of the crate that are those of a folder of data."""
        return sorted(file for file in self._paths if file.startswith(f"{DATA}{path}/"))

    def _data_nodes(self) -> Iterator[Node]:
        """Data that is a folder, and what of it is not here."""
        for path, md5 in self._data.items():
            below = self._below(path)
            entity = self._data_entities[path]
            if entity.startswith("urn:"):
                said: Node = {"@type": "CreativeWork", "description": f"Data that is not here, md5 {md5}"}
            elif below:
                said = {"@type": "Dataset", "hasPart": _refs(map(_id, below))}
                said["description"] = f"A folder of {len(below)} files, md5 of its listing {md5}"
            else:
                continue
            example: Node = {"exampleOfWork": _ref(self._input_id(path))}
            yield {"@id": entity, "name": path, **said, **example, **self._based_on(path)}

    def _based_on(self, path: str) -> Node:
        """Where data was imported from, for a dataset, or a file of one."""
        sources = [_source_id(each) for each in self._crate.taken if f"{path}/".startswith(f"{each.path}/")]
        return {"isBasedOn": _refs(sources)} if sources else {}

    def _taken(self) -> Iterator[Node]:
        for each in {_source_id(each): each for each in self._crate.taken}.values():
            yield {
                "@id": _source_id(each),
                "@type": "CreativeWork",
                "name": each.source,
                "description": "A dataset of another project, which data here was imported from",
                "version": each.commit,
            }

    def _made(self) -> list[Artifact]:
        """Return the artifacts that are folders with something of theirs in the crate."""
        return [
            artifact
            for artifact in self._artifacts
            if any(path.startswith(f"{ARTIFACTS}{artifact.path}/") for path in self._paths)
        ]

    def _folder_id(self, artifact: Artifact) -> str:
        return _id(f"{ARTIFACTS}{artifact.path}/")

    def _folders(self) -> Iterator[Node]:
        for artifact in self._made():
            prefix = f"{ARTIFACTS}{artifact.path}/"
            yield {
                "@id": self._folder_id(artifact),
                "@type": "Dataset",
                "name": artifact.path,
                "description": f"A folder of {artifact.file_count} files, md5 of its listing {artifact.md5}",
                "hasPart": _refs(_id(path) for path in sorted(self._paths) if path.startswith(prefix)),
                "exampleOfWork": _ref(self._output_id(artifact)),
            }
        for artifact in self._artifacts:
            if artifact.path not in {a.path for a in self._made()} and not self._has(artifact):
                yield {
                    "@id": self._entity_of(artifact),
                    "@type": "CreativeWork",
                    "name": artifact.path,
                    "description": f"{artifact.size_bytes} bytes that are not here, md5 {artifact.md5}",
                    "exampleOfWork": _ref(self._output_id(artifact)),
                }

    def _has(self, artifact: Artifact) -> bool:
        return ARTIFACTS + artifact.path in self._paths

    def _entity_of(self, artifact: Artifact) -> str:
        if self._has(artifact):
            return _id(ARTIFACTS + artifact.path)
        prefix = f"{ARTIFACTS}{artifact.path}/"
        if any(path.startswith(prefix) for path in self._paths):
            return self._folder_id(artifact)
        return f"urn:md5:{artifact.md5}"

    def _people(self) -> Iterator[Node]:
        ran = {stage.member for stage in self._crate.stages} | {self._crate.main.member}
        for name in sorted(ran | {each.by for each in self._crate.verdicts}):
            yield {"@id": self._member_id(name), "@type": "Person", "name": name}
        for number, author in enumerate(self._crate.about.authors):
            yield {"@id": self._author_id(number), "@type": "Person", "name": author.name}

    def _author_id(self, number: int) -> str:
        author = self._crate.about.authors[number]
        return author.orcid or f"#author/{number + 1}"

    def _member_id(self, name: str) -> str:
        return f"#member/{quote(name)}"

    def _software(self) -> Iterator[Node]:
        yield {
            "@id": _ENGINE,
            "@type": "SoftwareApplication",
            "name": "Lockgate",
            "softwareVersion": self._crate.version,
            "description": f"The hub that ran it signs with {self._crate.hub}",
        }
        yield {
            "@id": _LANGUAGE,
            "@type": "ComputerLanguage",
            "name": "Lockgate pipeline" if self._workflow == MANIFEST_FILE else "DVC pipeline",
            "alternateName": self._workflow,
        }
        for stage in self._crate.stages:
            yield {
                "@id": self._tool_id(stage),
                "@type": "SoftwareApplication",
                "name": stage.stage,
                "description": stage.command,
                "softwareVersion": self._crate.main.snapshot,
            }

    def _parameters(self) -> list[str]:
        names = [f"#parameter/{quote(name)}" for name in self._params()]
        return [*(self._input_id(path) for path, _ in self._sources), *names]

    def _params(self) -> dict[str, object]:
        found: dict[str, object] = {}
        for stage in self._crate.stages:
            found |= {f"{stage.stage}:{name}": value for name, value in stage.params.items()}
        return dict(sorted(found.items()))

    def _formal_parameters(self) -> Iterator[Node]:
        yield {"@id": _PARAMETER_PROFILE, "@type": "CreativeWork", "name": "FormalParameter profile"}
        yield {"@id": _WORKFLOW_PROFILE, "@type": "CreativeWork", "name": "ComputationalWorkflow profile"}
        for path in dict.fromkeys(path for path, _ in self._sources):
            kind = "Dataset" if self._data.get(path, "").endswith(".dir") else "File"
            yield _formal(self._input_id(path), path, kind, _example(self._source_entity(path)))
        for artifact in self._artifacts:
            kind = "Dataset" if artifact.md5.endswith(".dir") else "File"
            example = _example(self._entity_of(artifact))
            yield _formal(self._output_id(artifact), artifact.path, kind, example)
        for name, value in self._params().items():
            parameter, given = f"#parameter/{quote(name)}", f"#value/{quote(name)}"
            yield _formal(parameter, name, _scalar_type(value), _example(given))
            yield {
                "@id": given,
                "@type": "PropertyValue",
                "name": name,
                "value": str(value),
                "exampleOfWork": _ref(parameter),
            }

    def _input_id(self, path: str) -> str:
        return f"#input/{quote(path)}"

    def _output_id(self, artifact: Artifact) -> str:
        return f"#output/{quote(artifact.path)}"

    def _source_entity(self, path: str) -> str:
        """Folders and large sources stand in the bundle alone."""
        if path in self._data_entities:
            return self._data_entities[path]
        return _id(SOURCES + path) if SOURCES + path in self._paths else BUNDLE

    def _tool_id(self, stage: StageRecord) -> str:
        return f"#command/{quote(stage.stage)}"

    def _step_id(self, stage: StageRecord) -> str:
        return f"{_id(self._workflow)}#{quote(stage.stage)}"

    def _action_id(self, stage: StageRecord) -> str:
        return f"#run/{stage.run}/{quote(stage.stage)}"

    def _run_id(self) -> str:
        return f"#run/{self._crate.main.id}"

    def _steps(self) -> Iterator[Node]:
        for position, stage in enumerate(self._crate.stages):
            yield {
                "@id": self._step_id(stage),
                "@type": "HowToStep",
                "position": str(position + 1),
                "name": stage.stage,
                "workExample": _ref(self._tool_id(stage)),
            }

    def _workflow_action(self) -> Node:
        main = self._crate.main
        given = [f"#value/{quote(name)}" for name in self._params()]
        node: Node = {
            "@id": self._run_id(),
            "@type": "CreateAction",
            "name": f"Run {short(main.id)} of {self._crate.project}",
            "description": f"{main.outcome}: snapshot {main.snapshot}, result {main.result}",
            "instrument": _ref(self._workflow),
            "agent": _ref(self._member_id(main.member)),
            "startTime": _time(main.started_at),
            "endTime": _time(main.ended_at),
            "actionStatus": f"http://schema.org/{_STATES.get(main.outcome, 'FailedActionStatus')}",
            "object": _refs([*(self._source_entity(path) for path, _ in self._sources), *given]),
            "result": _refs(self._entity_of(artifact) for artifact in self._artifacts),
        }
        if main.cause is not None:
            node["error"] = main.cause
        return node

    def _stage_actions(self) -> Iterator[Node]:
        made = {artifact.path: artifact for artifact in self._artifacts}
        for stage in self._crate.stages:
            read = [
                self._entity_of(made[path]) if md5_in(identity) is not None and path in made
                else self._source_entity(path)
                for path, identity in stage.needs
            ]  # fmt: skip
            given = [f"#value/{quote(f'{stage.stage}:{name}')}" for name in sorted(stage.params)]
            yield {
                "@id": self._action_id(stage),
                "@type": "CreateAction",
                "name": f"Stage {stage.stage} in run {short(stage.run)}",
                "instrument": _ref(self._tool_id(stage)),
                "description": stage.command,
                "agent": _ref(self._member_id(stage.member)),
                "startTime": _time(began_at(stage.ended_at, stage.duration_s)),
                "endTime": _time(stage.ended_at),
                "actionStatus": "http://schema.org/CompletedActionStatus",
                "object": _refs([*read, *given]),
                "result": _refs(self._entity_of(artifact) for artifact in stage.artifacts),
            }

    def _organize_action(self) -> Node:
        main = self._crate.main
        return {
            "@id": "#organization-of-stages",
            "@type": "OrganizeAction",
            "name": f"Lockgate {self._crate.version} led run {short(main.id)}",
            "agent": _ref(self._member_id(main.member)),
            "instrument": _ref(_ENGINE),
            "object": _refs(f"#control/{quote(stage.stage)}" for stage in self._crate.stages),
            "result": _ref(self._run_id()),
            "startTime": _time(main.started_at),
            "endTime": _time(main.ended_at),
        }

    def _verdicts(self) -> Iterator[Node]:
        for stage in self._crate.stages:
            yield {
                "@id": f"#control/{quote(stage.stage)}",
                "@type": "ControlAction",
                "name": f"Execution of step {stage.stage}",
                "instrument": _ref(self._step_id(stage)),
                "object": _ref(self._action_id(stage)),
            }
        for each in self._crate.verdicts:
            yield {
                "@id": f"#verification/{each.by_run}",
                "@type": "AssessAction",
                "name": f"Run {short(each.run)} was made again and compared: {each.verdict}",
                "description": each.words,
                "agent": _ref(self._member_id(each.by)),
                "object": f"#run/{each.run}" if each.run != self._crate.main.id else _ref(self._run_id()),
                "endTime": _time(each.at),
            }


def _descriptor() -> Node:
    return {
        "@id": METADATA,
        "@type": "CreativeWork",
        "about": _ref("./"),
        "conformsTo": [_ref(_SPECIFICATION), _ref("https://w3id.org/workflowhub/workflow-ro-crate/1.0")],
    }


def _formal(identity: str, name: str, kind: str, example: Node) -> Node:
    return {
        "@id": identity,
        "@type": "FormalParameter",
        "conformsTo": _ref(_PARAMETER_PROFILE),
        "name": name,
        "additionalType": kind,
        **example,
    }


def _example(identity: str) -> Node:
    return {"workExample": _ref(identity)}


def _source_id(taken: Taken) -> str:
    return taken.identity if taken.source.startswith("hub://") else f"#source/{taken.identity}"


def _scalar_type(value: object) -> str:
    if isinstance(value, bool):
        return "Boolean"
    if isinstance(value, int):
        return "Integer"
    return "Float" if isinstance(value, float) else "Text"


def _time(at: str) -> str:
    """Return a time with its offset in figures, as the profile's shapes want it."""
    return at.removesuffix("Z") + "+00:00" if at.endswith("Z") else at


def _id(path: str) -> str:
    return quote(path, safe="/")


def _ref(identity: str) -> Node:
    return {"@id": identity}


def _refs(identities: Iterable[str]) -> Node | list[Node]:
    """Return references, each once; one alone as itself, as the specification wants it."""
    refs = [_ref(identity) for identity in dict.fromkeys(identities)]
    return refs[0] if len(refs) == 1 else refs
