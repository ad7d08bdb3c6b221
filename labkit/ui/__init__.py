"""What results are shown in: live displays, tables, charts, terminals, units."""
