"""Check that every language has all texts of English, with the same placeholders."""

from collections.abc import Iterator
import json
from pathlib import Path
import re
import sys
from typing import Any

ROOT = Path(__file__).parents[1] / "custom_components" / "onenet_nbiot" / "translations"


def flatten(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield each text with the path to it."""
    if isinstance(node, dict):
        for name, child in node.items():
            yield from flatten(child, f"{path}.{name}" if path else name)
    else:
        yield path, node


def faults() -> Iterator[str]:
    """Yield the errors of a text in any language."""
    languages = {file.stem: dict(flatten(json.loads(file.read_text()))) for file in sorted(ROOT.glob("*.json"))}
    english = languages["en"]
    for language, texts in languages.items():
        for path in english.keys() ^ texts.keys():
            yield f"{language}: {path} is not in both"
        for path, text in texts.items():
            if not text.strip():
                yield f"{language}: {path} is blank"
            if "://" in text or re.search(r"'\{\w+\}'", text):
                yield f"{language}: {path} has an address or a quoted placeholder"
            if sorted(re.findall(r"{(\w+)}", text)) != sorted(re.findall(r"{(\w+)}", english.get(path, ""))):
                yield f"{language}: {path} has other placeholders than English"


if __name__ == "__main__":
    sys.exit("\n".join(faults()) or 0)
