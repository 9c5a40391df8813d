"""The protocol of each collection of rows, which services are typed by."""
