"""The audit trail: records of every change and every use, and what proves them whole."""
