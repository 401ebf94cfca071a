"""Projects with runs on their chains, recorded by the hub's own functions; no job runs for them."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

from lockgate.activity import chain
from lockgate.activity.entry import Activity
from lockgate.activity.key import load_key
from lockgate.data.digest import Listed, folder_listing, md5_of
from lockgate.data.store import Store
from lockgate.git.listing import FILE, FOLDER, Entry
from lockgate.git.objects import Repository
from lockgate.git.program import git
from lockgate.hub.directory import Hub
from lockgate.hub.indexing.rows import Request
from lockgate.hub.instant import iso
from lockgate.hub.running.recording import Outcomes, append_activity, write_results
from lockgate.hub.worktree.admission import admit
from lockgate.project.pipeline import Kind, Scalar
from lockgate.runs.job import ExitRecord
from lockgate.runs.record import Artifact, StageRecord
from lockgate.runs.run import JobStatus, Outcome, Run
from lockgate.runs.runid import encode_ulid

#: Later than any clock says, so that what is recorded here is newer than the project itself.
AT = 2_000_000_000


class Recorder:
    """Writes one project's history, an entry a minute."""

    def __init__(self, hub: Hub, project: str, scratch: Path) -> None:
        self.hub = hub
        self.project = project
        self.path, _ = admit(hub, project)
        self.repository = Repository(self.path)
        self.key = load_key(hub.key)
        self.now = AT
        self._scratch = scratch
        self._count = 0

    def commit(
        self, files: Mapping[str, str | bytes], message: str = "Work", branch: str = "main", by: str = "ada"
    ) -> str:
        """Commit files on a branch, on top of what it holds."""
        ref = f"refs/heads/{branch}"
        head = self.repository.read_ref(ref)
        put = {
            path: Entry(FILE, self.repository.write_blob(text.encode() if isinstance(text, str) else text))
            for path, text in files.items()
        }
        tree = self.repository.edit_tree(self.repository.tree_of(head) if head else None, put)
        self.now += 60
        commit = self.repository.commit(tree, [head] if head else [], message, author=(by, "", self.now))
        git(self.path, "update-ref", ref, commit)
        return commit

    def activity(self, kind: str, title: str, by: str = "hub", **named: object) -> str:
        """Append an entry of any kind."""
        self.now += 60
        entry = Activity(kind=kind, at=iso(self.now), by=by, title=title, **named)  # type: ignore[arg-type]
        return chain.append(self.repository, entry, self.key, at_epoch_s=self.now)

    def run(
        self,
        artifacts: Mapping[str, tuple[Kind, bytes]] | None = None,
        params: Mapping[str, Scalar] | None = None,
        *,
        member: str = "ada",
        branch: str = "main",
        outcome: Outcome = "succeeded",
        cause: str | None = None,
        logs: Mapping[str, str] | None = None,
        in_store: tuple[str, ...] = (),
        folders: Mapping[str, Mapping[str, bytes]] | None = None,
        asked: Mapping[str, str] | None = None,
        stages: Mapping[str, Mapping[str, Scalar]] | None = None,
        seconds: float = 30.0,
    ) -> str:
        """Queue and end a run at the branch's commit; return its id.

        `artifacts` and `params` are of the stage `train`; `stages` are further ones with their parameters.
        """
        head = self.repository.read_ref(f"refs/heads/{branch}") or self.commit({"a.py": "1\n"}, branch=branch)
        self.now += 60
        self._count += 1
        run = encode_ulid(self.now * 1000, zlib.crc32(self.project.encode()) << 45 | self._count)
        request = Request(
            id=run, project=self.project, ref=f"refs/heads/{branch}", commit=head, member=member,
            params=dict(asked or {}),
        )  # fmt: skip
        chain.append(
            self.repository,
            Activity(kind="run.queued", at=iso(self.now), by=member, title=f"Run of {branch} was queued",
                     ref=request.ref, commit=head, run=run),
            self.key, keep=[head], at_epoch_s=self.now,
        )  # fmt: skip
        ended_at = self.now + seconds
        kept_files = self._artifacts(artifacts or {}, in_store)
        kept_folders = tuple(
            self._folder(path, files, path in in_store) for path, files in (folders or {}).items()
        )
        made = {"train": (params or {}, kept_files + kept_folders)}
        made |= {name: (own, ()) for name, own in (stages or {}).items()}
        outcomes = Outcomes(
            request=request,
            run=Run(
                id=run,
                jobs={stage: JobStatus(state=outcome, fingerprint=f"f-{run}-{stage}") for stage in made},
                cause=cause,
            ),
            outcome=outcome,
            started_at=self.now,
            ended_at=ended_at,
            records={
                stage: StageRecord(
                    stage=stage, fingerprint=f"f-{run}-{stage}", run=run, commit=head, member=member,
                    ended_at=iso(ended_at), command="python a.py", runtime="r", params=dict(own),
                    artifacts=kept,
                )
                for stage, (own, kept) in made.items()
            } if outcome == "succeeded" else {},
            partial={},
            exits={stage: ExitRecord(code=0, started_at=self.now, ended_at=ended_at) for stage in made},
            logs={stage: self._log(run, stage, text) for stage, text in (logs or {}).items()},
            lock_file=None, runtime_text="", runtime_digest="r",
            reasons=dict.fromkeys(made, "never run"),
            pipeline_stages=frozenset(made),
        )  # fmt: skip
        written = write_results(self.repository, self.key, outcomes)
        append_activity(self.repository, self.key, outcomes, written)
        return run

    def _artifacts(
        self, artifacts: Mapping[str, tuple[Kind, bytes]], in_store: tuple[str, ...]
    ) -> tuple[Artifact, ...]:
        return tuple(
            Artifact(
                path=path,
                kind=kind,
                size_bytes=len(content),
                md5=Store(self.hub.store).put_bytes(content) if path in in_store else md5_of(content),
                git=None if path in in_store else self.repository.write_blob(content),
            )
            for path, (kind, content) in artifacts.items()
        )

    def _folder(self, path: str, files: Mapping[str, bytes], is_in_store: bool) -> Artifact:
        store = Store(self.hub.store)
        listed = [Listed(store.put_bytes(content), name) for name, content in files.items()]
        put = {name: Entry(FILE, self.repository.write_blob(content)) for name, content in files.items()}
        return Artifact(
            path=path,
            kind="figure",
            size_bytes=sum(map(len, files.values())),
            md5=store.put_listing(folder_listing(listed)),
            git=None if is_in_store else self.repository.edit_tree(None, put),
            mode=FOLDER,
            file_count=len(files),
        )

    def _log(self, run: str, stage: str, text: str) -> Path:
        place = self._scratch / f"{run}-{stage}.log"
        place.write_text(text, "utf-8")
        return place


def measured(**values: float | str) -> dict[str, tuple[Kind, bytes]]:
    """A metrics file as the only artifact."""
    return {"out/metrics.json": ("metrics", json.dumps(values).encode())}


def six_runs(begin: Callable[[str], Recorder]) -> dict[str, str]:
    """Record six runs of two projects, of every sort; return their ids by short names."""
    flights, cars = begin("flights"), begin("cars")
    return {
        "a": flights.run(measured(accuracy=0.9, loss=0.3), {"depth": 4, "kind": "tree"}),
        "b": flights.run(
            measured(accuracy=0.95, loss=0.1), {"depth": 8, "kind": "Boost"}, member="bo", seconds=300
        ),
        "c": flights.run(
            outcome="failed", cause="train: exit 1 of 100%", branch="exp-1", asked={"depth": "8"}
        ),
        "d": flights.run(
            measured(accuracy=0.7), {"depth": 8}, branch="exp_2", stages={"other": {"depth": 16}}
        ),
        "e": flights.run(measured(accuracy="unknown"), member="o'neill"),
        "x": cars.run(measured(accuracy=0.92), {"depth": 8}),
    }
