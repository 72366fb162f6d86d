"""The proof: what the producers' ledger, the topic and the tables' files say of each other.

Shares no code with the writer. The topic is read with librdkafka, the tables by the catalog's
pointer, Iceberg's metadata and Arrow, the values are decoded by Apache's own Avro library or as
JSON, and the ledger has its own reader. What is taken from the rest of Millrace are the contracts
(what a dataset is), the settings (where the services are) and the errors. A house test holds this.

`docs/reference/verify.md` states the seven laws, and what is not proven.
"""
