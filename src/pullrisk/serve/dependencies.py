"""What a service is made of."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from pullrisk.model.metadata import OperatingPoints
from pullrisk.pulls.people import BotNames
from pullrisk.serve.keys import Keys
from pullrisk.serve.models import LastGood, LoadedModel
from pullrisk.serve.tracing import Tracing
from pullrisk.serve.webhooks import Webhooks

if TYPE_CHECKING:
    from pullrisk.lake import Lake
    from pullrisk.pulls.store import PullStore
    from pullrisk.secrets.source import Secrets
    from pullrisk.serve.sign_in.access import SignIn
    from pullrisk.serve.sign_in.setup import Setup


class Dependencies(msgspec.Struct, frozen=True, kw_only=True):
    """What a service is made of; `load_model` may take seconds and is called in a thread.

    `has_store` tells whether a pull store is configured. `secrets` are read anew if the store
    or the lake refuses the known ones, `bot_names` are the accounts that the settings call bots or
    persons. Without `admin` keys the service has no routes for administration, without `webhooks`
    none for GitHub. Repositories lie below the address `site`.
    """

    lake: "Lake"
    store: "PullStore"
    has_store: Callable[[], bool]
    load_model: Callable[[], LoadedModel]
    last_good: LastGood
    points: OperatingPoints
    keys: Keys
    admin: Keys | None
    sign_in: "SignIn"
    setup: "Setup"
    webhooks: Webhooks | None
    bot_names: BotNames
    site: str
    secrets: "Secrets | None"
    tracing: Tracing | None
