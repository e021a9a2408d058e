"""Switchboard: one self-hosted inbox for a gaming community."""

__version__ = "0.1.0"
