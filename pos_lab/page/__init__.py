"""Pages for people: what every report in HTML is framed by, and how plots are drawn."""
