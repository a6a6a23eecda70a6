from pathlib import Path

import pytest

from pullrisk import settings
from pullrisk.errors import SettingsError


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory of its own and no PULLRISK_ variables."""
    import os

    for name in [name for name in os.environ if name.startswith("PULLRISK_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_everything_local_lies_under_the_home_folder_by_default() -> None:
    found = settings.load()
    assert found.store_uri == str(Path(".pullrisk/pulls.sqlite"))
    assert found.lake_uri == str(Path(".pullrisk/lake"))
    assert found.tracking_uri == f"sqlite:///{Path('.pullrisk/mlflow.db').absolute()}"


def test_the_command_line_wins_over_the_environment_over_the_file(
    empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (empty_folder / "pullrisk.toml").write_text("workers = 2\nseed = 2\nmaturity_days = 2\n")
    monkeypatch.setenv("PULLRISK_WORKERS", "3")
    monkeypatch.setenv("PULLRISK_SEED", "3")
    found = settings.load(workers=4, seed=None)
    assert (found.workers, found.seed, found.maturity_days) == (4, 3, 2)


def test_the_file_in_the_home_folder_is_read_where_the_working_directory_has_none(
    empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (empty_folder / "home").mkdir()
    (empty_folder / "home" / "pullrisk.toml").write_text("[operating_points]\nhigh = 0.1\n")
    monkeypatch.setenv("PULLRISK_HOME", "home")
    assert settings.load().operating_points.high == 0.1
    assert settings.load(home="elsewhere").operating_points.high == 0.05


def test_a_file_named_by_the_environment_replaces_the_others(
    empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (empty_folder / "pullrisk.toml").write_text("seed = 1\n")
    (empty_folder / "other.toml").write_text("maturity_days = 7\n")
    monkeypatch.setenv("PULLRISK_CONFIG", "other.toml")
    found = settings.load()
    assert (found.seed, found.maturity_days) == (0, 7)


def test_one_part_of_a_nested_setting_leaves_the_others_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PULLRISK_OPERATING_POINTS__ELEVATED", "0.2")
    points = settings.load().operating_points
    assert (points.high, points.elevated) == (0.05, 0.2)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        settings.load().seed = 1


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("PULLRISK_WORKRS", "PULLRISK_WORKERS"),
        ("PULLRISK_OPERATING_POINTS__HIHG", "PULLRISK_OPERATING_POINTS__HIGH"),
        ("PULLRISK_STOER", "PULLRISK_STORE"),
    ],
)
def test_an_unknown_variable_is_an_error_that_names_the_one_meant(
    variable: str, meant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "1")
    with pytest.raises(SettingsError, match=f"{variable}\n  did you mean {meant}"):
        settings.load()


def test_an_unknown_name_in_the_file_is_an_error_that_names_the_one_meant(
    empty_folder: Path,
) -> None:
    (empty_folder / "pullrisk.toml").write_text("maturity = 3\n")
    with pytest.raises(SettingsError, match=r"pullrisk\.toml: maturity\n.*maturity_days"):
        settings.load()


@pytest.mark.parametrize(
    ("variable", "value", "complaint"),
    [
        ("PULLRISK_WORKERS", "many", r"workers is 'many' \(from PULLRISK_WORKERS\).*integer"),
        ("PULLRISK_WORKERS", "0", r"workers is '0'.*greater than or equal to 1"),
        ("PULLRISK_MATURITY_DAYS", "-1", r"maturity_days.*\n.*default 90"),
        ("PULLRISK_LOG_FORMAT", "xml", r"'console' or 'json'"),
        ("PULLRISK_OPERATING_POINTS__HIGH", "2", r"operating_points\.high is '2'.*less than 1"),
        ("PULLRISK_OPERATING_POINTS__HIGH", "0.9", r"together must stay below 1"),
    ],
)
def test_a_value_out_of_range_is_named_with_its_source_and_what_it_may_be(
    variable: str, value: str, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=complaint):
        settings.load()


def test_a_wrong_value_in_the_file_names_the_file(empty_folder: Path) -> None:
    (empty_folder / "pullrisk.toml").write_text('workers = "x"\n')
    with pytest.raises(SettingsError, match=r"from pullrisk\.toml"):
        settings.load()


def test_a_wrong_option_names_the_command_line() -> None:
    with pytest.raises(SettingsError, match="from the command line"):
        settings.load(workers=0)


def test_a_file_that_is_no_toml_is_named(empty_folder: Path) -> None:
    (empty_folder / "pullrisk.toml").write_text("workers: 3\n")
    with pytest.raises(SettingsError, match=r"settings file pullrisk\.toml cannot be read"):
        settings.load()


def test_a_missing_file_that_the_environment_names_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PULLRISK_CONFIG", "nowhere.toml")
    with pytest.raises(SettingsError, match=r"nowhere\.toml, which is no file"):
        settings.load()


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULLRISK_HOME", "")
    assert settings.load().home == Path(".pullrisk")


@pytest.mark.parametrize("password", ["secret", "se/cr@et", "two words"])
def test_a_password_in_a_uri_is_never_shown(monkeypatch: pytest.MonkeyPatch, password: str) -> None:
    monkeypatch.setenv("PULLRISK_WORKERS", f"https://user:{password}@host/x")
    with pytest.raises(SettingsError) as caught:
        settings.load()
    assert "workers is 'https://***@host/x'" in str(caught.value)


def test_bots_are_named_in_the_file_and_in_the_environment(
    empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (empty_folder / "pullrisk.toml").write_text('[bots]\nadd = ["release-team"]\n')
    monkeypatch.setenv("PULLRISK_BOTS__REMOVE", '["Jan-Bot"]')
    assert settings.load().bots.model_dump() == {"add": ("release-team",), "remove": ("Jan-Bot",)}
