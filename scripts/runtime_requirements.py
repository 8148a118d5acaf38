"""Print the packages that Home Assistant installs when it starts: runtime_requirements.py PACKAGE DOMAIN...

Read from its manifests and its sources, so that nothing of Home Assistant need be importable yet.
"""

import ast
import json
import pathlib
import sys


def default_integrations(package: pathlib.Path) -> set[str]:
    """Return the domains that bootstrap.py sets up with every configuration."""
    for node in ast.parse((package / "bootstrap.py").read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "DEFAULT_INTEGRATIONS":
            return {str(n.value) for n in ast.walk(node.value) if isinstance(n, ast.Constant)}
    raise SystemExit("DEFAULT_INTEGRATIONS not found")


def main(package: pathlib.Path, domains: set[str]) -> None:
    """Print one requirement per line."""
    manifests = {file.parent.name: json.loads(file.read_text()) for file in package.glob("components/*/manifest.json")}
    pending = domains | default_integrations(package) | {"homeassistant", "persistent_notification"}
    pending |= {domain for domain, manifest in manifests.items() if manifest.get("integration_type") == "entity"}
    seen: set[str] = set()
    while pending:
        seen.add(domain := pending.pop())
        pending |= set(manifests[domain].get("dependencies", ())) - seen
    print("\n".join(sorted({r for domain in seen for r in manifests[domain].get("requirements", ())})))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), set(sys.argv[2:]))
