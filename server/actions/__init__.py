# Before peewee, which most here load too.
import models as models
