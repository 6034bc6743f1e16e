"""When it happens: stations in integer picoseconds, schedules, the ledger. The only folder that imports simpy."""
