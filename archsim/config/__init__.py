"""Configuration: strict YAML with one `base:`, frozen models with quantities, and messages that name the place."""

from archsim.config.model import (
    Area,
    Bandwidth,
    Capacitance,
    Current,
    Data,
    Document,
    Energy,
    EnergyPerBit,
    Frequency,
    Length,
    Model,
    Power,
    QuantityField,
    Resistance,
    Temperature,
    Time,
    Voltage,
)
from archsim.config.validation import content_hash, dump, json_schema, load, validate
from archsim.config.yaml_file import merge, origin, override, read_yaml
from archsim.config.yaml_text import yaml_text

__all__ = [
    "Area",
    "Bandwidth",
    "Capacitance",
    "Current",
    "Data",
    "Document",
    "Energy",
    "EnergyPerBit",
    "Frequency",
    "Length",
    "Model",
    "Power",
    "QuantityField",
    "Resistance",
    "Temperature",
    "Time",
    "Voltage",
    "content_hash",
    "dump",
    "json_schema",
    "load",
    "merge",
    "origin",
    "override",
    "read_yaml",
    "validate",
    "yaml_text",
]
