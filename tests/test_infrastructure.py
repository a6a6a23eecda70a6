from pathlib import Path

import pytest

from pullrisk.cli import main
from pullrisk.errors import SettingsError
from pullrisk.preprocess.spark_session import properties as spark_properties
from pullrisk.settings import load
from pullrisk.wiring.adapters import open_lake


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PULLRISK_HOME", str(tmp_path))


def test_the_bucket_of_the_settings_is_the_lakes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULLRISK_LAKE", "s3://bucket/prefix/")
    monkeypatch.setenv("PULLRISK_S3__ENDPOINT", "https://fra1.digitaloceanspaces.com")
    monkeypatch.setenv("PULLRISK_S3__REGION", "fra1")
    monkeypatch.setenv("PULLRISK_S3__ACCESS_KEY", "the-key")
    monkeypatch.setenv("PULLRISK_S3__SECRET_KEY", "the-secret")
    monkeypatch.setenv("PULLRISK_S3__CONDITIONAL_PUT", "false")
    settings = load()
    lake = open_lake(settings)
    assert lake.uri == "s3://bucket/prefix"
    assert lake.files.storage_options == {
        "AWS_REGION": "fra1",
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "false",
        "AWS_ENDPOINT_URL": "https://fra1.digitaloceanspaces.com",
        "AWS_ACCESS_KEY_ID": "the-key",
        "AWS_SECRET_ACCESS_KEY": "the-secret",
        "AWS_S3_ALLOW_UNSAFE_RENAME": "true",
    }
    assert "the-secret" not in f"{settings!r} {lake.files.s3!r}"


def test_sparks_settings_come_from_the_file_and_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "spark.toml").write_text(
        '[spark]\nmaster = "spark://host:7077"\nexecutors = 3\n'
        '[spark.conf]\n"spark.authenticate" = "true"\n'
    )
    monkeypatch.setenv("PULLRISK_CONFIG", str(tmp_path / "spark.toml"))
    monkeypatch.setenv("PULLRISK_SPARK__EXECUTORS", "5")
    properties = spark_properties(load().spark)
    assert properties["spark.master"] == "spark://host:7077"
    assert properties["spark.executor.instances"] == "5"
    assert properties["spark.authenticate"] == "true"


def test_a_secret_is_not_shown_where_its_neighbour_is_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PULLRISK_S3__SECRET_KEY", "the-secret")
    monkeypatch.setenv("PULLRISK_S3__CHECKSUMS", "never")
    with pytest.raises(SettingsError, match=r"s3\.checksums is 'never'") as caught:
        load()
    assert "the-secret" not in str(caught.value)
    assert "when uploads carry checksums" in str(caught.value.hint)


def test_an_unknown_setting_finds_its_neighbour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULLRISK_SPARK__MASTERS", "local[2]")
    with pytest.raises(SettingsError, match="did you mean PULLRISK_SPARK__MASTER"):
        load()


def test_the_command_line_tells_what_is_wrong_with_spark_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pyspark", reason="the extra spark is not installed")
    monkeypatch.setenv("PULLRISK_SPARK__MASTER", "yarn")
    assert main(["preprocess", "--engine", "spark", "--quiet"]) == 3
    assert "spark.master is 'yarn'" in capsys.readouterr().err
    monkeypatch.setenv("PULLRISK_SPARK__MASTER", "spark://127.0.0.1:1")
    assert main(["preprocess", "--engine", "spark", "--quiet"]) == 1
    assert "no Spark master answers" in capsys.readouterr().err
    monkeypatch.setenv("JAVA_HOME", "/nowhere")
    assert main(["preprocess", "--engine", "spark", "--quiet"]) == 9
    assert "openjdk-17" in capsys.readouterr().err


def test_the_command_line_tells_what_is_wrong_with_a_bucket_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PULLRISK_LAKE", "s3://bucket/lake")
    monkeypatch.setenv("PULLRISK_S3__ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("PULLRISK_S3__ACCESS_KEY", "a")
    assert main(["lake", "runs"]) == 3
    assert "only one is set" in capsys.readouterr().err
    monkeypatch.setenv("PULLRISK_S3__SECRET_KEY", "b")
    assert main(["lake", "runs"]) == 6
    assert "cannot be reached" in capsys.readouterr().err
