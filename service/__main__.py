"""``python -m service`` is ``zhipai``."""

from service.cli import main

main()
