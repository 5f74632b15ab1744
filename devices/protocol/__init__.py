"""The language hub and devices speak over MQTT: topics, messages, proof of origin, and one safe client.

Lowest layer: standard library and pydantic only (`bus` also uses paho-mqtt).
"""
