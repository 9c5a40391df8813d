"""Services of the audit trail: recording, and what watches over the records."""
