from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.errors import UserError
from lockgate.hub.directory import Hub
from lockgate.web.settings import Settings, read_settings


def test_without_a_file_everything_is_as_by_default(tmp_path: Path) -> None:
    assert read_settings(Hub(tmp_path)) == Settings()


def test_the_prefix_is_that_of_the_public_address(tmp_path: Path) -> None:
    (tmp_path / "hub.toml").write_text('[service]\npublic_url = "https://h.example.org/a/b/"\n')
    settings = read_settings(Hub(tmp_path))
    assert (settings.prefix, settings.public_url) == ("/a/b", "https://h.example.org/a/b")
    assert settings.is_https


@pytest.mark.parametrize(
    "text",
    [
        "[service]\nport = ",
        "[service]\nsesion_days = 3",
        '[service]\nsession_days = "long"',
        '[service]\npublic_url = "hub.example.org"',
        '[service]\nprefix = "/a/<b>"',
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "hub.toml").write_text(text)
    with pytest.raises(UserError) as caught:
        read_settings(Hub(tmp_path))
    assert caught.value.code == "hub-settings"
