"""The life of a bad record after landing refused it.

`raw.quarantine` is the truth: what landing refused, with its bytes, position and reason. A row is
`open` until it is replayed (it then is in its raw table, once) or discarded. Replay commits raw
first and marks the row second; every commit is compare and swap, and raw is searched for the
positions on the very snapshot that is swapped against. So a replay may be killed, repeated or run
twice at once. Replay moves no offsets: where landing stands is landing's alone.
"""
