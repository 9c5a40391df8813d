"""Where rows are kept: the abstract repository and its SQL implementation. Only ciphertext."""
