"""The embedded Kafka: Apache Kafka itself (KRaft, one node), as a child of this process.

Nothing is imported here: some of these modules are programs too, and are to start quickly.
"""
