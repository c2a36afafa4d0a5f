"""How well each search mode retrieves the evidence of LoCoMo's questions."""
