"""Clients of Kafka, as this application needs them: methods wrapped, private attributes used."""
