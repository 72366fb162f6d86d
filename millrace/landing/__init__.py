"""Landing: from the topics of Kafka to raw tables, each record once.

The table is the checkpoint: a commit holds rows and the offsets they cover, and succeeds only on
the offsets it started from. Tasks decode, judge and write (`sift`), the driver commits (`lander`),
a gate refuses to start where table and log disagree (`positions`). Nothing here imports Spark.
"""
