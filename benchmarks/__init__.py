"""Speed and memory, as ratios within one run; ``make bench`` prints them. Nothing here is asserted by the tests."""
