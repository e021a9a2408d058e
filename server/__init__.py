"""Switchboard: one self-hosted inbox for a gaming community."""

# Before peewee, which some here load too.
import models as models

__version__ = "0.1.0"
