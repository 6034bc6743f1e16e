"""What the chip is: pure data, no clock, no torch."""
