"""So what: counts times costs, and answers against labels."""
