"""Pictures: functions that take axes and return what they drew; matplotlib is imported when they are called."""
