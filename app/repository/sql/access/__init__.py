"""Accounts in SQL: their own rows, and all rows that belong to one."""
