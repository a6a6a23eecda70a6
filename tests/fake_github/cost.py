"""What a query costs, by GitHub's published rules.

https://docs.github.com/en/graphql/overview/rate-limits-and-node-limits-for-the-graphql-api
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    value_from_ast_untyped,
)

NODE_LIMIT = 500_000
PAGE_LIMIT = 100


@dataclass
class Cost:
    """`requests` that GitHub would make to fill the query, and nodes that it may return."""

    variables: Mapping[str, Any]
    fragments: Mapping[str, FragmentDefinitionNode]
    requests: int = 0
    nodes: int = 0
    pages: dict[str, int] = field(default_factory=dict)
    refusal: tuple[str, str] | None = None

    @property
    def points(self) -> int:
        """A hundredth of the requests, at least one."""
        return max(1, round(self.requests / 100))

    def walk(self, selections: SelectionSetNode | None, parents: int) -> None:
        """Add what the selections below `parents` nodes cost."""
        for each in selections.selections if selections else ():
            if isinstance(each, FragmentSpreadNode):
                self.walk(self.fragments[each.name.value].selection_set, parents)
            elif isinstance(each, InlineFragmentNode):
                self.walk(each.selection_set, parents)
            elif isinstance(each, FieldNode) and self._is_included(each):
                self._field(each, parents)

    def _field(self, node: FieldNode, parents: int) -> None:
        size = next(
            (
                value_from_ast_untyped(argument.value, dict(self.variables))
                for argument in node.arguments
                if argument.name.value in ("first", "last")
            ),
            None,
        )
        if size is None:
            self.walk(node.selection_set, parents)
            return
        name = node.name.value
        if not 1 <= size <= PAGE_LIMIT:
            self.refusal = (
                "EXCESSIVE_PAGINATION",
                f"Requesting {size} records on the `{name}` connection exceeds the `first` limit "
                f"of {PAGE_LIMIT} records.",
            )
        self.pages[name] = size
        self.requests += parents
        self.nodes += parents * size
        self.walk(node.selection_set, parents * size)

    def _is_included(self, node: FieldNode) -> bool:
        for directive in node.directives:
            wanted = value_from_ast_untyped(directive.arguments[0].value, dict(self.variables))
            if bool(wanted) != (directive.name.value == "include"):
                return False
        return True


def cost_of(document: DocumentNode, variables: Mapping[str, Any]) -> Cost:
    """The cost of the document's one operation; `refusal` where a limit is exceeded."""
    fragments = {
        each.name.value: each
        for each in document.definitions
        if isinstance(each, FragmentDefinitionNode)
    }
    cost = Cost(variables, fragments)
    for each in document.definitions:
        if isinstance(each, OperationDefinitionNode):
            cost.walk(each.selection_set, 1)
    if cost.nodes > NODE_LIMIT:
        cost.refusal = (
            "MAX_NODE_LIMIT_EXCEEDED",
            f"This query requests up to {cost.nodes:,} possible nodes which exceeds the maximum "
            f"limit of {NODE_LIMIT:,}.",
        )
    return cost
