"""A demonstration in a real Home Assistant, with an emulated OneNET and simulated devices."""
