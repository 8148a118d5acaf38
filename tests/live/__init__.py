"""The integration in a real Home Assistant, in a process of its own, as a person meets it."""
