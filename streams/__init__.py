"""The wires: topics as plain data, codecs, Faust apps, tables in Redis, producer, reply relay.

Admission rule: knows how events travel, never what they mean to a product feature.
"""
