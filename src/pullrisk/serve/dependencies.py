"""What a service is made of."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from pullrisk.model.metadata import OperatingPoints
from pullrisk.pulls.people import NO_NAMES, BotNames
from pullrisk.score.result import GITHUB
from pullrisk.serve.keys import Keys
from pullrisk.serve.loaded_model import LastGood, LoadedModel
from pullrisk.serve.tracing import Tracing
from pullrisk.serve.webhooks import Webhooks

if TYPE_CHECKING:
    from pullrisk.lake import Lake
    from pullrisk.pulls.store import PullStore
    from pullrisk.secrets.source import Secrets
    from pullrisk.serve.sign_in.access import SignIn
    from pullrisk.serve.sign_in.setup import Setup


def _always() -> bool:
    return True


class Dependencies(msgspec.Struct, frozen=True):
    """What a service is made of; `load_model` may take seconds and is called in a thread.

    `has_store` tells whether a pull store is configured. `secrets` are read anew if the store
    or the lake refuses the known ones, `bot_names` are the accounts that the settings call bots or
    persons. Without `admin` keys the service has no routes for administration, without `webhooks`
    none for GitHub, without `sign_in` nobody signs in, and without `setup` no App is made.
    Repositories lie below the address `site`.
    """

    lake: "Lake"
    store: "PullStore"
    load_model: Callable[[], LoadedModel]
    keys: Keys
    points: OperatingPoints | None = None
    secrets: "Secrets | None" = None
    last_good: LastGood | None = None
    tracing: Tracing | None = None
    admin: Keys | None = None
    has_store: Callable[[], bool] = _always
    bot_names: BotNames = NO_NAMES
    webhooks: Webhooks | None = None
    sign_in: "SignIn | None" = None
    site: str = GITHUB
    setup: "Setup | None" = None
