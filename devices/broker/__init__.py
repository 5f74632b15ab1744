"""The MQTT broker of one village: who may read and write what, and how to run one.

nats-server (from its wheel) is the embedded default, mosquitto the production broker of one village (decision 14).
"""
