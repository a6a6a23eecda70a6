"""Who may ask the fake GitHub, and how much: tokens with budgets, and one GitHub App."""

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime

import jwt

from fake_github import shapes
from fake_github.world import World

HOUR = 3_600


@dataclass
class Account:
    """A token's budget; `calls_left` ends it after so many, `ends_at` at a time.

    `login` is whose it is.
    """

    limit: int = 5_000
    used: int = 0
    resets_at: int = 0
    calls_left: int | None = None
    ends_at: float | None = None
    login: str = "somebody"

    def is_valid(self, now: float) -> bool:
        """Whether it still works; each call counts."""
        if self.calls_left is not None:
            self.calls_left -= 1
            if self.calls_left < 0:
                return False
        return self.ends_at is None or now < self.ends_at

    def spend(self, points: int, now: float) -> bool:
        """Take the points; False where there are not enough."""
        if now >= self.resets_at:
            self.used, self.resets_at = 0, int(now) + HOUR
        if self.used + points > self.limit:
            return False
        self.used += points
        return True

    def headers(self) -> dict[str, str]:
        """What GitHub sends beside every answer."""
        return {
            "x-ratelimit-limit": str(self.limit),
            "x-ratelimit-remaining": str(self.limit - self.used),
            "x-ratelimit-used": str(self.used),
            "x-ratelimit-reset": str(self.resets_at),
            "x-ratelimit-resource": "graphql",
        }

    def rate(self, points: int) -> dict[str, object]:
        """The `rateLimit` object."""
        return {
            "limit": self.limit,
            "cost": points,
            "remaining": self.limit - self.used,
            "used": self.used,
            "nodeCount": 0,
            "resetAt": datetime.fromtimestamp(self.resets_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }


@dataclass
class Accounts:
    """Tokens by their secret; an App by its id, the public key that checks it, installations."""

    world: World
    tokens: dict[str, Account] = field(default_factory=lambda: {"fake-token": Account()})
    app_id: str = "4711"
    app_key: bytes | None = None
    app_installations: tuple[int, ...] = ()
    granted: int = 0
    suspended: bool = False

    def of(self, authorization: str) -> Account | None:
        """The account behind an Authorization header, None where it does not work."""
        _, _, secret = authorization.partition(" ")
        account = self.tokens.get(secret)
        return account if account and account.is_valid(self.world.now()) else None

    def app_answer(self, authorization: str, path: str) -> tuple[int, object]:
        """Status and JSON of what an App asks for itself."""
        if self.app_key is None or not self._is_app(authorization):
            return 401, {"message": "A JSON web token could not be decoded"}
        if path == "/app":
            return 200, shapes.app(int(self.app_id))
        if path == "/app/installations":
            return 200, [{"id": each} for each in self.app_installations]
        if path not in {f"/app/installations/{i}/access_tokens" for i in self.app_installations}:
            return 404, {"message": "Not Found"}
        if self.suspended:
            return 403, {"message": "This installation has been suspended"}
        secret, ends_at = f"ghs_{secrets.token_hex(8)}", self.world.now() + HOUR
        self.tokens[secret] = Account(ends_at=ends_at)
        self.granted += 1
        ends = datetime.fromtimestamp(ends_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return 201, {"token": secret, "expires_at": ends}

    def _is_app(self, authorization: str) -> bool:
        assert self.app_key is not None
        try:
            claims = jwt.decode(
                authorization.partition(" ")[2],
                self.app_key,
                algorithms=["RS256"],
                options={"verify_iat": True},
            )
        except jwt.PyJWTError:
            return False
        return bool(claims["iss"] == self.app_id and claims["exp"] - claims["iat"] <= 660)
