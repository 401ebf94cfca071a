"""A folder's listing (DVC's `.dir` object) as text, without a JSON library where the text is plain."""

from __future__ import annotations

_HEAD = '[{"md5": "'
_BETWEEN = '"}, {"md5": "'
_WITHIN = '", "relpath": "'
_END = '"}]'


def listing_of(files: dict[str, str]) -> bytes:
    """Return the bytes DVC keeps for a folder of these files (path → md5), sorted by path.

    Python's own JSON spacing and escapes, since DVC hashes exactly these (dvc-data, `hashfile/tree.py`).
    """
    if not files:
        return b"[]"
    paths = sorted(files)
    whole = "".join(paths)
    if whole.isascii() and whole.isprintable() and '"' not in whole and "\\" not in whole:
        rows = _BETWEEN.join([files[path] + _WITHIN + path for path in paths])
        return (_HEAD + rows + _END).encode()
    import json  # noqa: PLC0415  (for names that need escapes)

    return json.dumps([{"md5": files[path], "relpath": path} for path in paths]).encode()


def files_of(content: bytes) -> dict[str, str]:
    """Return path → md5 of a listing. Raises `ValueError` where it is damaged."""
    text = content.decode() if content.isascii() else ""
    if text.startswith(_HEAD) and text.endswith(_END) and text.isprintable() and "\\" not in text:
        pairs = [row.split(_WITHIN) for row in text[len(_HEAD) : -len(_END)].split(_BETWEEN)]
        # With no quotes but those of the form, what was cut apart is just what stands there
        if text.count('"') == 8 * len(pairs) and all(len(pair) == 2 and len(pair[0]) == 32 for pair in pairs):
            return {path: md5 for md5, path in pairs}
    import json  # noqa: PLC0415  (for what is not written as DVC writes it today)

    try:
        return {str(row["relpath"]): str(row["md5"]) for row in json.loads(content)}
    except (KeyError, TypeError) as error:
        raise ValueError(f"no listing of files: {error}") from None
