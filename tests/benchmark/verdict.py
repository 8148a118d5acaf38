"""Printing figures and comparing them with their limits."""


def note(what: str, figure: float, unit: str = "") -> None:
    """Print a figure that has no limit."""
    print(f"{what:<64} {figure:8.2f} {unit}", flush=True)


def judge(what: str, figure: float, limit: float, unit: str = "") -> bool:
    """Print a figure and whether it is within its limit."""
    kept = figure <= limit
    print(f"{what:<64} {figure:8.2f} {unit:<5} at most {limit:7.2f}   {'ok' if kept else 'EXCEEDED'}", flush=True)
    return kept


def judge_least(what: str, figure: float, limit: float, unit: str = "") -> bool:
    """Print a figure and whether it reaches its limit."""
    kept = figure >= limit
    print(f"{what:<64} {figure:8.2f} {unit:<5} at least {limit:6.0f}   {'ok' if kept else 'MISSED'}", flush=True)
    return kept
