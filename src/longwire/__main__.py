"""`python -m longwire` is the command `longwire`."""

from longwire.cli import main

main()
