"""Tests of the OneNET NB-IoT integration."""
