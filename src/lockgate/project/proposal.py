"""A first `lockgate.toml` for a project that has none, from the scripts and notebooks that are there."""

from __future__ import annotations

import heapq
import json
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec

from lockgate.errors import UserError
from lockgate.project.expand import build_pipeline
from lockgate.project.globs import is_glob
from lockgate.project.manifest import parse_manifest
from lockgate.project.notebook import read_notebook
from lockgate.project.paths import PathError, clean_path
from lockgate.project.pipeline import LOCK_FILE, MANIFEST_FILE
from lockgate.project.reading import UNKNOWN, Use, python_use, r_use
from lockgate.project.toml_reader import LONGEST_NAME, NAME

MOST_STAGES = 50
LARGEST_SCRIPT_BYTES = 2_000_000

_FOLDERS = ("", "scripts", "src", "notebooks", "code", "analysis", "R")
_KINDS = (".py", ".r", ".sh", ".ipynb")
_NO_STAGE = re.compile(
    r"(?:setup|conftest|noxfile|conf|__init__|test_.*|.*_test|_.*|\..*)\.\w+", re.IGNORECASE
)
_NUMBER = re.compile(r"(?:(?:step|stage|part)[ _\-]?)?(\d{1,4})(?:[ _.\-]+|$)", re.IGNORECASE)
_OTHERS = re.compile(r"(?:Snakefile|Makefile|makefile|main\.nf|nextflow\.config|.*\.smk|.*\.wdl|.*\.cwl)")
_REQUIREMENTS = ("uv.lock", "pylock.toml", "requirements.txt", "environment.yml", "renv.lock")
_IMAGES = (".png", ".svg", ".pdf", ".jpg", ".jpeg")
_BRACES = re.compile(r"\{([^\W\d]\w*)\}")
_MAGIC = re.compile(r"([*?\[])")

_HEAD = """\
# The pipeline of this project: what Lockgate runs, in which order, and what comes of it.
# A stage runs a command or a notebook. It sees only the files it `needs`, and what it `makes` is kept.
"""
_EXAMPLE = """\
# No script or notebook was found. A stage looks like this:
#
# [stages.prepare]
# run = "python prepare.py"
# needs = ["prepare.py", "data/raw.csv"]
# makes = ["build/clean.csv"]
#
# [stages.report]
# notebook = "report.ipynb"
# needs = ["build/clean.csv"]
# makes = ["figures/trend.png"]
"""


class _Step(msgspec.Struct):
    """A script or notebook on its way to become a stage."""

    path: str
    name: str
    reads: list[str]
    writes: list[str]
    is_whole: bool
    """Whether to leave `needs` out, as not all it reads is known."""
    remarks: list[str]


def propose(paths: Sequence[str], read: Callable[[str], bytes], name: str) -> str | None:
    """Return the text of a `lockgate.toml`; None where a `dvc.yaml` is the pipeline already.

    `paths` are the project's files, `read` returns one's content; a file that cannot be read is left out.
    The same files give the same text, and the text is always a valid manifest.
    """
    if "dvc.yaml" in paths:
        return None
    files = set(paths)
    steps = [step for path in _candidates(files) if (step := _look(path, files, read)) is not None]
    used = {path for step in steps for path in step.reads if path != step.path}
    steps = [step for step in steps if step.writes or not (step.path in used and step.path.endswith(".py"))]
    left_out = steps[MOST_STAGES:]
    steps = _ordered(steps[:MOST_STAGES])
    _settle(steps, files)
    text = _write(name, files, steps, len(left_out))
    try:
        if steps:
            build_pipeline(parse_manifest(text), {}, "project")
    except UserError:
        for step in steps:
            step.reads, step.writes, step.is_whole = [], [], True
        text = _write(name, files, steps, len(left_out))
    return text


def _candidates(files: set[str]) -> list[str]:
    found = [
        path
        for path in files
        if posixpath.dirname(path) in _FOLDERS
        and path.lower().endswith(_KINDS)
        and not _NO_STAGE.fullmatch(posixpath.basename(path))
        and _is_clean(path)
    ]
    return sorted(found, key=_order_key)


def _is_clean(path: str) -> bool:
    try:
        return clean_path(path) == path
    except PathError:
        return False


def _order_key(path: str) -> tuple[int, str, str]:
    number = _NUMBER.match(posixpath.basename(path))
    return (int(number[1]) if number else 10_000, posixpath.basename(path), path)


def _look(path: str, files: set[str], read: Callable[[str], bytes]) -> _Step | None:
    content = _content(path, read)
    if content is None:
        return None
    use = _use(path, content)
    remarks: list[str] = []
    if use is None:
        remarks.append(f"{path} could not be read as code, so it is given the whole project.")
        use = Use(has_unknown=True)
    elif not use.does_something or (path.endswith(".sh") and _calls_another(path, content, files)):
        return None
    folder = posixpath.dirname(path) if path.endswith(".ipynb") else ""
    needs, library_reads = _modules(path, use, files, read)
    mentioned = [each for each in _inside(folder, use.mentions) if each in files]
    reads = [path, *needs, *_inside(folder, use.reads), *mentioned, *library_reads]
    return _Step(
        path=path,
        name=_stage_name(path),
        reads=list(dict.fromkeys(reads)),
        writes=list(dict.fromkeys(_inside(folder, use.writes))),
        is_whole=use.has_unknown or path.endswith(".sh"),
        remarks=remarks,
    )


def _calls_another(path: str, content: bytes, files: set[str]) -> bool:
    """Return whether a shell script starts other scripts: they are the stages, it is their old order."""
    text = content.decode("utf-8", "replace")
    return any(posixpath.basename(other) in text for other in _candidates(files) if other != path)


def _content(path: str, read: Callable[[str], bytes]) -> bytes | None:
    try:
        content = read(path)
    except (OSError, KeyError, ValueError):
        return None
    return content if len(content) <= LARGEST_SCRIPT_BYTES else b"\0"


def _use(path: str, content: bytes) -> Use | None:
    if path.endswith(".ipynb"):
        try:
            notebook = read_notebook(content, path)
        except UserError:
            return None
        code = "\n".join(cell.text for cell in notebook.cells if cell.cell_type == "code")
        if notebook.language != "python":
            return r_use(code)
        return python_use(
            "\n".join("" if line.lstrip()[:1] in ("%", "!") else line for line in code.split("\n"))
        )
    text = content.decode("utf-8", "replace")
    if path.endswith(".py"):
        return python_use(text)
    return r_use(text) if path.lower().endswith(".r") else Use()


def _modules(
    path: str, use: Use, files: set[str], read: Callable[[str], bytes]
) -> tuple[list[str], list[str]]:
    """Return the project's own modules that it imports, near and far, and the files they name."""
    places = list(dict.fromkeys((posixpath.dirname(path), "", "src")))
    found: dict[str, None] = {}
    named: list[str] = []
    pending = list(use.imports)
    seen: set[str] = set()
    while pending:
        module = pending.pop(0)
        if module in seen or not module.strip("."):
            continue
        seen.add(module)
        pending.append(module.rpartition(".")[0])
        for place in places:
            part = posixpath.join(place, module.lstrip(".").replace(".", "/"))
            file = next((each for each in (f"{part}.py", f"{part}/__init__.py") if each in files), None)
            if file is None or file in found or file == path:
                continue
            found[file] = None
            inner = python_use((_content(file, read) or b"").decode("utf-8", "replace"))
            if inner is not None:
                pending += inner.imports
                named += [each for each in _inside("", (*inner.reads, *inner.mentions)) if each in files]
            break
    packages = {posixpath.dirname(each) for each in found if each.endswith("/__init__.py")}
    loose = [each for each in found if not any(each.startswith(f"{package}/") for package in packages)]
    outer = [each for each in sorted(packages) if posixpath.dirname(each) not in packages]
    return [*outer, *loose], named


def _inside(folder: str, written: Iterable[str]) -> Iterator[str]:
    """Yield the paths that lie in the project, spelled as a manifest spells them."""
    for path in written:
        if posixpath.isabs(path) or len(path) > 300:
            continue
        try:
            clean = clean_path(posixpath.normpath(posixpath.join(folder, path)).replace(UNKNOWN, "\uffff"))
        except PathError:
            continue
        yield clean.replace("\uffff", UNKNOWN)


def _stage_name(path: str) -> str:
    stem = posixpath.basename(path).rpartition(".")[0]
    stem = _NUMBER.sub("", stem, count=1) if _NUMBER.match(stem) else stem
    name = re.sub(r"[^A-Za-z0-9_.\-]+", "-", stem).strip("-.")[: LONGEST_NAME - 5]
    return name if NAME.fullmatch(name) else "stage"


def _ordered(steps: Sequence[_Step]) -> list[_Step]:
    """Put each after those that write what it reads, otherwise leave the order; a circle is left as it is."""
    writers: dict[str, int] = {}
    for number, step in enumerate(steps):
        for path in step.writes:
            writers.setdefault(path, number)
    waits = [
        {writers[path] for path in step.reads if path in writers} - {at} for at, step in enumerate(steps)
    ]
    ready = [at for at, others in enumerate(waits) if not others]
    order: list[int] = []
    while len(order) < len(steps):
        if not ready:
            ready = [min(set(range(len(steps))) - set(order))]
        at = heapq.heappop(ready)
        if at in order:
            continue
        order.append(at)
        for other, others in enumerate(waits):
            if at in others:
                others.discard(at)
                if not others:
                    heapq.heappush(ready, other)
    return [steps[at] for at in order]


def _settle(steps: Sequence[_Step], files: set[str]) -> None:
    """Make the guesses fit together: one maker a path, names once, only needs that can be met."""
    names: set[str] = set()
    made: dict[str, str] = {}
    for step in steps:
        base, number = step.name, 2
        while step.name in names:
            step.name, number = f"{base}-{number}", number + 1
        names.add(step.name)
        step.writes = list(_own_writes(step, made, files))
    for step in steps:
        step.reads = list(_met_reads(step, steps, made, files))


def _own_writes(step: _Step, made: dict[str, str], files: set[str]) -> Iterator[str]:
    for raw in step.writes:
        path = raw
        if UNKNOWN in raw:
            path = posixpath.dirname(raw.partition(UNKNOWN)[0])
        if not path or is_glob(path) or path in (LOCK_FILE, MANIFEST_FILE, step.path):
            continue
        if path != raw and any(
            other.startswith(f"{path}/") for other in (*files, *made) if other not in step.writes
        ):
            step.remarks.append(f"It writes files to {path}/ whose names are not known: name them in makes.")
            continue
        clash = next((other for other in made if _overlap(path, other)), None)
        if clash is None:
            made[path] = step.name
            yield path
        elif made[clash] != step.name:
            step.remarks.append(f"It writes {path} too; a path has one maker. Give it another path.")


def _overlap(path: str, other: str) -> bool:
    return path == other or path.startswith(f"{other}/") or other.startswith(f"{path}/")


def _met_reads(
    step: _Step, steps: Sequence[_Step], made: Mapping[str, str], files: set[str]
) -> Iterator[str]:
    above = {other.name for other in steps[: steps.index(step)]}
    folders = {posixpath.dirname(path) for path in files}
    for path in step.reads:
        maker = next((made[other] for other in made if _overlap(path, other)), None)
        if UNKNOWN in path:
            folder = posixpath.dirname(path.partition(UNKNOWN)[0])
            if folder and (folder in folders or made.get(folder) in above):
                yield folder
            else:
                step.is_whole = True
        elif maker == step.name:
            if path in files and path != step.path:
                step.remarks.append(f"It reads and writes {path}; let it write to another path.")
        elif maker in above or (maker is None and (path in files or _is_folder(path, files))):
            yield _MAGIC.sub(r"[\1]", path)
        elif maker is None:
            step.remarks.append(f"It seems to read {path}, which is not in the project (git add it).")


def _is_folder(path: str, files: set[str]) -> bool:
    return any(other.startswith(f"{path}/") for other in files)


def _write(name: str, files: set[str], steps: Sequence[_Step], left_out: int) -> str:
    blocks = [_HEAD]
    if NAME.fullmatch(name) and len(name) <= LONGEST_NAME:
        blocks.append(f"[project]\nname = {_quoted(name)}\n")
    found = next((each for each in _REQUIREMENTS if each in files), None)
    blocks.append(
        f"# The software the stages run in is found in {found}.\n"
        if found
        else "# [runtime]\n"
        '# python = "3.11"\n'
        '# requirements = "requirements.txt"   # write one, so that results can be had again\n'
    )
    others = sorted(path for path in files if _OTHERS.fullmatch(path))
    if others:
        blocks.append(f'# Left alone: {_plain(", ".join(others))}. A stage may call it: run = "make"\n')
    if left_out:
        blocks.append(f"# {left_out} more scripts were found; add those that are stages.\n")
    blocks += [_stage(step) for step in steps] or [_EXAMPLE]
    return "\n".join(blocks)


def _stage(step: _Step) -> str:
    lines = [f"# {_plain(remark)}" for remark in step.remarks]
    lines.append(f"[stages.{step.name if '.' not in step.name else _quoted(step.name)}]")
    quoted = _literal(step.path)
    if step.path.endswith(".ipynb"):
        lines.append(f"notebook = {_quoted(quoted)}")
    else:
        program = {".py": "python", ".sh": "bash"}.get(step.path[-3:], "Rscript")
        lines.append(f"run = {_quoted(f'{program} {_shell(quoted)}')}")
    if step.is_whole:
        lines.append(
            "# needs = [...]   # left out: it is given the whole project; name its files to run it less"
        )
    elif step.reads:
        lines.append(f"needs = {_listed(dict.fromkeys(step.reads))}")
    metrics = [path for path in step.writes if re.search(r"(?:metric|score)[^/]*\.json$", path)]
    figures = [path for path in step.writes if path.lower().endswith(_IMAGES)]
    makes = [path for path in step.writes if path not in metrics and path not in figures]
    lines += [
        f"{key} = {_listed(found)}"
        for key, found in (("makes", makes), ("metrics", metrics), ("figures", figures))
        if found
    ]
    if not step.writes:
        lines.append("# makes = [...]   # no file it writes was found: name those to keep")
    return "\n".join(lines) + "\n"


def _shell(path: str) -> str:
    if re.fullmatch(r"[\w@%+=:,./{}\-]+", path, re.ASCII):
        return path if not path.startswith("-") else f"./{path}"
    return "'" + path.replace("'", "'\"'\"'") + "'"


def _literal(text: str) -> str:
    return _BRACES.sub(r"{{\1}}", text)


def _listed(paths: Iterable[str]) -> str:
    quoted = [_quoted(_literal(path)) for path in paths]
    line = f"[{', '.join(quoted)}]"
    return line if len(line) <= 90 else "[\n" + "".join(f"  {each},\n" for each in quoted) + "]"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _plain(text: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]", "?", text)
