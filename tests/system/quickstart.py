"""./dev quickstart: the system up, then the story, told; leaves the system running."""

import sys

import dev_system
import story
from harness import SystemFailure


def main():
    try:
        system = dev_system.up()
        story.tell(system, lambda text: print(text, end="", flush=True))
    except (SystemFailure, AssertionError) as failure:
        sys.exit(f"quickstart failed: {failure}")
    print(f"\n# All of it happened as told. The system is still up:  source {dev_system.ENV};  keyferry secrets list;  ./dev down")


if __name__ == "__main__":
    main()
