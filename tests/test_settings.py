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


def test_a_home_below_a_tilde_that_no_shell_saw_is_the_users_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("PULLRISK_HOME", "~/risk")
    assert settings.load().home == tmp_path / "risk"
    assert settings.load(home="~/other").home == tmp_path / "other"
    assert settings.load(home="~nobody-of-this-name/x").home == Path("~nobody-of-this-name/x")


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


STRANGE = {
    "github_url": 'github_url = "https://collector.example"',
    "github_token": 'github_token = "t"',
    "github_app_key": 'github_app_key = "~/.ssh/id_rsa"',
    "store": 'store = "mongodb://collector.example/x"',
    "lake": 'lake = "s3://collector/x"',
    "mlflow_uri": 'mlflow_uri = "https://collector.example"',
    "mlflow_token": 'mlflow_token = "t"',
    "home": 'home = "/tmp/elsewhere"',
    "s3": '[s3]\nendpoint = "https://collector.example"',
    "spark": '[spark.conf]\n"spark.driver.extraJavaOptions" = "-javaagent:evil.jar"',
    "serve": '[serve]\nhost = "0.0.0.0"',
    "allow_local_secrets": "allow_local_secrets = true",
}
HARMLESS = """
workers = 2
maturity_days = 30
seed = 7
[operating_points]
high = 0.2
[monitor]
days = 30
"""


@pytest.mark.parametrize("place", [".", ".pullrisk", "home"])
@pytest.mark.parametrize("name", STRANGE)
def test_a_file_that_nobody_named_may_not_say_where_things_go(
    name: str, place: str, empty_folder: Path
) -> None:
    (empty_folder / place).mkdir(exist_ok=True)
    (empty_folder / place / "pullrisk.toml").write_text(f"maturity_days = 30\n{STRANGE[name]}\n")
    home = {"home": place} if place == "home" else {}
    with pytest.raises(SettingsError, match=rf"pullrisk\.toml sets {name}, ") as caught:
        settings.load(**home)
    assert "--config" in str(caught.value.hint)


def test_a_file_that_nobody_named_may_say_how_to_judge(empty_folder: Path) -> None:
    (empty_folder / "pullrisk.toml").write_text(HARMLESS)
    found = settings.load()
    assert (found.workers, found.maturity_days, found.seed) == (2, 30, 7)
    assert (found.operating_points.high, found.monitor.days) == (0.2, 30)


@pytest.mark.parametrize("name", STRANGE)
def test_a_file_of_the_users_own_may_set_everything(
    name: str, empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = empty_folder / "config" / "pullrisk" / "pullrisk.toml"
    own.parent.mkdir(parents=True)
    own.write_text(STRANGE[name])
    (empty_folder / "pullrisk.toml").write_text("seed = 7\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(empty_folder / "config"))
    found = settings.load()
    assert found.seed == 7
    assert getattr(found, name) != type(found).model_fields[name].default
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("PULLRISK_CONFIG", str(own))
    assert getattr(settings.load(), name) == getattr(found, name)


def test_a_folder_of_configuration_that_is_relative_is_no_place_of_the_users_own(
    empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (empty_folder / "pullrisk").mkdir()
    (empty_folder / "pullrisk" / "pullrisk.toml").write_text("seed = 7\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", ".")
    monkeypatch.setenv("HOME", str(empty_folder / "person"))
    assert settings.load().seed == 0


def test_the_working_directory_wins_over_the_users_own_file(
    empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = empty_folder / "config" / "pullrisk" / "pullrisk.toml"
    own.parent.mkdir(parents=True)
    own.write_text("seed = 1\nworkers = 9\n[operating_points]\nhigh = 0.3\n")
    (empty_folder / "pullrisk.toml").write_text("seed = 7\n[operating_points]\nelevated = 0.1\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(empty_folder / "config"))
    found = settings.load()
    assert (found.seed, found.workers) == (7, 9)
    assert (found.operating_points.high, found.operating_points.elevated) == (0.3, 0.1)
    own.write_text('workers = "many"\n')
    with pytest.raises(SettingsError, match=rf"from {own}"):
        settings.load()


def test_the_command_line_names_a_file(
    empty_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from pullrisk.cli import main

    monkeypatch.setenv("PULLRISK_CONFIG", "")  # put back at the end
    (empty_folder / "mine.toml").write_text('store = "elsewhere.sqlite"\nlog_format = "json"\n')
    assert main(["--config", "mine.toml", "store", "stats", "--json"]) == 0
    assert main(["--config", "none.toml", "store", "stats"]) == 3
    assert "none.toml, which is no file" in capsys.readouterr().err


def test_a_settings_file_nested_without_end_is_told(empty_folder: Path) -> None:
    (empty_folder / "pullrisk.toml").write_text(f"seed = {'[' * 5000}\n")
    with pytest.raises(SettingsError, match="cannot be read"):
        settings.load()
