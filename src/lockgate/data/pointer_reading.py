"""Reading a `.dvc` file that says more than `dvc add` does: imports, descriptions, DVC 2's form."""

from __future__ import annotations

import re

from lockgate.data.output import Output, Pointer, invalid, listing_digest, resolve
from lockgate.errors import UserError
from lockgate.project.yaml_text import Document, Path, Value

_TOP = ("md5", "wdir", "deps", "outs", "frozen", "locked", "meta", "always_changed", "desc")
_CHECKSUMS = ("md5", "checksum", "etag")
_OUTPUT = (
    *_CHECKSUMS,
    *("size", "nfiles", "isexec", "version_id", "path", "persist", "cloud", "hash", "desc", "type", "labels"),
    *("meta", "cache", "remote", "push", "files", "fs_config", "metric", "plot"),
)
_MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")


def read_pointer(text: str, file: str) -> Pointer:
    """Raises `UserError` (`pointer-invalid`)."""
    return _Reader(text, file).pointer()


class _Reader:
    def __init__(self, text: str, file: str) -> None:
        self.file = file
        try:
            self.document = Document(text, file)
        except UserError as problem:
            raise invalid(problem.message, problem.hint) from None

    def pointer(self) -> Pointer:
        top = self.table(self.document.value or {}, ())
        if "cmd" in top:
            raise self.wrong(("cmd",), "is a stage of DVC 0.x, not a pointer", "Move it into a dvc.yaml.")
        self.known(top, (), _TOP)
        wdir = self.text(top, "wdir", ()) or "."
        outs = top.get("outs")
        if not isinstance(outs, list) or not outs:
            raise self.wrong(("outs",), "names no data", "Write `outs:` with the `path` of a file or folder.")
        dependencies = top.get("deps") or []
        if not isinstance(dependencies, list):
            raise self.wrong(("deps",), "`deps` is not a list", "Write - in front of each.")
        return Pointer(
            self.file,
            tuple(self.output(out, ("outs", str(number)), wdir) for number, out in enumerate(outs)),
            desc=self.text(top, "desc", ()),
            meta=top.get("meta"),
            dependencies=tuple(
                self.table(each, ("deps", str(number))) for number, each in enumerate(dependencies)
            ),
            is_frozen=self.truth(top, "frozen", ()) or self.truth(top, "locked", ()),
            md5=self.text(top, "md5", ()),
        )

    def output(self, value: Value, at: Path, wdir: str) -> Output:
        table = self.table(value, at)
        self.known(table, at, _OUTPUT)
        path = self.text(table, "path", at)
        if not path:
            raise self.wrong(at, "an output without `path`", "Add the path of the file or folder.")
        place = resolve(self.file, wdir, path)
        if place is None:
            raise self.wrong(
                (*at, "path"), f"{path} lies outside the repository", "Move the data into the repository."
            )
        return Output(
            place,
            self.digest(table, at),
            self.number(table, "size", at),
            self.number(table, "nfiles", at),
            is_legacy=table.get("hash") is None and "md5" in table,
            is_cached=self.truth(table, "cache", at, True),
            is_executable=self.truth(table, "isexec", at),
            desc=self.text(table, "desc", at),
            type=self.text(table, "type", at),
            labels=self.labels(table, at),
            meta=table.get("meta"),
            remote=self.text(table, "remote", at),
            push=self.truth(table, "push", at, True),
        )

    def digest(self, table: dict[str, Value], at: Path) -> str | None:
        if table.get("hash") not in (None, "md5"):
            raise self.wrong((*at, "hash"), f"the digest {table['hash']} is unknown", "Only md5 is.")
        md5 = table.get("md5")
        if md5 is None or md5 == "":
            return listing_digest(table.get("files"))
        # As DVC's CHECKSUM_SCHEMA: digits alone are a number to YAML, and letters may be large
        text = str(md5).lower()
        if isinstance(md5, bool | float | list | dict) or not _MD5.fullmatch(text):
            raise self.wrong(
                (*at, "md5"), "`md5` is no digest", "32 hexadecimal digits; `.dir` after them for a folder."
            )
        return text

    def labels(self, table: dict[str, Value], at: Path) -> tuple[str, ...]:
        labels = table.get("labels") or []
        if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
            raise self.wrong((*at, "labels"), "`labels` is no list of words", "Write: labels: [one, two]")
        return tuple(str(label) for label in labels)

    def table(self, value: Value, at: Path) -> dict[str, Value]:
        if not isinstance(value, dict):
            raise self.wrong(at, "is no table of names and values", "Write it as `name: value`.")
        return value

    def text(self, table: dict[str, Value], key: str, at: Path) -> str | None:
        value = table.get(key)
        if value is None or isinstance(value, str):
            return value
        raise self.wrong((*at, key), f"`{key}` is not text", "Put it between quotation marks.")

    def truth(self, table: dict[str, Value], key: str, at: Path, default: bool = False) -> bool:
        value = table.get(key, default)
        if isinstance(value, bool):
            return value
        raise self.wrong((*at, key), f"`{key}` is neither true nor false", "Write true or false.")

    def number(self, table: dict[str, Value], key: str, at: Path) -> int | None:
        value = table.get(key)
        if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
            return value
        raise self.wrong((*at, key), f"`{key}` is not a whole number", "Write it without a unit.")

    def known(self, table: dict[str, Value], at: Path, keys: tuple[str, ...]) -> None:
        for key in table:
            if key not in keys:
                raise self.wrong((*at, key), f"DVC has no key `{key}` here", f"It has {', '.join(keys)}.")

    def wrong(self, at: Path, message: str, hint: str) -> UserError:
        return self.document.error(at, message, hint, "pointer-invalid")
