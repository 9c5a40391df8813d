"""Files of names and values that people have: read, checked as a whole, and never printed.

Each format has a parser that yields an `Entry` for each name and a `Fault` for each place that it
cannot read. A fault names its place by a line's number, or by an entry's in JSON. It never quotes
the file: a broken line may be a piece of a value.
"""
