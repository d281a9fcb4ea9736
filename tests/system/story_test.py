import unittest

import story
from case import SystemTest


class StoryTest(SystemTest):
    def test_a_secret_travels_from_the_shell_to_the_agent_and_goes_again(self):
        story.tell(self.system)


if __name__ == "__main__":
    unittest.main()
