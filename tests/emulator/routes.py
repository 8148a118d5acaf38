"""The paths of the API."""

from collections.abc import Callable
import re
from typing import Any

from . import current, legacy, nbiot
from .generation import Generation
from .refusals import no_path
from .switches import Switches

_ROUTES = (
    *((method, generation.value + path, route) for generation in Generation for method, path, route in nbiot.ROUTES),
    *legacy.ROUTES,
    *current.ROUTES,
)


def find_route(switches: Switches, method: str, path: str) -> tuple[Callable[..., Any], tuple[str, ...]]:
    """Return the route of a call, and what its path names."""
    if _exists(switches, path):
        for route_method, pattern, route in _ROUTES:
            if route_method == method and (match := re.fullmatch(pattern, path)):
                return route, match.groups()
    raise no_path()


def _exists(switches: Switches, path: str) -> bool:
    """Return whether the platform has a path on which the generations or the switches differ."""
    generation = Generation.of(path)
    slash = generation is Generation.CURRENT and switches.cancel_all_slash
    match path.removeprefix(generation.value):
        case "/resources":
            return generation is Generation.LEGACY or switches.current_resources
        case "/offline/cancel/all":
            return not slash
        case "/offline/cancel/all/":
            return slash
    return True
