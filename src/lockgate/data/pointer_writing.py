"""Writing a `.dvc` file as DVC writes it: through the same YAML library, into what is there already."""

from __future__ import annotations

import io
import posixpath
from typing import Any

from ruamel.yaml import YAML

from lockgate.data.output import Output, Pointer, relative


def rewrite_pointer(pointer: Pointer, old_text: str | None) -> str:
    """Return the text; what `old_text` says and `pointer` does not contradict stays as it stands."""
    yaml = YAML()
    yaml.default_flow_style = False
    top = yaml.load(old_text) if old_text else None
    if top is None:
        top = {}
    _apply(top, _declaration(pointer))
    folder = posixpath.join(posixpath.dirname(pointer.file), top.get("wdir") or ".")
    folder = posixpath.normpath(folder) if folder != "." else ""
    outs = top.setdefault("outs", []) or []
    top["outs"] = _outputs(outs, pointer, "" if folder == "." else folder)
    if pointer.dependencies and list(pointer.dependencies) != [dict(each) for each in top.get("deps") or []]:
        top["deps"] = [dict(each) for each in pointer.dependencies]
    elif not pointer.dependencies:
        top.pop("deps", None)
    stream = io.StringIO()
    yaml.dump(top if old_text else _in_order(top), stream)
    return stream.getvalue()


#: The order of DVC's `get_dump` (dvc/stage/utils.py).
_TOP_ORDER = ("desc", "md5", "wdir", "frozen", "deps", "outs", "always_changed", "meta")


def _in_order(top: dict[str, Any]) -> dict[str, Any]:
    return {key: top[key] for key in _TOP_ORDER if key in top}


def _declaration(pointer: Pointer) -> dict[str, Any]:
    return {
        "desc": pointer.desc,
        "md5": pointer.md5,
        "frozen": pointer.is_frozen or None,
        "meta": pointer.meta,
    }


def _outputs(there: Any, pointer: Pointer, folder: str) -> Any:
    """Return the list of outputs: the old one brought up to date where it names the same paths."""
    by_path = {posixpath.normpath(posixpath.join(folder, out["path"])): out for out in there}
    if list(by_path) == [output.path for output in pointer.outputs]:
        for output in pointer.outputs:
            _update(by_path[output.path], output)
        return there
    outs = []
    for output in pointer.outputs:
        out = by_path.get(output.path, {"path": relative(output.path, folder)})
        outs.append(_new(output, out["path"]) if len(out) == 1 else _update(out, output))
    return outs


def _update(out: Any, output: Output) -> Any:
    wanted = _facts(output, out["path"])
    if wanted["md5"] != out.get("md5"):
        for key in ("files", "cloud", "etag", "checksum", "version_id"):
            out.pop(key, None)
        if "hash" not in out and not output.is_legacy:
            place = list(out).index("path")
            if hasattr(out, "insert"):
                out.insert(place, "hash", "md5")
    _apply(out, wanted)
    return out


def _new(output: Output, path: str) -> dict[str, Any]:
    return {key: value for key, value in _facts(output, path).items() if value is not None}


def _facts(output: Output, path: str) -> dict[str, Any]:
    """Return what a pointer says of an output, in DVC's order (`Output.dumpd`); None: it is not said."""
    return {
        "md5": output.md5,
        "size": output.size_bytes,
        "nfiles": output.file_count,
        "isexec": output.is_executable or None,
        "hash": None if output.is_legacy else "md5",
        "path": path,
        "desc": output.desc,
        "type": output.type,
        "labels": list(output.labels) or None,
        "meta": output.meta,
        "cache": None if output.is_cached else False,
        "remote": output.remote,
        "push": None if output.push else False,
    }


def _apply(table: Any, facts: dict[str, Any]) -> None:
    for key, value in facts.items():
        if value is None:
            if key in table and (table[key] or None) != _DEFAULTS.get(key):
                del table[key]
        elif key not in table or table[key] != value:
            table[key] = value


#: What holds of a key that is not there, where that is more than nothing.
_DEFAULTS = {"cache": True, "push": True}
