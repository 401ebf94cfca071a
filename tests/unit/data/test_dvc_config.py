"""DVC's configuration, as DVC writes it and as people do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.data.dvc_config import DvcConfig, merge, parse_dvc_config, with_remote
from lockgate.data.dvc_sections import read_sections
from lockgate.errors import UserError

WRITTEN_BY_DVC = """\
[core]
    remote = storage
    autostage = true
['remote "storage"']
    url = s3://bucket/prefix
    endpointurl = http://127.0.0.1:8333
['remote "Other"']
    url = ../elsewhere
[cache]
    type = "reflink,hardlink"
    dir = /scratch/cache
"""


def test_what_dvc_writes() -> None:
    config = parse_dvc_config(WRITTEN_BY_DVC, ".dvc/config")
    assert config.default_remote == "storage"
    assert config.remotes == {
        "storage": {"url": "s3://bucket/prefix", "endpointurl": "http://127.0.0.1:8333"},
        "other": {"url": "../elsewhere"},
    }
    cache = read_sections(WRITTEN_BY_DVC, ".dvc/config")["cache"]
    assert cache == {"type": "reflink,hardlink", "dir": "/scratch/cache"}


def test_comments_quotes_and_a_name_that_is_said_twice() -> None:
    text = (
        "# all\n[core] # one\n remote = a # the first\n[remote \"a\"]\nurl = 's3://x#y' \n[core]\nremote = b"
    )
    assert read_sections(text, "config") == {"core": {"remote": "b"}, 'remote "a"': {"url": "s3://x#y"}}


def test_a_later_file_goes_before_an_earlier_one_option_by_option() -> None:
    local = parse_dvc_config(
        "['remote \"storage\"']\n  access_key_id = A\n  url = s3://mine\n", "config.local"
    )
    merged = merge([parse_dvc_config(WRITTEN_BY_DVC, ".dvc/config"), local])
    assert merged.default_remote == "storage"
    assert merged.remotes["storage"] == {
        "url": "s3://mine",
        "endpointurl": "http://127.0.0.1:8333",
        "access_key_id": "A",
    }


def test_nothing_is_a_configuration() -> None:
    assert parse_dvc_config("", "config") == DvcConfig()


def test_what_is_no_option_is_named_by_its_line() -> None:
    with pytest.raises(UserError, match="config:1") as caught:
        parse_dvc_config("url = x\n", "config")
    assert caught.value.code == "dvc-config-invalid"


def test_the_default_remote_is_set_and_the_rest_stays() -> None:
    text = with_remote(WRITTEN_BY_DVC, "storage", "gs://other")
    assert text == WRITTEN_BY_DVC.replace("s3://bucket/prefix", "gs://other")
    config = parse_dvc_config(with_remote("", "main", "s3://x"), "config")
    assert (config.default_remote, config.remotes) == ("main", {"main": {"url": "s3://x"}})


@given(st.text())
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    try:
        parse_dvc_config(text, "config")
    except UserError as error:
        assert error.code == "dvc-config-invalid"
