"""What an operator of Aldis may set, and the rules that ship as dated data."""
