"""The outbox: events of the decision log on their way to other systems, by signed webhook, at least once, in order for
each work order. See docs/outbox.md."""
