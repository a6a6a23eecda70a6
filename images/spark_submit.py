#!/usr/bin/python3.11
"""Spark's `spark-submit`, which pyspark runs to start its JVM, for an image without a shell.

As Spark's own scripts do, it asks Spark's launcher for the command line and becomes it.
"""

import os
import subprocess
import sys
from pathlib import Path

MAIN = "org.apache.spark.deploy.SparkSubmit"
ABSENT = "--add-modules=jdk.incubator.vector"
"""An experiment of Java that Spark asks for; the image's Java has none, and Spark does without."""


def main() -> None:
    """Become the JVM. The launcher ends each word of the command with a zero byte."""
    jars = str(Path(os.environ["SPARK_HOME"], "jars", "*"))
    java = str(Path(os.environ["JAVA_HOME"], "bin", "java"))
    launcher = [java, "-Xmx128m", "-cp", jars, "org.apache.spark.launcher.Main", MAIN]
    own = os.environ | {"PYTHONHASHSEED": "0", "SPARK_SCALA_VERSION": "2.13"}
    asked = subprocess.run([*launcher, *sys.argv[1:]], env=own, stdout=subprocess.PIPE, check=False)
    if asked.returncode:
        sys.exit(asked.returncode)
    _, _, words = asked.stdout.partition(b"\0\n")
    command = [word.decode() for word in words.split(b"\0")[:-1] if word != ABSENT.encode()]
    os.execve(command[0], command, own)


if __name__ == "__main__":
    main()
