"""Which files a script reads and writes, as far as its text tells: a guess to start from, nothing more."""

from __future__ import annotations

import ast
import posixpath
import re
import warnings
from collections.abc import Iterator

import msgspec

#: Stands in a guessed path for what only running the script would tell.
UNKNOWN = "\0"

_READERS = re.compile(
    r"(?:read_(?!text$|bytes$)\w+|open|load|loadtxt|genfromtxt|imread|scan_\w+|from_file|fread)$"
)
_WRITERS = re.compile(
    r"(?:to_(?:csv|parquet|json|excel|pickle|html|feather|hdf|stata|latex|markdown|netcdf|zarr|file)"
    r"|write_(?:csv|parquet|json|html|image|excel|ipc|ndjson)|savefig|save|savez|savez_compressed|savetxt"
    r"|imsave|imwrite|dump|save_model)$"
)
#: The path comes second, as in joblib.dump(model, path).
_PATH_SECOND = frozenset({"dump"})
_PATH_KEYWORDS = frozenset(
    {"path", "file", "filename", "fname", "filepath_or_buffer", "path_or_buf", "io", "fp"}
)
_METHODS = {"read_text": "r", "read_bytes": "r", "write_text": "w", "write_bytes": "w"}
_PATH_MAKERS = frozenset({"Path", "PurePath", "PosixPath", "join", "str", "fspath"})

_R_READ = re.compile(
    r"\b(?:read(?:\.csv2?|\.table|\.delim|_\w+|RDS|Lines|xl)|fread|load|source|scan)\s*\(([^)\n]*)"
)
_R_WRITE = re.compile(
    r"\b(?:write(?:\.csv2?|\.table|_\w+|Lines)?|fwrite|saveRDS|save|ggsave|png|pdf|svg|jpeg|sink)\s*\(([^\n]*)"
)
_R_TEXT = re.compile(r"\"([^\"\n]*)\"|'([^'\n]*)'")


class Use(msgspec.Struct, frozen=True):
    """What a script does with files. Paths are as written, `UNKNOWN` in place of what is not spelled out."""

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    mentions: tuple[str, ...] = ()
    """Texts in it that may be names of files it reads."""
    imports: tuple[str, ...] = ()
    """Modules it imports, as `pkg.part`; those of its own package with their dots in front."""
    has_unknown: bool = False
    """Whether it reads something that its text does not name."""
    does_something: bool = True
    """Whether running it does anything, rather than define what others import."""


def parse_python(text: str) -> ast.Module | None:
    """Return the syntax tree, None for what is no valid Python; nothing is printed about odd spellings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def python_use(text: str) -> Use | None:
    """Return what Python code does with files; None when it is no valid Python."""
    tree = parse_python(text)
    if tree is None:
        return None
    finder = _Finder(tree)
    try:
        finder.visit(tree)
    except RecursionError:
        return None
    return Use(
        reads=tuple(dict.fromkeys(finder.reads)),
        writes=tuple(dict.fromkeys(finder.writes)),
        mentions=tuple(dict.fromkeys(finder.mentions)),
        imports=tuple(dict.fromkeys(finder.imports)),
        has_unknown=finder.has_unknown,
        does_something=any(map(_acts, tree.body)),
    )


def r_use(text: str) -> Use:
    """Return what R code does with files, line by line."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    reads: list[str] = []
    writes: list[str] = []
    has_unknown = False
    for line in lines:
        for found in _R_WRITE.finditer(line):
            writes += [each for each in _r_texts(found[1])[-1:] if "." in each or "/" in each]
        for found in _R_READ.finditer(line):
            named = _r_texts(found[1])[:1]
            reads += named
            has_unknown |= not named
    return Use(
        reads=tuple(dict.fromkeys(reads)),
        writes=tuple(dict.fromkeys(writes)),
        mentions=tuple(dict.fromkeys(each for line in lines for each in _r_texts(line))),
        has_unknown=has_unknown,
    )


def _r_texts(code: str) -> list[str]:
    return [found[1] or found[2] for found in _R_TEXT.finditer(code) if found[1] or found[2]]


def _acts(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Import):
        return False
    if isinstance(statement, ast.ImportFrom | ast.Pass):
        return False
    if isinstance(statement, ast.Expr):
        return not isinstance(statement.value, ast.Constant)
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        return any(
            isinstance(node, ast.Call) and _name(node.func) not in _PATH_MAKERS
            for node in ast.walk(statement)
        )
    return not (isinstance(statement, ast.If) and _name(statement.test) == "TYPE_CHECKING")


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


class _Finder(ast.NodeVisitor):
    def __init__(self, tree: ast.Module) -> None:
        self.reads: list[str] = []
        self.writes: list[str] = []
        self.mentions: list[str] = []
        self.imports: list[str] = []
        self.has_unknown = False
        self.names: dict[str, str] = {}
        for statement in tree.body:
            if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
                target = _name(statement.targets[0])
                value = self.text(statement.value)
                if target and value and UNKNOWN not in value:
                    self.names[target] = value

    def text(self, node: ast.expr) -> str | None:
        """Return the path an expression spells, with `UNKNOWN` in it where it is open; None if it is none."""
        if isinstance(node, ast.Constant):
            return node.value if isinstance(node.value, str) and UNKNOWN not in node.value else None
        if isinstance(node, ast.Name):
            return self.names.get(node.id)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            return self.joined([node.left, node.right])
        if isinstance(node, ast.Call) and _name(node.func) in _PATH_MAKERS and node.args:
            return self.joined(node.args)
        if isinstance(node, ast.JoinedStr):
            return "".join(self.part(value) for value in node.values)
        return None

    def joined(self, nodes: list[ast.expr]) -> str | None:
        first = self.text(nodes[0])
        if first is None:
            return None
        return posixpath.join(first, *(self.text(node) or UNKNOWN for node in nodes[1:]))

    def part(self, node: ast.expr) -> str:
        if isinstance(node, ast.FormattedValue):
            return (self.text(node.value) if isinstance(node.value, ast.Name) else None) or UNKNOWN
        return self.text(node) or UNKNOWN

    def visit_Import(self, node: ast.Import) -> None:
        self.imports += [alias.name for alias in node.names]

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = "." * node.level + (node.module or "")
        joint = "" if base.endswith(".") or not base else "."
        self.imports += [base] if node.module else []
        self.imports += [f"{base}{joint}{alias.name}" for alias in node.names if alias.name != "*"]

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str) and 0 < len(node.value) < 300 and "\n" not in node.value:
            self.mentions.append(node.value)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        joined = self.text(node)
        if joined is not None and UNKNOWN not in joined:
            self.mentions.append(joined)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = _name(node.func)
        owner = node.func.value if isinstance(node.func, ast.Attribute) else None
        path = self.text(owner) if owner is not None else None
        if name in _METHODS or (name == "open" and path is not None):
            mode = _METHODS.get(name) or self.mode(node, 0)
            self.note(path, mode)
        elif name == "open":
            self.note(self.argument(node, 0), self.mode(node, 1))
        elif _WRITERS.match(name):
            self.note(self.argument(node, 1 if name in _PATH_SECOND else 0), "w")
        elif _READERS.match(name) and (name != "load" or self.argument(node, 0) is not None):
            self.note(self.argument(node, 0), "r")
        self.generic_visit(node)

    def argument(self, node: ast.Call, position: int) -> str | None:
        if len(node.args) > position:
            return self.text(node.args[position])
        values = (keyword.value for keyword in node.keywords if keyword.arg in _PATH_KEYWORDS)
        value = next(values, None)
        return self.text(value) if value is not None else None

    def mode(self, node: ast.Call, position: int) -> str:
        values: Iterator[ast.expr] = (keyword.value for keyword in node.keywords if keyword.arg == "mode")
        mode = node.args[position] if len(node.args) > position else next(values, None)
        return mode.value if isinstance(mode, ast.Constant) and isinstance(mode.value, str) else "r"

    def note(self, path: str | None, mode: str) -> None:
        is_write = any(letter in mode for letter in "wax")
        if path is None:
            self.has_unknown |= not is_write
        elif is_write:
            self.writes.append(path)
        else:
            self.reads.append(path)
