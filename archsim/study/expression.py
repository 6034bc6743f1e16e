"""Formulas in study files, such as `converter.bits <= log2(crossbar.rows) + 1`: arithmetic and comparisons, no code."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from archsim.errors import ConfigError, nearest

_BINARY: Mapping[type[ast.AST], Callable[[Any, Any], Any]] = MappingProxyType(
    {
        ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
        ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod,
        ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le,
        ast.Gt: operator.gt, ast.GtE: operator.ge, ast.In: lambda a, b: a in b, ast.NotIn: lambda a, b: a not in b,
    }
)  # fmt: skip
_UNARY: Mapping[type[ast.AST], Callable[[Any], Any]] = MappingProxyType(
    {ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Not: operator.not_}
)
_FUNCTIONS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {"log2": math.log2, "sqrt": math.sqrt, "ceil": math.ceil, "floor": math.floor, "min": min, "max": max, "abs": abs}
)
LONGEST = 500


class Expression:
    """A formula over named values; names have dots, as paths do. Raises `ConfigError` for what is no such formula."""

    def __init__(self, text: str, where: str) -> None:
        self.text, self.where = text, where
        if len(text) > LONGEST:
            raise ConfigError(f"{where}: a formula of {len(text)} characters is too long")
        try:
            self._tree = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError) as error:
            raise ConfigError(f"{where}: '{text}' is no formula: {getattr(error, 'msg', error)}") from None
        self.names = frozenset(self._names(self._tree))

    def value(self, values: Mapping[str, Any]) -> Any:
        """Return the value of the formula; `ConfigError` where the values do not go together."""
        try:
            return self._value(self._tree, values)
        except (TypeError, ValueError, ArithmeticError) as error:
            raise ConfigError(f"{self.where}: '{self.text}' has no value: {error}") from None

    def _names(self, node: ast.AST) -> list[str]:
        """Return the names in a formula, and refuse everything else that is not arithmetic."""
        if isinstance(node, ast.Name | ast.Attribute):
            return [self._path(node)]
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float | str | bool):
            return []
        parts: list[ast.AST]
        if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
            parts = [node.left, node.right]
        elif isinstance(node, ast.UnaryOp) and type(node.op) in _UNARY:
            parts = [node.operand]
        elif isinstance(node, ast.BoolOp):
            parts = [*node.values]
        elif isinstance(node, ast.Compare) and all(type(op) in _BINARY for op in node.ops):
            parts = [node.left, *node.comparators]
        elif isinstance(node, ast.List | ast.Tuple):
            parts = [*node.elts]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
            if node.func.id not in _FUNCTIONS:
                raise ConfigError(f"{self.where}: unknown function '{node.func.id}'{nearest(node.func.id, _FUNCTIONS)}")
            parts = [*node.args]
        else:
            raise ConfigError(f"{self.where}: '{ast.unparse(node)}' cannot stand in a formula")
        return [name for part in parts for name in self._names(part)]

    def _path(self, node: ast.AST) -> str:
        if isinstance(node, ast.Attribute):
            return f"{self._path(node.value)}.{node.attr}"
        if isinstance(node, ast.Name):
            return node.id
        raise ConfigError(f"{self.where}: '{ast.unparse(node)}' cannot stand in a formula")

    def _value(self, node: ast.AST, values: Mapping[str, Any]) -> Any:
        if isinstance(node, ast.Name | ast.Attribute):
            return values[self._path(node)]
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.BinOp):
            return _BINARY[type(node.op)](self._value(node.left, values), self._value(node.right, values))
        if isinstance(node, ast.UnaryOp):
            return _UNARY[type(node.op)](self._value(node.operand, values))
        if isinstance(node, ast.BoolOp):
            truths = (bool(self._value(part, values)) for part in node.values)
            return all(truths) if isinstance(node.op, ast.And) else any(truths)
        if isinstance(node, ast.Compare):
            left = self._value(node.left, values)
            for op, part in zip(node.ops, node.comparators, strict=True):
                right = self._value(part, values)
                if not _BINARY[type(op)](left, right):
                    return False
                left = right
            return True
        if isinstance(node, ast.List | ast.Tuple):
            return [self._value(part, values) for part in node.elts]
        assert isinstance(node, ast.Call)
        assert isinstance(node.func, ast.Name)
        return _FUNCTIONS[node.func.id](*(self._value(part, values) for part in node.args))
