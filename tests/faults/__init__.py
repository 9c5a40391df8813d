"""Every fault of every key provider, met by every operation of the product that needs a key.

A provider's module brings its faults about; ``operations`` asks the product; ``trial`` lets the one
meet the other and keeps all that can be seen of it; ``test_matrix`` says what must be seen
of a provider that is alone, and ``test_beside`` of one that is listed beside another.
"""
