"""What Prometheus reads."""

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

CONTENT_TYPE: Final = "text/plain; version=1.0.0; charset=utf-8; escaping=underscores"
_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
_BYTES: Final = (256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 8_388_608, 33_554_432)
_SHARES: Final = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1)
_Mode: TypeAlias = Literal["livemax", "livemin", "livesum"]
_SECRETS: Final[Mapping[str, tuple[str, _Mode]]] = {
    "pullrisk_secrets_age_seconds": ("Since secrets were last read", "livemax"),
    "pullrisk_secrets_healthy": ("Whether secrets are fresh", "livemin"),
    "pullrisk_secrets_token_left_seconds": ("Until the token at Vault ends", "livemin"),
    "pullrisk_secrets_reads_total": ("Reads", "livesum"),
    "pullrisk_secrets_failures_total": ("Reads that failed", "livesum"),
    "pullrisk_secrets_logins_total": ("Logins at Vault", "livesum"),
    "pullrisk_secrets_renewals_total": ("Renewals of the token", "livesum"),
    "pullrisk_secrets_changes_total": ("Changed values", "livesum"),
}
_PERCENT: Final = (10, 25, 50, 75, 90, 95, 99, 100)


class Metrics:
    """The figures of one worker; with several workers, those of all are read together."""

    def __init__(self, *, together: bool = False) -> None:
        self.registry = CollectorRegistry()
        self._together = together
        registry, route = self.registry, ["route"]
        self.requests = Counter(
            "pullrisk_requests", "Requests answered", ["route", "status"], registry=registry
        )
        self.seconds = Histogram(
            "pullrisk_request_seconds", "Time to answer", route, buckets=_SECONDS, registry=registry
        )
        self.bytes = Histogram(
            "pullrisk_response_bytes", "Bodies sent", route, buckets=_BYTES, registry=registry
        )
        self.risk = Histogram(
            "pullrisk_risk", "Risk of scored pull requests", buckets=_SHARES, registry=registry
        )
        self.novelty = Histogram(
            "pullrisk_novelty_percent", "Novelty of the same", buckets=_PERCENT, registry=registry
        )
        self.scored = Counter(
            "pullrisk_scored", "Pull requests scored", ["band", "basis"], registry=registry
        )
        self.cache = Counter(
            "pullrisk_history_reads", "Histories asked for", ["found"], registry=registry
        )
        self.hit, self.miss = self.cache.labels("memory"), self.cache.labels("miss")
        self.compressed = self.cache.labels("compressed")
        self._by_answer: dict[tuple[str, str], Counter] = {}
        self.swaps = Counter("pullrisk_model_swaps", "Models loaded", ["result"], registry=registry)
        self.histories = self._gauge("pullrisk_histories_cached", "Histories in memory")
        self.ready = self._gauge("pullrisk_histories_ready", "Of them, those not compressed")
        self.age = self._gauge(
            "pullrisk_history_age_seconds", "Since the latest event of any history in memory"
        )
        self.stale = self._gauge("pullrisk_stale", "Whether a part cannot be reached", ["part"])
        self.model = self._gauge(
            "pullrisk_model_info", "The model", ["version", "schema_hash", "registered"]
        )
        self.deliveries = Counter(
            "pullrisk_deliveries", "Deliveries of webhooks", ["result"], registry=registry
        )
        self.dead = self._gauge("pullrisk_deliveries_dead", "Deliveries that were given up")
        self.waiting = self._gauge(
            "pullrisk_delivery_age_seconds", "Age of the oldest delivery that waits"
        )
        self._secrets: dict[str, Gauge] = {}

    def tell_queue(self, *, dead: int, age: float) -> None:
        """How many deliveries were given up, and the age of the oldest that waits, in seconds."""
        self.dead.set(dead)
        self.waiting.set(age)

    def count_score(self, band: str, basis: str) -> None:
        """One more pull was scored."""
        counter = self._by_answer.get((band, basis))
        if counter is None:  # finding a label's counter takes longer than counting
            counter = self._by_answer[band, basis] = self.scored.labels(band, basis)
        counter.inc()

    def tell_secrets(self, figures: Mapping[str, float]) -> None:
        """How fresh the secrets are; of several workers, the worst, and sums of what is counted."""
        for name, value in figures.items():
            gauge = self._secrets.get(name)
            if gauge is None:
                gauge = self._secrets[name] = Gauge(
                    name,
                    _SECRETS[name][0],
                    registry=self.registry,
                    multiprocess_mode=_SECRETS[name][1],
                )
            gauge.set(value)

    def page(self) -> bytes:
        """The page in Prometheus' text format."""
        if not self._together:
            return generate_latest(self.registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)

    def _gauge(self, name: str, sentence: str, labels: list[str] | None = None) -> Gauge:
        return Gauge(
            name, sentence, labels or [], registry=self.registry, multiprocess_mode="livemostrecent"
        )
