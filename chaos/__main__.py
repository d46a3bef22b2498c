"""``python -m chaos``."""

from chaos.command import main

main()
