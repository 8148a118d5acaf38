"""China Mobile's OneNET for NB-IoT devices: a client of its HTTP API that knows nothing of Home Assistant."""
