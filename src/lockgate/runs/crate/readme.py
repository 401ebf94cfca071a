"""`README.md` of a crate: what it is, for who unpacks it without knowing Lockgate."""

from __future__ import annotations

from lockgate.runs.crate.contents import (
    ARTIFACTS,
    BUNDLE,
    DATA,
    MANIFEST,
    METADATA,
    OBJECTS,
    PROVENANCE,
    PUBLIC_KEY,
    RUNTIME,
    SOURCES,
    Crate,
)
from lockgate.runs.runid import short

_LIMIT = 100


def readme(crate: Crate) -> bytes:
    """Return the file's bytes."""
    main = crate.main
    parts = {
        ARTIFACTS: "what the run made",
        SOURCES: "the sources its stages read",
        DATA: "data that is not in git",
        OBJECTS: "other bytes, by md5",
        BUNDLE: "all commits and the signed record; `git clone` reads it",
        PUBLIC_KEY: f"the key that signed them, {crate.hub}",
        RUNTIME: "the software the stages ran in, locked",
        PROVENANCE: "the record as W3C PROV",
        METADATA: "the description of it all, by RO-Crate",
        MANIFEST: "the list of files with their digests",
    }
    lines = [
        f"# {crate.about.title}",
        "",
        crate.about.description,
        "",
        f"Run {short(main.id)} of {crate.project} by {main.member} {main.outcome}, {main.ended_at}.",
        "",
        "```sh",
        "pip install lockgate",
        "lockgate import FILE.zip      # a project that runs, everything in it verified",
        "lockgate run                  # what is known already is not run again",
        "```",
        "",
        *(f"- `{path}`: {words}" for path, words in parts.items() if _is_there(crate, path)),
    ]
    if crate.left_out:
        lines += ["", "Not in this file:", ""]
        lines += [
            f"- `{each.name}`, md5 {each.md5}, at {each.remote or 'no remote'}"
            for each in crate.left_out[:_LIMIT]
        ]
        if len(crate.left_out) > _LIMIT:
            lines.append(f"- … and {len(crate.left_out) - _LIMIT} more")
    return "\n".join([*lines, ""]).encode()


def _is_there(crate: Crate, path: str) -> bool:
    if path in (METADATA, MANIFEST):
        return True
    return any(
        file.path == path or (path.endswith("/") and file.path.startswith(path)) for file in crate.files
    )
