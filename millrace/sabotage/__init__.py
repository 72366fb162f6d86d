"""The checker is checked: damage a copy of a dataset, and see whether the verifier says so.

A copy of the dataset's raw table, of its quarantine rows and of its ledger is damaged in twelve
ways, one after the other. A damage counts as caught when the verifier reports it under the law
that it breaks and at the place where it was done; any other failure does not count. The copy's
tables live in a namespace of their own and its files in folders of their own: nothing here writes
to a table or a folder of the user's.
"""
