"""Tests of the LwM2M registry, entity descriptions and units."""
