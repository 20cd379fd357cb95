"""Run `stepahead`, and restart what keeps dying within a second.

The real pauses grow to half a minute, so twenty kills would take ten minutes.
"""

from app.cli import main
from app.process import restarts

if __name__ == "__main__":
    restarts.LONGEST_DELAY_SECONDS = 1.0
    main()
