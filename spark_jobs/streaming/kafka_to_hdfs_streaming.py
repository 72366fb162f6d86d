"""What is submitted for landing: the start of `spark_jobs.streaming.landing_application`.

YARN keeps a copy of this file for every later attempt, and the rest comes from the clone. So that
an application that outlives an update is not half of each, all of it has to be in the rest.
"""

from __future__ import annotations

if __name__ == "__main__":
    # Not at the top: they are the clone's, whichever this copy is.
    from millrace import ending
    from spark_jobs.streaming.landing_application import main

    ending.run(main)
