"""A load of Locust's on a machine that may be busy with something else."""


def load_settings(requests: int, *, most_ms: int) -> dict[str, str]:
    """Variables of tests/performance/locustfile.py: it ends after so many requests, however long
    they take, and no latency up to `most_ms` misses a threshold: those are the cluster's to judge.
    """
    latencies = {f"PULLRISK_TEST_{name}_MS": str(most_ms) for name in ("P50", "P95", "P99")}
    return latencies | {"PULLRISK_TEST_REQUESTS": str(requests)}
