"""Programs that publish: whatever they like, from other processes, to whoever subscribes."""
