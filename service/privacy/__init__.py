"""Personal data (个人信息): kept in a side table, committed to in the log, erasable without breaking it."""
