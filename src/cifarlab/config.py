"""Frozen dataclasses to JSON and back, their fingerprint, and variations of them.

A config holds primary values only: numbers, strings, booleans, ``None``, tuples and other configs. Where
a field may hold one of several config classes (a union), the JSON object names the class under ``type``;
the union itself is the registry.
"""

import dataclasses
import hashlib
import json
import sys
import types
import typing
from typing import Any, TypeVar

from cifarlab.errors import UserError, nearest

Config = TypeVar("Config")


def to_json(config: Any) -> Any:
    """The JSON value of a config: dicts, lists and scalars. Every config object carries its ``type``."""
    if dataclasses.is_dataclass(config) and not isinstance(config, type):
        hints = typing.get_type_hints(type(config))
        values = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
        # A whole number given for a float is the same setting, and must have the same fingerprint.
        values = {name: float(v) if hints[name] is float else v for name, v in values.items()}
        return {"type": type(config).__name__, **{name: to_json(value) for name, value in values.items()}}
    if isinstance(config, tuple | list):
        return [to_json(item) for item in config]
    if config is None or isinstance(config, bool | int | float | str):
        return config
    raise TypeError(f"a config cannot hold a {type(config).__name__}")


def from_json(kind: Any, value: Any, where: str = "") -> Any:
    """The value of type ``kind`` (a config class, a union, a tuple or a scalar) that ``value`` describes.

    Raises:
        UserError: an unknown field, class or value; ``where`` is the dotted path that the message names.
    """
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _from_union(arguments, value, where)
    if origin is typing.Literal:
        if value not in arguments:
            raise UserError(f"{where}: {value!r} is not one of {', '.join(map(repr, arguments))}")
        return value
    if origin is tuple:
        if not isinstance(value, list):
            raise UserError(f"{where}: expected a list, found {value!r}")
        kinds = [arguments[0]] * len(value) if arguments[-1:] == (Ellipsis,) else list(arguments)
        if len(kinds) != len(value):
            raise UserError(f"{where}: expected {len(kinds)} values, found {len(value)}")
        return tuple(
            from_json(k, v, f"{where}.{i}") for i, (k, v) in enumerate(zip(kinds, value, strict=True))
        )
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _from_object(kind, value, where)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        if abs(value) > sys.float_info.max:
            raise UserError(f"{where or 'value'}: this number is too large")
        return float(value)
    if kind is type(None):
        kind = types.NoneType
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise UserError(f"{where or 'value'}: expected {kind.__name__}, found {value!r}")
    return value


def _from_union(members: tuple[Any, ...], value: Any, where: str) -> Any:
    if isinstance(value, dict):
        classes = {member.__name__: member for member in members if isinstance(member, type)}
        name = value.get("type")
        if not isinstance(name, str) or name not in classes:
            raise UserError(f"{where}: unknown type {name!r}; {nearest(str(name), classes)}")
        return from_json(classes[name], value, where)
    for member in members:
        if not dataclasses.is_dataclass(member):
            try:
                return from_json(member, value, where)
            except UserError:
                continue
    raise UserError(f"{where}: {value!r} is not allowed here")


def _from_object(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise UserError(f"{where or kind.__name__}: expected an object, found {value!r}")
    given = {name: item for name, item in value.items() if name != "type"}
    if value.get("type", kind.__name__) != kind.__name__:
        raise UserError(f"{where}: expected a {kind.__name__}, found a {value['type']}")
    hints = typing.get_type_hints(kind)
    prefix = f"{where}." if where else ""
    for name in given:
        if name not in hints:
            raise UserError(f"{prefix}{name}: no such field; {nearest(name, hints)}")
    missing = [f.name for f in dataclasses.fields(kind) if f.name not in given and _required(f)]
    if missing:
        raise UserError(f"{prefix}{missing[0]}: this field is missing")
    return kind(**{name: from_json(hints[name], item, f"{prefix}{name}") for name, item in given.items()})


def _required(field: "dataclasses.Field[Any]") -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def fingerprint(config: Any) -> str:
    """64 hexadecimal digits that name a config: SHA-256 of its canonical JSON."""
    text = json.dumps(to_json(config), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def vary(config: Config, field: str, value: Any) -> Config:
    """A copy of ``config`` with one dotted field changed: ``vary(recipe, "optimizer.lr", 0.5)``.

    The value is checked against the field's type; another class of a union may be put in as a whole.

    Raises:
        UserError: no such field, or a value of the wrong type.
    """
    document = to_json(config)
    target = document
    *parents, leaf = field.split(".")
    for name in parents:
        target = target[_key(target, name, field)]
    target[_key(target, leaf, field)] = to_json(value)
    return typing.cast(Config, from_json(type(config), document))


def _key(target: Any, name: str, field: str) -> str | int:
    """``name`` as a key of the JSON object or list ``target``; ``field`` is named in the error."""
    known: set[str] = set()
    if isinstance(target, dict):
        known = set(target) - {"type"}
    elif isinstance(target, list):
        known = set(map(str, range(len(target))))
    if name not in known:
        raise UserError(f"{field}: no such field; {nearest(name, known)}")
    return int(name) if isinstance(target, list) else name


def differences(before: Any, after: Any, where: str = "") -> list[str]:
    """The leaves in which two JSON values differ, as lines like ``optimizer.lr: 0.1 -> 0.5``."""
    if isinstance(before, dict) and isinstance(after, dict):
        if before.get("type") != after.get("type"):
            return differences(before.get("type"), after.get("type"), f"{where}.type" if where else "type")
        lines = []
        for name in sorted({*before, *after}):
            path = f"{where}.{name}" if where else name
            lines += differences(before.get(name), after.get(name), path)
        return lines
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = enumerate(zip(before, after, strict=True))
        return [line for i, (a, b) in pairs for line in differences(a, b, f"{where}.{i}")]
    return [] if before == after else [f"{where}: {json.dumps(before)} -> {json.dumps(after)}"]
