"""What was done, as nodes: the steps of the pipeline, the run and its stages, verifications of runs."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from lockgate.runs.crate.contents import Crate, began_at, md5_in, params_of
from lockgate.runs.crate.entities import Entities
from lockgate.runs.crate.node import (
    ENGINE,
    Node,
    action_id,
    member_id,
    ref,
    refs,
    run_id,
    step_id,
    tool_id,
)
from lockgate.runs.runid import short

_STATES = {"succeeded": "CompletedActionStatus", "failed": "FailedActionStatus"}


class Actions:
    """What was done with the entities of one crate."""

    def __init__(self, crate: Crate, entities: Entities) -> None:
        self._crate = crate
        self._entities = entities

    def nodes(self) -> Iterator[Node]:
        """Yield the steps, then what was done."""
        yield from self._steps()
        yield self._workflow_action()
        yield from self._stage_actions()
        yield self._organize_action()
        yield from self._verdicts()

    def _steps(self) -> Iterator[Node]:
        for position, stage in enumerate(self._crate.stages):
            yield {
                "@id": step_id(self._entities.workflow, stage),
                "@type": "HowToStep",
                "position": str(position + 1),
                "name": stage.stage,
                "workExample": ref(tool_id(stage)),
            }

    def _workflow_action(self) -> Node:
        main = self._crate.main
        given = [f"#value/{quote(name)}" for name in params_of(self._crate.stages)]
        node: Node = {
            "@id": run_id(self._crate),
            "@type": "CreateAction",
            "name": f"Run {short(main.id)} of {self._crate.project}",
            "description": f"{main.outcome}: snapshot {main.snapshot}, result {main.result}",
            "instrument": ref(self._entities.workflow),
            "agent": ref(member_id(main.member)),
            "startTime": _time(main.started_at),
            "endTime": _time(main.ended_at),
            "actionStatus": f"http://schema.org/{_STATES.get(main.outcome, 'FailedActionStatus')}",
            "object": refs([*(self._entities.of_source(path) for path, _ in self._entities.sources), *given]),
            "result": refs(self._entities.of_artifact(artifact) for artifact in self._entities.artifacts),
        }
        if main.cause is not None:
            node["error"] = main.cause
        return node

    def _stage_actions(self) -> Iterator[Node]:
        made = {artifact.path: artifact for artifact in self._entities.artifacts}
        for stage in self._crate.stages:
            read = [
                self._entities.of_artifact(made[path]) if md5_in(identity) is not None and path in made
                else self._entities.of_source(path)
                for path, identity in stage.needs
            ]  # fmt: skip
            given = [f"#value/{quote(f'{stage.stage}:{name}')}" for name in sorted(stage.params)]
            yield {
                "@id": action_id(stage),
                "@type": "CreateAction",
                "name": f"Stage {stage.stage} in run {short(stage.run)}",
                "instrument": ref(tool_id(stage)),
                "description": stage.command,
                "agent": ref(member_id(stage.member)),
                "startTime": _time(began_at(stage.ended_at, stage.duration_s)),
                "endTime": _time(stage.ended_at),
                "actionStatus": "http://schema.org/CompletedActionStatus",
                "object": refs([*read, *given]),
                "result": refs(self._entities.of_artifact(artifact) for artifact in stage.artifacts),
            }

    def _organize_action(self) -> Node:
        main = self._crate.main
        return {
            "@id": "#organization-of-stages",
            "@type": "OrganizeAction",
            "name": f"Lockgate {self._crate.version} led run {short(main.id)}",
            "agent": ref(member_id(main.member)),
            "instrument": ref(ENGINE),
            "object": refs(f"#control/{quote(stage.stage)}" for stage in self._crate.stages),
            "result": ref(run_id(self._crate)),
            "startTime": _time(main.started_at),
            "endTime": _time(main.ended_at),
        }

    def _verdicts(self) -> Iterator[Node]:
        for stage in self._crate.stages:
            yield {
                "@id": f"#control/{quote(stage.stage)}",
                "@type": "ControlAction",
                "name": f"Execution of step {stage.stage}",
                "instrument": ref(step_id(self._entities.workflow, stage)),
                "object": ref(action_id(stage)),
            }
        for each in self._crate.verdicts:
            yield {
                "@id": f"#verification/{each.by_run}",
                "@type": "AssessAction",
                "name": f"Run {short(each.run)} was made again and compared: {each.verdict}",
                "description": each.words,
                "agent": ref(member_id(each.by)),
                "object": f"#run/{each.run}" if each.run != self._crate.main.id else ref(run_id(self._crate)),
                "endTime": _time(each.at),
            }


def _time(at: str) -> str:
    """Return a time with its offset in figures, as the profile's shapes want it."""
    return at.removesuffix("Z") + "+00:00" if at.endswith("Z") else at
