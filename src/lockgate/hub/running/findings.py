"""What a run under way has come to so far, by stage: what was made and seen, how jobs ended, why they ran."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lockgate.hub.indexing.index import Index
from lockgate.hub.indexing.rows import Request
from lockgate.hub.planning.preparation import Prepared
from lockgate.hub.running.recording import Outcomes
from lockgate.runs.job import ExitRecord
from lockgate.runs.observation import Observation
from lockgate.runs.record import Artifact, StageRecord
from lockgate.runs.run import Outcome, Run


class Findings:
    """Grows while the run goes on. What was made or seen here is new until it is in the index."""

    def __init__(self) -> None:
        self.records: dict[str, StageRecord] = {}
        """Of stages that went well, reused ones too."""
        self.partial: dict[str, tuple[Artifact, ...]] = {}
        """What stages that failed had made by then."""
        self.exits: dict[str, ExitRecord] = {}
        self.reasons: dict[str, str] = {}
        """Why each stage ran, or did not have to."""
        self.seen: dict[str, Observation] = {}
        """What stages really used, where the project asks for that."""
        self._new_records: list[StageRecord] = []
        self._newly_seen: dict[str, Observation] = {}

    def make(self, stage: str, record: StageRecord) -> None:
        """A stage went well."""
        self.records[stage] = record
        self._new_records.append(record)

    def see(self, stage: str, observation: Observation) -> None:
        """A stage was watched to its end."""
        self.seen[stage] = self._newly_seen[stage] = observation

    def write(self, index: Index, run: str, scope: str) -> None:
        """Write what is new, in the caller's transaction; `settle` once that has gone through.

        `scope`: the project, or the verification that what was made is known to.
        """
        index.add_results(scope, self._new_records)
        if self._newly_seen:
            index.add_observations(run, self._newly_seen)

    def settle(self) -> None:
        """What was new is in the index."""
        self._new_records.clear()
        self._newly_seen.clear()

    def outcomes(
        self,
        request: Request,
        run: Run,
        outcome: Outcome,
        prepared: Prepared | None,
        logs: Mapping[str, Path],
        began_and_ended_at: tuple[float, float],
    ) -> Outcomes:
        """Gather all that a run leaves; `prepared`: None where it never came to be planned."""
        runtime = prepared.runtime if prepared is not None else None
        stages = prepared.loaded.pipeline.stages if prepared is not None else ()
        records = {stage: self.records[stage] for stage in run.jobs if stage in self.records}
        return Outcomes(
            request=request,
            run=run,
            outcome=outcome,
            started_at=began_and_ended_at[0],
            ended_at=began_and_ended_at[1],
            records={stage: record for stage, record in records.items() if stage not in run.trials},
            partial=self.partial,
            exits=self.exits,
            logs=logs,
            lock_file=runtime.lock_file if runtime is not None else None,
            runtime_text=runtime.text if runtime is not None else "",
            runtime_digest=runtime.digest if runtime is not None else "",
            reasons=self.reasons,
            seen=self.seen,
            pipeline_stages=frozenset(stage.name for stage in stages),
        )
