"""Who drives a run."""

import os
import subprocess
import sys

from mlproj.track.driver import describe_driver, is_dead


def test_a_living_process_is_not_dead_and_a_killed_one_is() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        driver = describe_driver(process.pid)
        assert not is_dead(driver)
        process.kill()
    assert is_dead(driver)


def test_a_pid_that_was_given_out_again_is_told_from_the_old_one() -> None:
    host, boot, space, pid, _ = describe_driver(os.getpid()).split("|")
    assert is_dead("|".join((host, boot, space, pid, "1")))


def test_an_earlier_boot_of_this_machine_is_dead_and_other_machines_are_left_alone() -> None:
    host, _, space, pid, started = describe_driver().split("|")
    assert is_dead("|".join((host, "earlier", space, pid, started)))
    assert not is_dead("|".join(("elsewhere", "earlier", space, "999999", "1")))
    assert not is_dead("|".join((host, describe_driver().split("|")[1], "pid:[another container]", "999999", "1")))


def test_what_is_no_description_is_not_dead() -> None:
    assert not any(is_dead(text) for text in ("", "a|b", "a|b|c|no number|e", "a|b|c|-1|e"))
