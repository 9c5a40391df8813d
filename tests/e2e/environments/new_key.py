"""Prints the content of a new key file."""

import sys

from backends.local_fernet import new_key_file

if __name__ == "__main__":
    sys.stdout.buffer.write(new_key_file())
