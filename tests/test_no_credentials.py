"""Scans every tracked file for credentials, with what CI scans every commit with."""

import subprocess
from pathlib import Path

import pytest

from delivery.leaks import assignments, findings, leaks

ROOT = Path(__file__).parents[1]


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git repository")
    paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    return [path for path in paths if path.is_file()]


def test_no_tracked_file_holds_a_credential() -> None:
    paths = {str(path.relative_to(ROOT)): path for path in tracked()}
    found = {name: leaks(name, path.read_bytes()) for name, path in paths.items()}
    assert {name: each for name, each in found.items() if each} == {}


@pytest.mark.parametrize(
    "leak",
    [
        "token = ghp_" + "wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx",
        "hvs." + "CAESIJdxkV3mTq9pL2wZ8rYbNcUeHfGaSdKjQoPiMuTz",
        "AWS_SECRET_ACCESS_KEY=" + "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzT9qLm3v8B",
        "-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEowIBAAKCAQEAxV3mTq9pL2wZ8rYbNcUe",
        "mongodb://admin:" + "Xk29fQpL7vTz@db.example/pulls",
        'api_key: "' + "9f8e7d6c5b4a39281706f5e4d3c2b1a0" + '"',
        "dop_v1_" + "9f8e7d6c5b4a39281706f5e4d3c2b1a09f1e2d3c4b5a69788796a5b4c3d2e1f0",
    ],
)
def test_the_scan_finds_what_it_looks_for(leak: str) -> None:
    text = f"before\n{leak}\nafter"
    assert [*findings(text), *assignments(text)]


@pytest.mark.parametrize(
    "text",
    [
        "password = settings.mlflow_password",
        "secret_id_file: Path | None = None",
        "mongodb://fetcher:password-{MARK}@127.0.0.1",
        "token_file = VAULT_JWT_FILE_of_the_service_account",
    ],
)
def test_the_scan_leaves_code_alone(text: str) -> None:
    assert [*findings(text), *assignments(text)] == []
