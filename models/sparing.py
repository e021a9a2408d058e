"""peewee, loaded as it is where no driver is installed; has to come before all else that loads it.

It would load the driver of PostgreSQL wherever that is installed, which takes a process 20 MB and a quarter
of a second, also beside SQLite. The engine that needs the driver loads it.
"""

import sys
from typing import Any, cast

DRIVER = "psycopg"
modules = cast(dict[str, Any], sys.modules)

if DRIVER not in modules:
    # None stands for what cannot be loaded.
    modules[DRIVER] = None
    # What is imported is only to be loaded; the migrations load what extends peewee on PostgreSQL.
    import peewee  # noqa: F401
    import playhouse.migrations  # noqa: F401

    del modules[DRIVER]
