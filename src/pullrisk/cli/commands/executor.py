"""`pullrisk executor`: what Spark starts in the pods of its executors."""

import os


def run() -> None:
    """Be an executor of Spark on Kubernetes; Spark's driver starts it, never a person.

    The image of spark-preprocess is driver and executor: in an executor's pod Spark calls the
    image's entry point with this word, and everything else stands in variables.

    [bold]Examples[/bold]

      PULLRISK_SPARK__MASTER=k8s://https://kubernetes.default.svc pullrisk preprocess --engine spark
    """
    from pullrisk.preprocess.spark_executor import command

    words = command(os.environ)
    os.execv(words[0], words)  # noqa: S606  # no shell is the point
