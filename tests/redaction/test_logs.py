"""Log records and tracebacks, as libraries and Python itself write them."""

import logging
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from io import StringIO

import pytest

from pullrisk.redaction import REDACTOR, protect, redacted_traceback

SECRET = "learned-0f1e2d3c"


@pytest.fixture
def protected(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """SECRET is learned, and this process protected for the test's time."""
    factory = logging.getLogRecordFactory()
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    monkeypatch.setattr(threading, "excepthook", threading.__excepthook__)
    logging.setLogRecordFactory(logging.LogRecord)
    REDACTOR.learn(SECRET)
    protect()
    yield
    logging.setLogRecordFactory(factory)


@pytest.fixture
def written() -> Iterator[StringIO]:
    """What a handler with Python's own formatter writes."""
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logger = logging.getLogger("of.a.library")
    logger.addHandler(handler)
    yield stream
    logger.removeHandler(handler)


def test_a_librarys_record_is_masked_in_message_and_arguments(
    protected: None, written: StringIO
) -> None:
    log = logging.getLogger("of.a.library")
    log.warning("connecting with %s", SECRET)
    log.error(f"refused {SECRET}")
    assert written.getvalue() == "WARNING connecting with ***\nERROR refused ***\n"


def test_a_records_traceback_is_masked_with_its_causes(protected: None, written: StringIO) -> None:
    log = logging.getLogger("of.a.library")
    try:
        try:
            raise ValueError(f"inner {SECRET}")
        except ValueError as error:
            raise RuntimeError(f"outer {SECRET}") from error
    except RuntimeError:
        log.exception("it failed")
    text = written.getvalue()
    assert "RuntimeError: outer ***" in text
    assert "ValueError: inner ***" in text
    assert SECRET not in text


def test_a_hook_of_somebody_else_is_left_alone(
    protected: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def theirs(arguments: object) -> None: ...

    monkeypatch.setattr(threading, "excepthook", theirs)
    protect()
    assert threading.excepthook is theirs


def test_protecting_twice_masks_once(protected: None) -> None:
    factory = logging.getLogRecordFactory()
    protect()
    assert logging.getLogRecordFactory() is factory


def test_an_error_in_a_thread_is_printed_masked(
    protected: None, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        raise RuntimeError(f"in a thread {SECRET}")
    except RuntimeError as error:
        arguments = threading.ExceptHookArgs((type(error), error, None, threading.current_thread()))
        threading.excepthook(arguments)
    assert "RuntimeError: in a thread ***" in capsys.readouterr().err


def test_a_traceback_is_whole_but_for_the_secret(protected: None) -> None:
    try:
        raise RuntimeError(f"bad {SECRET}")
    except RuntimeError as error:
        shown = redacted_traceback(error)
    assert shown.startswith("Traceback (most recent call last):")
    assert shown.endswith("RuntimeError: bad ***")


def test_a_process_that_dies_of_an_error_prints_it_masked() -> None:
    program = textwrap.dedent("""
        import logging, threading
        from pullrisk.redaction import REDACTOR, protect
        value = "learned" + "-0f1e2d3c"
        REDACTOR.learn(value)
        protect()
        logging.warning("a record %s", value)
        def fail():
            raise ValueError("thread " + value)
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
        raise RuntimeError("main " + value)
    """)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert SECRET not in done.stderr
    assert "WARNING:root:a record ***" in done.stderr
    assert "ValueError: thread ***" in done.stderr
    assert "RuntimeError: main ***" in done.stderr
