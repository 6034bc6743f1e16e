"""Networks that ship with archsim, in plain torch and `archsim.nn`."""
