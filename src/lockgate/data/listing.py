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


def difference(old: bytes, new: bytes, count: int) -> tuple[dict[str, str], dict[str, str]] | None:
    """Return path → md5 of what only the old and of what only the new listing has, unpacking what lies
    between their common ends alone; None: compare the whole.

    `old` is one that `files_of` reads as `count` files. A path that only the new one has must be in no row
    that both have: whoever knows the old files looks.
    """
    head, between, within, end = (each.encode() for each in (_HEAD, _BETWEEN, _WITHIN, _END))
    if not all(each.startswith(head) and each.endswith(end) for each in (old, new)):
        return None
    # With these and no other quotes there is nothing in it but rows of this form, and no path twice
    if (old.count(b'"'), old.count(between), old.count(within)) != (8 * count, count - 1, count):
        return None
    start, end_length = _common_ends(old, new)
    cut = old.rfind(between, 0, start)
    start = cut + len(between) if cut >= 0 else len(head)
    cut = old.find(between, len(old) - end_length)
    end_length = len(old) - cut if cut >= 0 else len(end)
    try:
        here, there = (files_of(head + each[start : len(each) - end_length] + end) for each in (old, new))
    except ValueError:
        return None
    if new.count(between, start, len(new) - end_length) != len(there) - 1:
        return None
    return (
        {path: md5 for path, md5 in here.items() if there.get(path) != md5},
        {path: md5 for path, md5 in there.items() if here.get(path) != md5},
    )


def _common_ends(one: bytes, other: bytes) -> tuple[int, int]:
    """Return how many bytes at the start and how many at the end are the same in both, none counted twice."""
    shorter = min(len(one), len(other))
    low, high = 0, shorter
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    start = low
    low, high = 0, shorter - start
    while low < high:
        middle = (low + high + 1) // 2
        if one[len(one) - middle : len(one) - low] == other[len(other) - middle : len(other) - low]:
            low = middle
        else:
            high = middle - 1
    return start, low
