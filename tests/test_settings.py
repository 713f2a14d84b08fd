"""Settings: defaults < file < environment < flags, and what cannot be is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from ontoprompt.errors import UsageError
from ontoprompt.settings import (
    Settings,
    default_graph,
    default_index_dir,
    load_settings,
    named_index_dir,
    user_data_dir,
)


def test_nothing_said_gives_the_defaults() -> None:
    assert load_settings() == Settings()
    assert load_settings(index=None, top_k=None) == Settings()


def test_each_source_overrides_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('top-k = 5\ncandidates = 2\nkg = "a.ttl"\ntimeout = 7\n')
    monkeypatch.setenv("ONTOPROMPT_CONFIG", str(file))
    monkeypatch.setenv("ONTOPROMPT_CANDIDATES", "3")
    monkeypatch.setenv("ONTOPROMPT_KG", "b.ttl")
    settings = load_settings(kg="c.ttl")
    assert (settings.top_k, settings.candidates, settings.kg, settings.timeout) == (5, 3, "c.ttl", 7.0)
    assert isinstance(settings.timeout, float)


def test_the_file_is_found_in_the_users_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONTOPROMPT_HOME", str(tmp_path))
    (tmp_path / "config.toml").write_text("limit = 9")
    assert load_settings().limit == 9


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("colour = 1", "no setting 'colour'"),
        ('top_k = "many"', "'top_k'"),
        ("top_k = 0", "'top_k'"),
        ("candidates = -1", "'candidates'"),
        ("timeout = nan", "'timeout'"),
        ("limit = 0", "'limit'"),
        ("top_k = 2.5", "'top_k'"),
        ("kg = [1]", "'kg'"),
        ("top_k = true", "'top_k'"),
        ("top_k = ", "cannot be read"),
        ("\udcff", "cannot be read"),
    ],
)
def test_what_cannot_be_is_named_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, says: str
) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    monkeypatch.setenv("ONTOPROMPT_CONFIG", str(file))
    with pytest.raises(UsageError) as caught:
        load_settings()
    assert says in caught.value.message and str(file) in caught.value.message and caught.value.hint


@pytest.mark.parametrize("value", ["0", "-5", "1e3", "many", "41"])
def test_the_environment_is_held_to_the_same_bounds(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("ONTOPROMPT_TOP_K", value)
    with pytest.raises(UsageError, match="environment"):
        load_settings()


def test_a_configuration_that_was_named_and_is_not_there_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONTOPROMPT_CONFIG", str(tmp_path / "none.toml"))
    with pytest.raises(UsageError, match="none.toml"):
        load_settings()


def test_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    assert user_data_dir() == home / ".local" / "share" / "ontoprompt"
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert user_data_dir() == tmp_path / "data" / "ontoprompt"
    monkeypatch.setenv("ONTOPROMPT_HOME", str(tmp_path))
    assert named_index_dir("mine") == tmp_path / "indexes" / "mine"
    assert default_graph().is_file() and (default_index_dir() / "manifest.json").is_file()


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "a/b", "a\\b", "a\0b"])
def test_a_name_cannot_leave_the_folder_of_indexes(name: str) -> None:
    with pytest.raises(UsageError):
        named_index_dir(name)
