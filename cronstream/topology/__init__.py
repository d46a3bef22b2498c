"""What is on Kafka and how it gets there: topics, durable publishing, reading, quarantine."""
