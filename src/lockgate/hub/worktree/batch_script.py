"""One script as a batch job: a snapshot whose manifest has a stage for it; the work tree's stays as it is."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from lockgate.data.manifest_file import manifest_text
from lockgate.errors import UserError
from lockgate.hub.exchanging.carrying import Carried
from lockgate.hub.push import Options
from lockgate.hub.running.follow import Progress
from lockgate.hub.worktree.sending import Receipt
from lockgate.hub.worktree.submission import Submission, submit
from lockgate.project.editing import with_stage
from lockgate.project.manifest import parse_manifest
from lockgate.project.pipeline import MANIFEST_FILE

#: By a script's ending, what runs it.
_PROGRAMS: Mapping[str, str] = {".py": "python", ".r": "Rscript", ".sh": "sh"}


def run_script(
    root: Path,
    script: str,
    arguments: Sequence[str],
    needs: Sequence[str],
    makes: Sequence[str],
    options: Options,
    show: Callable[[Receipt | Progress | Carried], None],
) -> Submission:
    """Run a script of the project with these arguments, and put what it `makes` into the work tree.

    Without `needs` it sees the whole project. What is known of the same script with the same inputs is taken.
    Raises `UserError` (`script-unknown`), and what `submit` raises.
    """
    if not (root / script).is_file():
        raise UserError(
            f"there is no script {script} in {root}",
            "Name it as seen from the project's folder.",
            code="script-unknown",
        )
    text = manifest_text(root) or ""
    name = _free_name(text, script)
    changed = with_stage(text, name, _keys(script, arguments, needs, makes))
    only = Options(
        is_wait=options.is_wait,
        only=(name,),
        backend=options.backend,
        memory_bytes=options.memory_bytes,
        walltime_s=options.walltime_s,
        cpus=options.cpus,
    )
    return submit(root, only, show, {MANIFEST_FILE: changed.encode("utf-8")})


def _keys(
    script: str, arguments: Sequence[str], needs: Sequence[str], makes: Sequence[str]
) -> dict[str, object]:
    program = _PROGRAMS.get(PurePosixPath(script).suffix.lower())
    if program is None:
        raise UserError(
            f"{script}: what runs it is not known by its ending",
            f'Known are {", ".join(_PROGRAMS)}; anything else is a stage: run = "…" in {MANIFEST_FILE}.',
            code="script-unknown",
        )
    command = shlex.join([program, script, *arguments])
    keys: dict[str, object] = {"run": command.replace("{", "{{").replace("}", "}}")}
    if needs:
        keys["needs"] = list(dict.fromkeys([script, *needs]))
    if makes:
        keys["makes"] = list(makes)
    return keys


def _free_name(text: str, script: str) -> str:
    """Return the script's name without its ending, as a stage may be called that is not there yet."""
    taken = {stage.name for stage in parse_manifest(text).stages}
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", PurePosixPath(script).stem).strip("-_") or "script"
    candidates = [name, f"batch-{name}", *(f"batch-{name}-{n}" for n in range(2, len(taken) + 3))]
    return next(each for each in candidates if each not in taken)
