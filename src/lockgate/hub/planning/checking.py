"""What jobs that check tables get: a runtime of Lockgate's own, the program, the rules, what was accepted."""

from __future__ import annotations

import io
import shlex
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from lockgate.data import checking
from lockgate.git.objects import Repository
from lockgate.hub.software.runtimes import Locked, Runtimes
from lockgate.project.check import rules_json
from lockgate.project.pipeline import Stage
from lockgate.runs.checked import Reference, report_path
from lockgate.runs.workspace import Input

#: In the workspace, since that is what every backend brings to its workers.
FOLDER_NAME = ".check"
PROGRAM, RULES, ACCEPTED = (f"{FOLDER_NAME}/{name}" for name in ("check.pyz", "rules.json", "accepted.json"))
#: Names the project's runtime, which may bring PySpark, see `data.checking.by_spark`.
SPARK_RUNTIME = "LOCKGATE_SPARK_RUNTIME"
_LOCK = "requirements.lock"
_KIND = "requirements"
_START = "import sys\nfrom checking.__main__ import main\nsys.exit(main(sys.argv[1:]))\n"
#: The program is the same bytes wherever it is packed.
_PACKED_AT = (1980, 1, 1, 0, 0, 0)


def check_runtime(runtimes: Runtimes) -> Locked:
    """Return the runtime that checks run in, as it is locked in this version of Lockgate."""
    return runtimes.of_lock(_KIND, (Path(checking.__file__).parent / _LOCK).read_text("utf-8"))


def build_check_runtime(runtimes: Runtimes) -> Path:
    """Return the interpreter of that runtime, built where it is not. Raises what `Runtimes.build` does."""
    found = check_runtime(runtimes)
    return runtimes.build(found.digest, found.text, found.kind, Path(found.interpreter))


@cache
def program() -> bytes:
    """Return the program that checks: a zip that Python runs."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("__main__.py", _PACKED_AT), _START)
        for file in sorted(Path(checking.__file__).parent.glob("*.py")):
            archive.writestr(zipfile.ZipInfo(f"checking/{file.name}", _PACKED_AT), file.read_bytes())
    return packed.getvalue()


def is_by_spark(stage: Stage, backend: str) -> bool:
    """Return whether Spark is to go over the rows of what a stage checks, where they are Parquet."""
    return stage.check is not None and (stage.check.engine or backend) == "spark"


def check_command(path: str, *, by_spark: bool) -> str:
    """Return the command that checks a table in a job's workspace."""
    how = "check-by-spark" if by_spark else "check"
    return shlex.join(["python", PROGRAM, how, path, RULES, report_path(path), ACCEPTED])


def check_inputs(stage: Stage, repository: Repository, reference: Reference | None) -> Iterator[Input]:
    """Yield what lies in the workspace beside the table."""
    assert stage.check is not None
    rules = rules_json(stage.check)
    yield Input(PROGRAM, content=program)
    yield Input(RULES, content=lambda: rules)
    if reference is not None:
        yield Input(ACCEPTED, content=lambda: repository.read_blob(reference.report))
