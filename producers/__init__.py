"""How other services put jobs on the hospital registry's queue, and read what became of them."""
