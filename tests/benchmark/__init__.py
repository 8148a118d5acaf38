"""How fast the integration is, as ratios within one run."""
