"""Receives GitHub's webhooks: the signature is checked, the delivery kept, and answered at once.

Whoever handles the deliveries takes them from the queue. No key of the service is needed: only
GitHub knows the secret, with which it signs each body.
"""

import asyncio
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from hashlib import sha256
from hmac import compare_digest
from hmac import digest as hmac_digest
from typing import Final, Literal

import msgspec
from litestar import Response

from pullrisk.errors import StoreError
from pullrisk.pulls.deliveries import Delivery, DeliveryQueue
from pullrisk.serve.inflight import ActiveRequest, AsgiRequest, active_request, service_of
from pullrisk.serve.problems import ProblemError
from pullrisk.serve.request_body import read
from pullrisk.serve.webhook_events import decode, subject_of

MOST_BYTES: Final = 8_000_000
"""Largest body that is read; GitHub's own events that are handled stay far below."""
_WAITED: Final = 8.0
"""Seconds that the queue has to keep a delivery; GitHub waits ten, and does not come back."""
_SIGNATURE: Final = re.compile(r"sha256=([0-9a-f]{64})")
_ID: Final = re.compile(r"[A-Za-z0-9-]{8,64}")
_EVENT: Final = re.compile(r"[a-z_]{1,64}")
_JSON: Final = "application/json"


class Received(msgspec.Struct, frozen=True):
    """What became of a delivery.

    `queued`: it will be handled. `repeated`: it was given up before and will be tried again.
    `known`: it is a repetition. `ignored`: the App has nothing to do with such events.
    """

    status: Literal["queued", "repeated", "known", "ignored"]


class Webhooks(msgspec.Struct, frozen=True):
    """The queue of deliveries, the secrets with any of which GitHub may sign, and whom to wake.

    `secrets` is called for each delivery, so that they may change.
    """

    queue: DeliveryQueue
    secrets: Callable[[], Iterable[str]]
    wake: Callable[[], object]


async def receive(request: AsgiRequest) -> Response[Received]:
    """Keep a delivery of GitHub's webhooks, signed with the App's secret (X-Hub-Signature-256)."""
    service, active = service_of(request), active_request(request)
    webhooks = service.dependencies.webhooks
    if webhooks is None:  # there is no such route then
        raise RuntimeError("this service receives no webhooks")
    name, event, signature = _headers(active)
    declared = active.header(b"content-length") or ""
    size = int(declared) if declared.isdecimal() else MOST_BYTES
    service.in_flight.reserve(active, min(size, MOST_BYTES))
    body = await read(request, most=MOST_BYTES)
    if not is_signed(body, signature, webhooks.secrets()):
        raise ProblemError(401, "the signature is not that of the webhook secret")
    delivery = _delivery(name, event, body)
    if delivery is None:
        return Response(Received("ignored"), status_code=200)
    try:
        adding = asyncio.to_thread(webhooks.queue.add, delivery)
        status = await asyncio.wait_for(adding, _WAITED)
    except (StoreError, TimeoutError) as error:
        service.log.error("delivery not kept", id=name, error=str(error))
        raise ProblemError(503, "the delivery cannot be kept: deliver it again") from None
    webhooks.wake()
    return Response(Received(status), status_code=200 if status == "known" else 202)


def is_signed(body: bytes, signature: bytes, secrets: Iterable[str]) -> bool:
    """Whether it is the HMAC-SHA256 of the body with any of the secrets, in constant time."""
    valid = False
    for secret in secrets:  # all of them: the time must not tell which
        valid |= compare_digest(hmac_digest(secret.encode(), body, sha256), signature)
    return valid


def _headers(request: ActiveRequest) -> tuple[str, str, bytes]:
    """The delivery's id, its event and signature. ProblemError 400, 401 or 415 without."""
    kind = (request.header(b"content-type") or "").partition(";")[0].strip().lower()
    if kind != _JSON:
        raise ProblemError(415, f"the webhook's content type has to be {_JSON}")
    signature = _SIGNATURE.fullmatch(request.header(b"x-hub-signature-256") or "")
    if signature is None:
        raise ProblemError(401, "X-Hub-Signature-256 is missing: give the webhook its secret")
    name = request.header(b"x-github-delivery") or ""
    event = request.header(b"x-github-event") or ""
    if not _ID.fullmatch(name) or not _EVENT.fullmatch(event):
        raise ProblemError(400, "X-GitHub-Delivery and X-GitHub-Event have to name the delivery")
    return name, event, bytes.fromhex(signature[1])


def _delivery(name: str, event: str, body: bytes) -> Delivery | None:
    """The delivery, or None if nothing is to be done. ProblemError 400 or 422 for a bad body."""
    try:
        subject = subject_of(event, decode(body))
    except msgspec.ValidationError as error:
        raise ProblemError(422, str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ProblemError(400, "the body is no JSON") from None
    if subject is None:
        return None
    return Delivery(
        id=name,
        event=event,
        subject=subject,
        body=body,
        received_at=datetime.now(UTC),
        urgent=event == "merge_group",
    )
