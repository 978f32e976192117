"""The hub's side of MQTT: the client, and the embedded broker for trials."""
