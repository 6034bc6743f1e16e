"""What the papers claim beside what archsim finds: one table, one component library, no figure of a paper fed in."""
