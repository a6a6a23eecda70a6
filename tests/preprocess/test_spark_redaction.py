"""What Spark writes about itself shows no credential."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("pyspark", reason="the extra spark is not installed")

MARK = "0f1e2d3c"
PROGRAM = f"""
import sys
from pullrisk.preprocess.spark_session import SparkOptions, spark_session
conf = {{
    "spark.eventLog.compress": "false",
    "spark.pullrisk.mongo_uri": "mongodb://u:{MARK}@h/db",
    "spark.hadoop.fs.s3a.secret.key": "key-{MARK}",
    "spark.pullrisk.note": "see mongodb://u:sl/ash-{MARK}@h/db",
}}
options = SparkOptions(master="local[1]", event_log=sys.argv[1], conf=conf)
with spark_session(options) as session:
    assert "{MARK}" in session.conf.get("spark.pullrisk.note")
    session.range(3).collect()
"""


def test_sparks_event_log_and_output_show_no_credential(tmp_path: Path) -> None:
    if shutil.which("java") is None:
        pytest.skip("Java is not installed: apt-get install openjdk-17-jre-headless")
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert MARK not in ran.stdout + ran.stderr
    events = [path for path in tmp_path.rglob("*") if path.is_file()]
    text = "\n".join(path.read_text(errors="replace") for path in events)
    environments = [line for line in text.splitlines() if "SparkListenerEnvironmentUpdate" in line]
    properties = dict(json.loads(environments[0])["Spark Properties"])
    assert properties["spark.pullrisk.mongo_uri"] == "*********(redacted)"
    assert properties["spark.app.name"] == "pullrisk preprocess"
    assert MARK not in text
