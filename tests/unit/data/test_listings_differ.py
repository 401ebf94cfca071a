"""Listings of folders as DVC writes them, and what two of them do not share."""

from __future__ import annotations

import json

from hypothesis import example, given
from hypothesis import strategies as st

from lockgate.data.listing import difference, files_of, listing_of

ONE, OTHER, THIRD = "1" * 32, "2" * 32, "3" * 32

_names = st.text(st.sampled_from('ab/."\\é, {}:') | st.characters(codec="utf-8"), min_size=1, max_size=6)
_files = st.dictionaries(_names, st.sampled_from([ONE, OTHER, THIRD]), min_size=1, max_size=8)


def _apart(old: dict[str, str], new: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    return (
        {path: md5 for path, md5 in old.items() if new.get(path) != md5},
        {path: md5 for path, md5 in new.items() if old.get(path) != md5},
    )


@given(_files)
def test_a_listing_is_what_json_makes_of_it(files: dict[str, str]) -> None:
    content = listing_of(files)
    assert content == json.dumps([{"md5": files[path], "relpath": path} for path in sorted(files)]).encode()
    assert files_of(content) == files


@given(_files, _files)
@example({"a": ONE}, {"a": ONE})
@example({"a": ONE, "b": ONE, "c": ONE}, {"a": ONE, "c": ONE})
@example({"a": ONE, "c": ONE}, {"a": ONE, "b": ONE, "c": ONE})
@example({"a": ONE, "b": ONE}, {"b": ONE})
@example({"a": ONE}, {"b": OTHER, "c": ONE})
def test_the_difference_is_that_of_the_files(old: dict[str, str], new: dict[str, str]) -> None:
    found = difference(listing_of(old), listing_of(new), len(old))
    assert found == _apart(old, new) or (found is None and '"' in "".join(old))


@given(_files.flatmap(lambda files: st.tuples(st.just(files), st.sampled_from(sorted(files)))))
def test_one_of_many_that_changed_is_found_alone(files_and_path: tuple[dict[str, str], str]) -> None:
    old, path = files_and_path
    many = {f"m/{number:03}": ONE for number in range(200)} | {
        name: md5 for name, md5 in old.items() if '"' not in name
    }
    new = many | {path: OTHER}
    assert difference(listing_of(many), listing_of(new), len(many)) == _apart(many, new)


def test_a_listing_written_by_hand_is_compared_as_a_whole() -> None:
    plain = listing_of({"a": ONE, "b": ONE})
    loose = json.dumps([{"relpath": "a", "md5": ONE}, {"relpath": "b", "md5": OTHER}]).encode()
    twice = b'[{"md5": "%s", "relpath": "a"}, {"md5": "%s", "relpath": "a"}]' % (ONE.encode(), OTHER.encode())
    nested = plain[:-2] + b', "more": [{"x": "y"}, {"md5": "z"}]}]'
    for old, new, count in (
        (loose, plain, 2),
        (plain, loose, 2),
        (twice, plain, 1),
        (nested, plain, 2),
        (plain, plain[:-9], 2),
        (plain, plain[:-2] + b'"}]', 2),
        (plain, b"[]", 2),
        (plain, plain, 3),
    ):
        assert difference(old, new, count) is None, (old, new)
    assert difference(plain, twice, 2) == ({"b": ONE}, {"a": OTHER}), "whoever asks knows that there is an a"
