"""Tests of the OneNET API client."""
