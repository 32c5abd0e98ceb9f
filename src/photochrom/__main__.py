"""``python -m photochrom``: the command line."""

from photochrom.cli import main

raise SystemExit(main())
