"""`stepahead`, but what dies again and again is started again within a second.

The real pauses grow to half a minute: twenty deaths would take ten.
"""

from app.cli import main
from app.process import restarts

if __name__ == "__main__":
    restarts.LONGEST_DELAY_SECONDS = 1.0
    main()
