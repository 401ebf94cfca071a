"""What a crate is made of, as nodes: its files and folders, data, and where that was imported from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lockgate.project.pipeline import MANIFEST_FILE
from lockgate.runs.crate.contents import (
    ARTIFACTS,
    BUNDLE,
    DATA,
    README,
    SOURCES,
    Crate,
    CrateFile,
    Taken,
    md5_in,
    sources_of,
)
from lockgate.runs.crate.node import Node, input_id, node_id, output_id, ref, refs
from lockgate.runs.record import Artifact


class Entities:
    """The files, folders and data of one crate."""

    def __init__(self, crate: Crate) -> None:
        self._crate = crate
        self.paths = {file.path for file in crate.files}
        self.workflow = MANIFEST_FILE if MANIFEST_FILE in self.paths else "dvc.yaml"
        """The file that declares the pipeline."""
        self.sources = sources_of(crate.stages)
        of_md5 = {file.md5: file.path for file in reversed(crate.files)}
        self.data = {path: md5 for path, identity in self.sources if (md5 := md5_in(identity)) is not None}
        """Of the sources those behind pointers: path → md5, of a folder with `.dir`."""
        self._data_entities = {
            path: self._entity_of_data(path, md5, of_md5) for path, md5 in self.data.items()
        }
        self.artifacts = [artifact for stage in crate.stages for artifact in stage.artifacts]

    def nodes(self) -> Iterator[Node]:
        """Yield what is in the crate but for the pipeline's file, and what of the run's is not in it."""
        for file in self._crate.files:
            if file.path != self.workflow:
                yield self.file(file)
        yield from self._folders()
        yield from self._data_nodes()
        yield from self._taken()

    def parts(self) -> list[str]:
        """Return the identities of every file, and of every folder with something of it here."""
        return [
            *(node_id(file.path) for file in self._crate.files),
            *map(self._folder_id, self._made()),
            *(node_id(f"{DATA}{path}/") for path in self.data if self._below(path)),
        ]

    def file(self, file: CrateFile) -> Node:
        """Return a file of the crate, with what it is an example of."""
        node: Node = {
            "@id": node_id(file.path),
            "@type": "File",
            "name": file.name,
            "contentSize": str(file.size_bytes),
            "sha256": file.sha256,
            "encodingFormat": file.media_type or "application/octet-stream",
        }
        if file.md5 is not None:
            node["md5"] = file.md5
        if file.path == README:
            node["about"] = ref("./")
        artifact = next((a for a in self.artifacts if ARTIFACTS + a.path == file.path), None)
        if artifact is not None:
            node["exampleOfWork"] = ref(output_id(artifact))
        elif file.path.startswith(SOURCES):
            node["exampleOfWork"] = ref(input_id(file.path.removeprefix(SOURCES)))
        examples = [path for path, entity in self._data_entities.items() if entity == node["@id"]]
        if examples:
            node["exampleOfWork"] = refs(map(input_id, examples))
        if file.path.startswith(DATA):
            node |= self._based_on(file.path.removeprefix(DATA))
        return node

    def of_source(self, path: str) -> str:
        """Return what a source is known by; folders and large sources stand in the bundle alone."""
        if path in self._data_entities:
            return self._data_entities[path]
        return node_id(SOURCES + path) if SOURCES + path in self.paths else BUNDLE

    def of_artifact(self, artifact: Artifact) -> str:
        """Return the file or folder an artifact is; one that is not in the crate is known by its digest."""
        if self._has(artifact):
            return node_id(ARTIFACTS + artifact.path)
        prefix = f"{ARTIFACTS}{artifact.path}/"
        if any(path.startswith(prefix) for path in self.paths):
            return self._folder_id(artifact)
        return f"urn:md5:{artifact.md5}"

    def _entity_of_data(self, path: str, md5: str, of_md5: Mapping[str | None, str]) -> str:
        """Return the file or folder that is data of the crate; what is not in it is known by its digest."""
        if DATA + path in self.paths:
            return node_id(DATA + path)
        if self._below(path):
            return node_id(f"{DATA}{path}/")
        return node_id(of_md5[md5]) if md5 in of_md5 else f"urn:md5:{md5}"

    def _below(self, path: str) -> list[str]:
        """Return the files of the crate that are those of a folder of data."""
        return sorted(file for file in self.paths if file.startswith(f"{DATA}{path}/"))

    def _data_nodes(self) -> Iterator[Node]:
        """Data that is a folder, and what of it is not here."""
        for path, md5 in self.data.items():
            below = self._below(path)
            entity = self._data_entities[path]
            if entity.startswith("urn:"):
                said: Node = {"@type": "CreativeWork", "description": f"Data that is not here, md5 {md5}"}
            elif below:
                said = {"@type": "Dataset", "hasPart": refs(map(node_id, below))}
                said["description"] = f"A folder of {len(below)} files, md5 of its listing {md5}"
            else:
                continue
            example: Node = {"exampleOfWork": ref(input_id(path))}
            yield {"@id": entity, "name": path, **said, **example, **self._based_on(path)}

    def _based_on(self, path: str) -> Node:
        """Where data was imported from, for a dataset, or a file of one."""
        sources = [_source_id(each) for each in self._crate.taken if f"{path}/".startswith(f"{each.path}/")]
        return {"isBasedOn": refs(sources)} if sources else {}

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
            for artifact in self.artifacts
            if any(path.startswith(f"{ARTIFACTS}{artifact.path}/") for path in self.paths)
        ]

    def _folder_id(self, artifact: Artifact) -> str:
        return node_id(f"{ARTIFACTS}{artifact.path}/")

    def _folders(self) -> Iterator[Node]:
        for artifact in self._made():
            prefix = f"{ARTIFACTS}{artifact.path}/"
            yield {
                "@id": self._folder_id(artifact),
                "@type": "Dataset",
                "name": artifact.path,
                "description": f"A folder of {artifact.file_count} files, md5 of its listing {artifact.md5}",
                "hasPart": refs(node_id(path) for path in sorted(self.paths) if path.startswith(prefix)),
                "exampleOfWork": ref(output_id(artifact)),
            }
        for artifact in self.artifacts:
            if artifact.path not in {a.path for a in self._made()} and not self._has(artifact):
                yield {
                    "@id": self.of_artifact(artifact),
                    "@type": "CreativeWork",
                    "name": artifact.path,
                    "description": f"{artifact.size_bytes} bytes that are not here, md5 {artifact.md5}",
                    "exampleOfWork": ref(output_id(artifact)),
                }

    def _has(self, artifact: Artifact) -> bool:
        return ARTIFACTS + artifact.path in self.paths


def _source_id(taken: Taken) -> str:
    return taken.identity if taken.source.startswith("hub://") else f"#source/{taken.identity}"
