"""How the four packages offer their public names without loading what nobody asked for."""

from collections.abc import Callable, Mapping
from importlib import import_module


def lazy_exports(
    package: str, modules: Mapping[str, str]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Return the ``__getattr__`` and ``__dir__`` of a package that loads each name on first use.

    Assign them in the ``else`` branch of ``if TYPE_CHECKING``: a type checker that sees a module's
    ``__getattr__`` would accept every misspelt name.

    Args:
        package: The package's ``__name__``.
        modules: The module in which each public name stands, keyed by that name.
    """

    def load(name: str) -> object:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(modules[name]), name)

    def names() -> list[str]:
        return sorted(modules)

    return load, names
