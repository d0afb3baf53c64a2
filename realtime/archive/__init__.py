"""Archives: the events of thousands of files as one table, by every core or by a cluster.

`rt-tag DIR --recursive -o tags.parquet`. From top to bottom:

    files     which sounds there are, always in the same order
    job       all that a worker needs to know; `Tagger`, one model and what it hears in a file
    journal   what has been done, on disk, so that a run that was killed goes on
    workers   processes of this machine, each with a model of its own
    cluster   the same on a Ray cluster
    table     rows as Parquet, CSV or JSON lines
    run       THE PAGE: list, tag what is left, write the table

A file is heard by the live engine, so a row is a `start` and its `stop` of `rt-tag --json`.
"""
