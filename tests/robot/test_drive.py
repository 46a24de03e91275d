from robosignal.robot.drive import REST, Drive, Motion, Target


def test_motion_lasts_half_a_second() -> None:
    """The watchdog ends it then, and not before."""
    motion = Motion.begin(Target(Drive(0.0, 1.0)), 1000)

    assert (motion.is_over(1499), motion.is_over(1500)) == (False, True)


def test_standing_still_needs_no_watchdog() -> None:
    """A command to stand leaves nothing to be stopped."""
    assert Motion.begin(REST, 1000) == Motion()
