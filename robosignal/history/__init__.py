"""`robosignal history`: who drove and who viewed a robot, from when until when."""
