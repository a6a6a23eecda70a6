"""`pullrisk monitor`: whether a model still fits the pull requests it is asked about."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from pullrisk.cli import options
from pullrisk.cli.display.console import say, warn
from pullrisk.cli.display.tables import print_json, print_table
from pullrisk.cli.session import open_session

if TYPE_CHECKING:
    from pullrisk.monitor.findings import Findings
    from pullrisk.train.pipeline import TrainResult
    from pullrisk.wiring.session import Session

CROSSED: Final = 12
"""Exit code where a threshold is crossed."""
METRICS_FILE: Final = "monitor.prom"
PAGE_FILE: Final = "monitor.html"
_SHOWN: Final = 8

Days: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--days",
        min=1,
        metavar="DAYS",
        help="How many days up to the latest merge are recent. [dim](90)[/dim]",
        show_default=False,
    ),
]
Output: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Where to write the page. [dim](monitor.html in the home folder)[/dim]",
        show_default=False,
    ),
]
Metrics: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--metrics",
        metavar="FILE",
        help="Where to write Prometheus' text. [dim](monitor.prom in the home folder)[/dim]",
        show_default=False,
    ),
]
Retrain: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--retrain", help="Where a threshold is crossed: preprocess, train, let the gate decide."
    ),
]


def run(
    model: options.Model = None,
    days: Days = None,
    output: Output = None,
    metrics: Metrics = None,
    retrain: Retrain = False,
    home: options.Home = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Say whether a model still fits: drift, outcomes against predictions, freshness.

    Recent pull requests are held against what the model was trained on, feature by feature;
    those whose outcome is known by now, against the risk that it gave them. The exit code is
    12 where a threshold is crossed. Thresholds are settings, such as monitor.least_auc.

    A page with plots and a file for Prometheus' textfile collector are written each time.

    [bold]Examples[/bold]

      pullrisk monitor

      pullrisk monitor --model @champion --days 30 --json

      pullrisk monitor --retrain
    """
    stage = "ml-training" if retrain else "monitor"
    with open_session(stage=stage, home=home, quiet=quiet) as session:
        from pullrisk.wiring.adapters import load_model
        from pullrisk.wiring.monitoring import monitor
        from pullrisk.wiring.monitoring import retrain as retrain_model

        bundle = load_model(session.settings, model)
        findings = monitor(session, bundle, days=days)
        files = _write(session, findings, output=output, metrics=metrics)
        result = retrain_model(session) if retrain and findings.alarms else None
    if as_json:
        print_json({"monitored": findings, **files, "retrained": _version(result)})
    else:
        _print(findings)
        say(f"page: {files['page']}; metrics: {files['metrics']}")
        _print_retrained(result)
    if findings.alarms:
        raise typer.Exit(CROSSED)


def _write(
    session: "Session", findings: "Findings", *, output: Path | None, metrics: Path | None
) -> dict[str, Path]:
    from pullrisk.monitor.findings import prometheus_text
    from pullrisk.report.monitoring import render
    from pullrisk.report.page import write

    page = output or session.settings.home / PAGE_FILE
    file = metrics or session.settings.home / METRICS_FILE
    write(render(findings), page)
    write(prometheus_text(findings), file)
    return {"page": page, "metrics": file}


def _version(result: "TrainResult | None") -> dict[str, object] | None:
    if result is None:
        return None
    return {
        "version": result.tracked.version,
        "aliases": result.tracked.aliases,
        "gate": result.decision,
    }


def _print(findings: "Findings") -> None:
    for drift in findings.drift:
        names = ", ".join(column.name for column in drift.drifted[:_SHOWN])
        more = f" and {len(drift.drifted) - _SHOWN} more" if len(drift.drifted) > _SHOWN else ""
        what = f"{len(drift.drifted)} of {len(drift.columns)} drifted" + (": " if names else "")
        say(
            f"{drift.repository}: {drift.pulls:,} pull requests, {drift.since} to {drift.until}: "
            f"{what}{names}{more}"
        )
    if findings.outcomes:
        _print_outcomes(findings)
    fresh = findings.freshness
    say(
        f"the latest merge is {fresh.data_age_days:.0f} days old, the training's data end "
        f"{fresh.model_age_days:.0f} days ago"
    )
    for note in findings.notes:
        warn(f"note: {note}")
    for alarm in findings.alarms:
        warn(f"alarm ({alarm.kind}): {alarm.text}")
    if not findings.alarms:
        say("no threshold is crossed", style="green")


def _print_outcomes(findings: "Findings") -> None:
    columns = ("merged", "pull requests", findings.target, "expected", "ratio", "AUC within")
    rows = [
        [
            f"{window.since} to {window.until}",
            f"{window.pulls:,}",
            f"{window.positives}",
            f"{window.expected:.1f}",
            f"{window.ratio.value:.2f} [{window.ratio.low:.2f}, {window.ratio.high:.2f}]",
            ""
            if window.auc is None
            else f"{window.auc.value:.3f} [{window.auc.low:.3f}, {window.auc.high:.3f}]",
        ]
        for window in findings.outcomes
    ]
    print_table(columns, rows, right=columns[1:])


def _print_retrained(result: "TrainResult | None") -> None:
    if result is not None:
        from pullrisk.cli.commands.train import summary

        say(summary(result))
