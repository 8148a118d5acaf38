"""Texts of the integration as a browser shows them."""

from functools import cache
import json
from typing import Any

from .home_assistant import REPOSITORY

# Languages of Home Assistant by the browser's locale.
LANGUAGES = {"en": "en", "zh-CN": "zh-Hans"}
DEVICE_FLOW = "config_subentries.device"
READ = "services.offline_read.fields"
WRITE = "services.offline_write.fields"


@cache
def _texts(language: str) -> dict[str, Any]:
    """Return all texts of a language."""
    path = REPOSITORY / f"custom_components/onenet_nbiot/translations/{language}.json"
    texts: dict[str, Any] = json.loads(path.read_text())
    return texts


def text(key: str, locale: str) -> str:
    """Return a text by its key, such as entity.button.read_now.name, without a number."""
    found: Any = _texts(LANGUAGES[locale])
    for part in key.split("."):
        found = found[part]
    return str(found).replace("{number}", "")


def beginning(key: str, locale: str) -> str:
    """Return the beginning of a text, as far as it has no placeholder."""
    return text(key, locale).partition("{")[0].rstrip(" (（")  # noqa: RUF001 - the bracket of a Chinese text
