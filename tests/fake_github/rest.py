"""The REST routes that a client by way of PyGithub needs, and those of a GitHub App."""

from collections.abc import Sequence
from typing import Any

from fake_github.world import FakeRepository, Rest, World

Answer = tuple[int, Any, dict[str, str]]

# "List pull requests" has no sizes; only the single pull has them.
_DETAILS = ("additions", "deletions", "changed_files", "commits")
_OWN = ("files", "reviews", "closes", "checks")


def rest_answer(world: World, path: str, query: dict[str, str], base: str) -> Answer:
    """Status, JSON and headers of a GET."""
    parts = path.strip("/").split("/")
    repository = world.named("/".join(parts[1:3])) if len(parts) > 2 else None
    if parts[0] != "repos" or repository is None:
        return 404, {"message": "Not Found"}, {}
    link = f"{base}{path}"
    if len(parts) > 4 and parts[3] == "pulls" and int(parts[4]) not in repository.pulls:
        return 404, {"message": "Not Found"}, {}
    match parts[3:]:
        case []:
            return 200, {"id": repository.id, "full_name": repository.name, "url": link}, {}
        case ["pulls"]:
            return _pulls(repository, query, link)
        case ["pulls", number]:
            return 200, _shown(repository, repository.pulls[int(number)], link, whole=True), {}
        case ["pulls", number, "files" | "reviews" as part]:
            return _page(repository.pulls[int(number)].get(part) or [], query, link)
        case ["compare", commits]:
            base, _, head = commits.partition("...")
            known = {
                each[side].get("sha")
                for each in repository.pulls.values()
                for side in ("base", "head")
            }
            if {base, head} <= known:
                return 200, {"merge_base_commit": {"sha": base}, "files": []}, {}
    return 404, {"message": "Not Found"}, {}


def _pulls(repository: FakeRepository, query: dict[str, str], link: str) -> Answer:
    ordered = repository.ordered("updated_at" if query.get("sort") == "updated" else "created_at")
    numbers = [
        number for _, number in ordered if _is_of(repository.pulls[number], query.get("head"))
    ]
    if query.get("direction", "desc") == "desc":
        numbers.reverse()
    status, page, headers = _page(numbers, query, link)
    shown = [
        _shown(repository, repository.pulls[number], f"{link}/{number}", whole=False)
        for number in page
    ]
    return status, shown, headers


def _is_of(pull: Rest, head: str | None) -> bool:
    """Whether the pull's branch is the one of `owner:branch`; any without one."""
    branch = pull["head"]
    owner = ((branch.get("repo") or {}).get("full_name") or "").partition("/")[0]
    return head is None or head == f"{owner}:{branch['ref']}"


def _shown(repository: FakeRepository, pull: Rest, url: str, *, whole: bool) -> Rest:
    hidden = _OWN if whole else _OWN + _DETAILS
    base = {**pull["base"], "repo": {"id": repository.id, "full_name": repository.name}}
    return {**{k: v for k, v in pull.items() if k not in hidden}, "base": base, "url": url}


def _page(items: Sequence[Any], query: dict[str, str], link: str) -> Answer:
    size = min(int(query.get("per_page", 30)), 100)
    number = int(query.get("page", 1))
    chosen = items[(number - 1) * size : number * size]
    if number * size >= len(items):
        return 200, list(chosen), {}
    others = "&".join(f"{key}={value}" for key, value in query.items() if key != "page")
    after = f"{link}?{others}&page={number + 1}" if others else f"{link}?page={number + 1}"
    return 200, list(chosen), {"link": f'<{after}>; rel="next"'}
