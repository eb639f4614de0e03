"""How much memory an engine's objects take, by walking them."""

import gc
import sys
from enum import Enum
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType

import msgspec

SHARED = (type, ModuleType, FunctionType, BuiltinFunctionType, CodeType, Enum)


def footprint_bytes(root: object) -> int:
    """Bytes of everything that is reached from `root`, but code."""
    seen: set[int] = set()
    todo = [root]
    total = 0
    while todo:
        each = todo.pop()
        if id(each) in seen or isinstance(each, SHARED):
            continue
        seen.add(id(each))
        total += sys.getsizeof(each)
        if isinstance(each, msgspec.Struct):
            # Those without garbage collection do not say what they refer to.
            todo += [getattr(each, name) for name in each.__struct_fields__]
        else:
            todo += gc.get_referents(each)
    return total
