"""What is loaded after the first paint is there before it is opened, in a thread of its own."""

import subprocess
import sys

PROGRAM = """
import sys
from chatnet_qt.preloading import load_in_background
assert not {"segno", "emoji"} & set(sys.modules)
thread = load_in_background()
assert thread.daemon
thread.join()
assert {"segno", "emoji"} <= set(sys.modules)
from chatnet_qt import emoji_names
assert emoji_names.all_emoji.cache_info().currsize == 1
misses = emoji_names._by_name.cache_info().misses
assert emoji_names.named("smile")
assert emoji_names._by_name.cache_info().misses == misses == 1
"""


def test_emoji_and_qr_codes_are_loaded_in_a_thread_that_may_be_left() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", PROGRAM],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
