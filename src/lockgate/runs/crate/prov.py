"""`provenance.json`: the record of runs as PROV-JSON (https://www.w3.org/submissions/prov-json/).

Entities are contents, named by digest: an artifact by its md5, a source by its Software Heritage id.
Activities are runs and the jobs of their stages; agents are members and the hub.
"""

from __future__ import annotations

import json

from lockgate.runs.crate.contents import Crate, RunTold, Taken, began_at, md5_in
from lockgate.runs.inputs import WHOLE
from lockgate.runs.record import Artifact, StageRecord

Attributes = dict[str, object]

_PREFIXES = {
    "swh": "https://archive.softwareheritage.org/swh:",
    "md5": "urn:md5:",
    "run": "urn:lockgate:run:",
    "member": "urn:lockgate:member:",
    "hub": "urn:lockgate:hub:",
    "source": "urn:lockgate:source:",
    "lockgate": "urn:lockgate:terms:",
}


def provenance(crate: Crate) -> bytes:
    """Return the document's bytes; the same crate gives the same bytes."""
    document = _Document(crate.trees)
    document.add("agent", "hub:it", {"prov:type": _kind("prov:SoftwareAgent"), "lockgate:key": crate.hub})
    for run in crate.runs:
        document.tell_run(run)
    for stage in crate.stages:
        document.tell_stage(stage)
    for taken in crate.taken:
        document.tell_taken(taken)
    for verdict in crate.verdicts:
        document.tell_member(verdict.by)
        again = f"run:{verdict.by_run}-verification"
        document.add(
            "activity",
            again,
            {
                "prov:endTime": verdict.at,
                "lockgate:verdict": verdict.verdict,
                "lockgate:words": verdict.words,
            },
        )
        document.relate("wasInformedBy", {"prov:informed": again, "prov:informant": f"run:{verdict.run}"})
        document.relate("wasAssociatedWith", {"prov:activity": again, "prov:agent": _member(verdict.by)})
    return document.render()


class _Document:
    def __init__(self, trees: frozenset[str]) -> None:
        self._trees = trees
        self._parts: dict[str, dict[str, Attributes]] = {}
        self._told: set[str] = set()

    def add(self, part: str, name: str, attributes: Attributes) -> None:
        found = self._parts.setdefault(part, {}).setdefault(name, {})
        found.update(attributes)

    def relate(self, part: str, attributes: Attributes) -> None:
        relations = self._parts.setdefault(part, {})
        if attributes not in relations.values():
            relations[f"_:{part}{len(relations) + 1}"] = attributes

    def tell_member(self, name: str) -> None:
        self.add("agent", _member(name), {"prov:type": _kind("prov:Person"), "lockgate:name": name})

    def tell_run(self, run: RunTold) -> None:
        name = f"run:{run.id}"
        self.tell_member(run.member)
        self.add(
            "activity",
            name,
            {
                "prov:startTime": run.started_at,
                "prov:endTime": run.ended_at,
                "lockgate:outcome": run.outcome,
                "lockgate:ref": run.ref,
                "lockgate:runtime": run.runtime,
                **({"lockgate:cause": run.cause} if run.cause else {}),
                **{f"lockgate:param-{key}": value for key, value in sorted(run.params.items())},
            },
        )
        snapshot, result = f"swh:1:rev:{run.snapshot}", f"swh:1:rev:{run.result}"
        self.add("entity", snapshot, {"prov:type": "snapshot"})
        self.relate("used", {"prov:activity": name, "prov:entity": snapshot})
        if result != snapshot:
            self.add("entity", result, {"prov:type": "result"})
            self.relate("wasGeneratedBy", {"prov:entity": result, "prov:activity": name})
            self.relate("wasDerivedFrom", {"prov:generatedEntity": result, "prov:usedEntity": snapshot})
        self.relate("wasAssociatedWith", {"prov:activity": name, "prov:agent": "hub:it"})
        self.relate("wasAssociatedWith", {"prov:activity": name, "prov:agent": _member(run.member)})
        for record in run.records:
            self.tell_stage(record)

    def tell_stage(self, record: StageRecord) -> None:
        """Tell of one job; the same stage of the same run is told once."""
        name = f"run:{record.run}-{record.stage}"
        if name in self._told:
            return
        self._told.add(name)
        self.tell_member(record.member)
        self.add(
            "activity",
            name,
            {
                "prov:startTime": began_at(record.ended_at, record.duration_s),
                "prov:endTime": record.ended_at,
                "lockgate:stage": record.stage,
                "lockgate:command": record.command,
                "lockgate:fingerprint": record.fingerprint,
                "lockgate:runtime": record.runtime,
                **{f"lockgate:param-{key}": str(value) for key, value in sorted(record.params.items())},
            },
        )
        self.add("activity", f"run:{record.run}", {})
        self.relate("wasInformedBy", {"prov:informed": name, "prov:informant": f"run:{record.run}"})
        self.relate("wasAssociatedWith", {"prov:activity": name, "prov:agent": "hub:it"})
        self.relate("wasAssociatedWith", {"prov:activity": name, "prov:agent": _member(record.member)})
        used = [self._need(path, identity) for path, identity in record.needs]
        for entity in used:
            self.relate("used", {"prov:activity": name, "prov:entity": entity})
        for artifact in record.artifacts:
            made = self._artifact(artifact)
            self.relate("wasGeneratedBy", {"prov:entity": made, "prov:activity": name})
            self.relate("wasAttributedTo", {"prov:entity": made, "prov:agent": _member(record.member)})
            for entity in used:
                self.relate("wasDerivedFrom", {"prov:generatedEntity": made, "prov:usedEntity": entity})

    def tell_taken(self, taken: Taken) -> None:
        """Tell which dataset of another project data was imported from."""
        source = f"source:{taken.identity}"
        self.add("entity", f"md5:{taken.md5}", {"lockgate:path": taken.path})
        self.add(
            "entity",
            source,
            {"prov:type": "dataset", "lockgate:source": taken.source, "lockgate:commit": taken.commit},
        )
        self.relate("wasDerivedFrom", {"prov:generatedEntity": f"md5:{taken.md5}", "prov:usedEntity": source})

    def _need(self, path: str, identity: str) -> str:
        oid, _, mark = identity.partition(":")
        md5 = md5_in(identity)
        if md5 is not None:
            name = f"md5:{md5}"
        elif mark == "submodule":
            name = f"swh:1:rev:{oid}"
        elif path == WHOLE or oid in self._trees:
            name = f"swh:1:dir:{oid}"
        else:
            name = f"swh:1:cnt:{oid}"
        self.add("entity", name, {"lockgate:path": path})
        return name

    def _artifact(self, artifact: Artifact) -> str:
        name = f"md5:{artifact.md5}"
        self.add(
            "entity",
            name,
            {
                "lockgate:path": artifact.path,
                "lockgate:kind": artifact.kind,
                "lockgate:size_bytes": artifact.size_bytes,
            },
        )
        return name

    def render(self) -> bytes:
        parts = {part: self._parts[part] for part in sorted(self._parts)}
        return json.dumps({"prefix": _PREFIXES, **parts}, indent=1, ensure_ascii=False).encode() + b"\n"


def _kind(name: str) -> Attributes:
    return {"$": name, "type": "prov:QUALIFIED_NAME"}


def _member(name: str) -> str:
    return f"member:{name}"
