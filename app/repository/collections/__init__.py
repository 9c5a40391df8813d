"""What each collection of rows can do: the abstract classes that services are typed by."""
