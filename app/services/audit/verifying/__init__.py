"""The verification of the audit trail."""
