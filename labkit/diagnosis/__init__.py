"""What is wrong in a namespace: facts, evidence, and the rules that name a cause."""
