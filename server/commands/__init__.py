"""The commands of the command line, by what they are about."""

# Before peewee, which some here load too.
import models as models
