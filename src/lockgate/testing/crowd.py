"""What every backend must do with many jobs at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.backends.contract import Ended
from lockgate.project.pipeline import Resources
from lockgate.runs.workspace import Input
from lockgate.testing.bench import BackendBench, ends


class CrowdTests(BackendBench):
    """Many jobs, jobs that share cpus, jobs that follow others."""

    def test_many_tiny_jobs(self, tmp_path: Path) -> None:
        jobs = [self.job(tmp_path / str(n), f"echo {n} > out") for n in range(self.many)]
        backend = self.opened()
        backend.submit(jobs)
        news = self.until(backend, lambda news: len(ends(news)) == self.many)
        assert all(record.is_success for record in ends(news).values())
        assert len([each for each in news if isinstance(each, Ended)]) == self.many
        for n, job in enumerate(jobs):
            assert Path(job.folder, "workspace/out").read_text() == f"{n}\n"

    def test_of_an_array_exactly_those_fail_that_do(self, tmp_path: Path) -> None:
        codes = [n % 5 for n in range(min(20, self.many))]
        jobs = [self.job(tmp_path / str(n), f"exit {code}") for n, code in enumerate(codes)]
        records = self.run(self.opened(), *jobs)
        assert [records[job.folder].code for job in jobs] == codes

    def test_many_jobs_take_few_calls(self, tmp_path: Path) -> None:
        if self.call_count() is None:
            pytest.skip("nobody counts the calls of the system behind this backend")
        backend = self.opened()
        jobs = [self.job(tmp_path / str(n), "true") for n in range(self.many)]
        backend.submit(jobs)
        news = self.until(backend, lambda _: not any(backend.why_pending([job.folder]) for job in jobs[:1]))
        before = self.call_count() or 0
        assert before < self.many / 4
        self.until_ended(backend, self.many, news)

    def test_jobs_that_follow_others_see_what_these_made(self, tmp_path: Path) -> None:
        backend = self.opened()
        first = self.job(tmp_path / "first", "echo made > out")
        assert self.run(backend, first)[first.folder].is_success
        made = Input("in", source=tmp_path / "first/workspace/out")
        second = self.job(tmp_path / "second", "cat in", inputs=(made,))
        assert self.run(backend, second)[second.folder].is_success
        assert self.log(second) == "made\n"

    def test_never_more_cpus_than_there_are(self, tmp_path: Path) -> None:
        backend = self.opened()
        command = "date +%s.%N > begin; sleep 0.1; date +%s.%N > end"
        jobs = [
            self.job(tmp_path / str(n), command, resources=Resources(cpus=1 + n % self.cpus))
            for n in range(8)
        ]
        assert all(record.is_success for record in self.run(backend, *jobs).values())
        changes = []
        for job in jobs:
            workspace = Path(job.folder, "workspace")
            changes.append((float((workspace / "begin").read_text()), job.resources.cpus))
            changes.append((float((workspace / "end").read_text()), -job.resources.cpus))
        used = 0
        for _, cpus in sorted(changes):
            used += cpus
            assert used <= self.cpus

    def test_room(self, tmp_path: Path) -> None:
        backend = self.opened()
        room = backend.room()
        assert room is None or room > 0
        jobs = [self.job(tmp_path / str(n), "true") for n in range(min(room or 1, 10))]
        assert all(record.is_success for record in self.run(backend, *jobs).values())
        assert backend.room() == room
